// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Reads request bodies.
struct BodyDecoder {
    /// What the server does about unknown and duplicate fields (`fieldValidation`).
    enum Strictness: String {
        case ignore = "Ignore"
        case warn = "Warn"
        case strict = "Strict"
    }

    /// The largest body, in bytes, as upstream: 3 MiB.
    static let maximumBytes = 3 << 20

    var schema: Schema
    var strictness: Strictness
    /// What is to be told in `Warning` headers.
    private(set) var warnings: [String] = []

    init(_ request: KubeRequest, schema: Schema) throws(StatusError) {
        self.schema = schema
        let text = request.parameter("fieldValidation") ?? ""
        guard let strictness = Strictness(rawValue: text.isEmpty ? "Warn" : text) else {
            throw StatusError(
                code: 422, reason: "Invalid",
                message: "\"\" is invalid: fieldValidation: Unsupported value: \"\(text.prefix(64))\": supported "
                    + "values: \"Ignore\", \"Strict\", \"Warn\"")
        }
        self.strictness = strictness
    }

    /// Decodes an object of a known kind; a missing `apiVersion` or `kind` is filled in.
    mutating func object(
        _ request: KubeRequest, apiVersion: String, kind: String
    ) throws(StatusError) -> KubeObject {
        let (json, duplicates) = try Self.json(request, schema: schema)
        return KubeObject(try typed(json, apiVersion: apiVersion, kind: kind, duplicates: duplicates))
    }

    /// Decodes an object of a declared kind.
    mutating func object(
        _ request: KubeRequest, _ declaration: ResourceDeclaration
    ) throws(StatusError) -> KubeObject {
        let (json, duplicates) = try Self.json(request, schema: schema)
        return KubeObject(try typed(json, declaration, duplicates: duplicates))
    }

    /// Checks an object against its declared kind.
    mutating func typed(
        _ json: JSONValue, _ declaration: ResourceDeclaration, duplicates: [String] = []
    ) throws(StatusError) -> JSONValue {
        try typed(
            json, apiVersion: declaration.resource.apiVersion, kind: declaration.resource.kind,
            reading: declaration.reading, duplicates: duplicates)
    }

    /// Checks an object against its type: wrong types are refused, unknown fields treated by strictness and removed.
    mutating func typed(
        _ json: JSONValue, apiVersion: String, kind: String, reading: ObjectReading? = nil, duplicates: [String] = []
    ) throws(StatusError) -> JSONValue {
        guard json.object != nil else {
            throw .badRequest(
                "the object provided is unrecognized (must be of type \(kind)): expected a JSON object, found "
                    + "\(json.typeName)")
        }
        var json = json
        let givenVersion = json["apiVersion"].string ?? ""
        let givenKind = json["kind"].string ?? ""
        if !givenVersion.isEmpty, givenVersion != apiVersion {
            throw .badRequest(
                "the API version in the data (\(givenVersion)) does not match the expected API version (\(apiVersion))")
        }
        if !givenKind.isEmpty, givenKind != kind {
            throw .badRequest(
                "\(givenKind) in version \"\(apiVersion.split(separator: "/").last ?? "v1")\" cannot be handled as a "
                    + "\(kind): converting (\(givenKind)) to (\(kind)): unknown conversion")
        }
        json["apiVersion"] = .string(apiVersion)
        json["kind"] = .string(kind)
        if let reading { return try read(json, reading, apiVersion: apiVersion, kind: kind, duplicates: duplicates) }
        guard let type = schema.type(GroupVersionKind(apiVersion: apiVersion, kind: kind)) else { return json }
        let report = ObjectValidation.check(json, type: type, schema: schema)
        if let error = report.typeErrors.first {
            throw .badRequest(
                "\(kind) in version \"\(apiVersion.split(separator: "/").last ?? "v1")\" cannot be handled as a "
                    + "\(kind): \(error)")
        }
        let unknown = Set(report.unknownFields)
        try tell(
            report.unknownFields
                + duplicates.filter { !unknown.contains("unknown field \"\($0)\"") }
                .map { "duplicate field \"\($0)\"" },
            apiVersion: apiVersion, kind: kind)
        return report.object
    }

    /// Reads an object of a kind with a schema of its own.
    private mutating func read(
        _ json: JSONValue, _ reading: ObjectReading, apiVersion: String, kind: String, duplicates: [String]
    ) throws(StatusError) -> JSONValue {
        let result = reading.read(json)
        if let fault = result.fault { throw .badRequest(fault) }
        let unknown = Set(result.unknown)
        try tell(
            duplicates.filter { !unknown.contains($0) }.map { "duplicate field \"\($0)\"" }
                + result.unknown.map { "unknown field \"\($0)\"" },
            apiVersion: apiVersion, kind: kind)
        return result.object
    }

    /// Warns of fields, or refuses them, as the client wants it.
    private mutating func tell(
        _ problems: [String], apiVersion: String, kind: String
    ) throws(StatusError) {
        switch strictness {
        case .ignore: break
        case .warn: warnings += problems
        case .strict:
            guard !problems.isEmpty else { return }
            throw .badRequest(
                "\(kind) in version \"\(apiVersion.split(separator: "/").last ?? "v1")\" cannot be handled as a "
                    + "\(kind): strict decoding error: \(problems.joined(separator: ", "))")
        }
    }

    /// Decodes a body by its content type, without regard to its kind.
    static func json(
        _ request: KubeRequest, schema: Schema
    ) throws(StatusError) -> (value: JSONValue, duplicates: [String]) {
        switch mediaType(request.contentType) {
        case "", "application/json":
            do {
                return try JSONParser.parseReportingDuplicates(request.body)
            } catch {
                throw .badRequest("the object provided is unrecognized: \(error)")
            }
        case ProtobufDecoder.mediaType:
            do {
                return (try ProtobufDecoder.decode(envelope: request.body, schema: schema), [])
            } catch {
                throw .badRequest("the object provided is unrecognized: \(error)")
            }
        default:
            throw .unsupportedMediaType(
                "the body of the request was in an unknown format - accepted media types include: application/json, "
                    + ProtobufDecoder.mediaType)
        }
    }

    static func mediaType(_ contentType: String) -> String {
        let end = contentType.firstIndex(of: ";") ?? contentType.endIndex
        return contentType[..<end].lowercased().filter { !$0.isWhitespace }
    }

    /// `Warning` headers for what was found.
    var warningHeaders: [(name: String, value: String)] { WarningHeaders.make(warnings) }
}
