// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import IcebergProtocol
import NIOCore
import ServiceHTTP

/// Encodes what the catalog answers.
struct CatalogAnswers {
    /// Bytes that are sent at a time.
    private static let piece = 128 << 10
    private static let delegation = HTTPField.Name("X-Iceberg-Access-Delegation")
    private let catalog: Catalog
    private let headers: HTTPFields

    init(_ catalog: Catalog, _ headers: HTTPFields = [:]) {
        self.catalog = catalog
        self.headers = headers
    }

    /// `CatalogConfig`.
    func config(_ query: CatalogQuery) throws(IcebergError) -> JSONValue {
        let names = [catalog.configuration.warehouseName, catalog.warehouse.root, catalog.warehouse.root + "/", ""]
        if let name = query["warehouse"], !names.contains(name) {
            throw IcebergError(
                .noSuchWarehouse,
                "there is no warehouse \(name.prefix(300)): it is called \(catalog.configuration.warehouseName)")
        }
        return [
            "defaults": JSONValue(catalog.configuration.clientSettings), "overrides": .object([:]),
            "endpoints": JSONValue(CatalogRoute.endpoints),
        ]
    }

    /// Whether the client asked for keys, and there are some for it.
    private var vended: [String: String]? {
        guard let name = Self.delegation, let wanted = headers[name] else { return nil }
        let isAsked = wanted.split(separator: ",").contains { $0.filter { $0 != " " } == "vended-credentials" }
        return isAsked ? catalog.configuration.vendedSettings : nil
    }

    /// `StorageCredential`s for whoever asks outright.
    var credentials: JSONValue {
        guard let keys = catalog.configuration.vendedSettings else { return .array([]) }
        let settings = catalog.configuration.clientSettings.merging(keys) { $1 }
        return [["prefix": .string(catalog.warehouse.root + "/"), "config": JSONValue(settings)]]
    }

    /// `LoadTableResult` or `CommitTableResponse`.
    func table(_ table: LoadedTable, onlyReferenced: Bool = false, isCommit: Bool = false) -> Response {
        var writer = JSONWriter(capacity: 1024)
        writer.append(raw: "{\"metadata-location\":")
        writer.append(JSONValue(table.metadataLocation))
        if !isCommit {
            // Without keys nothing: DuckDB would take the settings for all that it needs, and leave its own keys.
            var settings: [String: String] = [:]
            if let vended {
                settings = catalog.configuration.clientSettings.merging(vended) { $1 }
                writer.append(raw: ",\"storage-credentials\":")
                writer.append(credentials)
            }
            writer.append(raw: ",\"config\":")
            writer.append(JSONValue(settings))
        }
        writer.append(raw: ",\"metadata\":")
        let document = onlyReferenced ? table.metadata.json(onlyReferenced: true).encoded : table.bytes
        var response = Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: Self.body([writer.bytes, document, [UInt8(ascii: "}")]]))
        if let tag = Self.tag(table, onlyReferenced: onlyReferenced) { response.headers[.eTag] = tag }
        return response
    }

    /// A body that is sent a piece at a time: many clients that load a large table share its bytes.
    private static func body(_ parts: [[UInt8]]) -> ResponseBody {
        ResponseBody(contentLength: parts.reduce(0) { $0 + $1.count }) { writer in
            for part in parts {
                for start in stride(from: 0, to: part.count, by: piece) {
                    try await writer.write(ByteBuffer(bytes: part[start..<min(start + piece, part.count)]))
                }
            }
            try await writer.finish(nil)
        }
    }

    /// 304, where the client has what it asks for.
    func unchanged(_ table: LoadedTable, onlyReferenced: Bool) -> Response? {
        guard let wanted = headers[.ifNoneMatch], let tag = Self.tag(table, onlyReferenced: onlyReferenced) else {
            return nil
        }
        let tags = wanted.split(separator: ",").map { $0.drop { $0 == " " } }.map {
            $0.hasPrefix("W/") ? $0.dropFirst(2) : $0
        }
        guard tags.contains(where: { $0 == tag || $0 == "*" }) else { return nil }
        return Response(status: .notModified, headers: [.eTag: tag])
    }

    private static func tag(_ table: LoadedTable, onlyReferenced: Bool) -> String? {
        guard let name = table.metadataLocation?.split(separator: "/").last else { return nil }
        let plain = name.unicodeScalars.filter { $0.isASCII && $0.value > 32 && $0 != "\"" && $0.value != 127 }
        return "\"\(String(String.UnicodeScalarView(plain)))-\(onlyReferenced ? "refs" : "all")\""
    }
}
