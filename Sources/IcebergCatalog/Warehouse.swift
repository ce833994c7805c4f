// SPDX-License-Identifier: Apache-2.0
package import IcebergProtocol

/// The place below which all tables are: `s3://BUCKET/PREFIX` or `file:///FOLDER`.
package struct Warehouse: Sendable, Hashable {
    /// Without a slash at the end.
    package let root: String
    /// The bucket; nil for a folder.
    let bucket: String?
    /// Whether it is a bucket of an S3, and no folder.
    package var isBucket: Bool { bucket != nil }
    /// The folder, or what keys of the bucket begin with; without a slash at the end.
    let path: String

    /// - Throws: where it is neither a bucket nor a folder.
    package init(_ text: String) throws(IcebergError) {
        var text = text
        while text.hasSuffix("/"), !text.hasSuffix("//") { text.removeLast() }
        func refuse() -> IcebergError {
            IcebergError(.badRequest, "the warehouse must be s3://BUCKET/PREFIX or file:///FOLDER, not '\(text)'")
        }
        if text.hasPrefix("s3://") {
            let parts = text.dropFirst(5).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let bucket = parts.first, (3...63).contains(bucket.utf8.count) else { throw refuse() }
            self.bucket = String(bucket)
            path = parts.count > 1 ? String(parts[1]) : ""
        } else if text.hasPrefix("file:///"), text.utf8.count > 8 {
            bucket = nil
            path = String(text.dropFirst(7))
        } else {
            throw refuse()
        }
        root = text
        if bucket == nil || !path.isEmpty {
            guard Self.isPlain(bucket == nil ? String(path.dropFirst()) : path) else { throw refuse() }
        }
    }

    /// Whether no part of a path is empty, `.` or `..`, or has control characters.
    ///
    /// Bytes are looked at, not characters: a slash with an accent is a slash for a file system.
    private static func isPlain(_ path: String) -> Bool {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8) && part.count <= 255
                && part.allSatisfy { $0 >= 32 && $0 != 127 && $0 != UInt8(ascii: "\\") }
        }
    }

    /// What follows on a prefix; nil where a text does not begin with it.
    static func rest(_ text: String, after prefix: String) -> String? {
        guard text.utf8.starts(with: prefix.utf8) else { return nil }
        return String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }

    /// What a location is within the bucket or the file system.
    ///
    /// - Throws: `ForbiddenException` where it is not in the warehouse: the catalog has keys that its clients need not
    ///   have, and uses them for nothing else.
    func inner(_ location: String) throws(IcebergError) -> String {
        guard let rest = Self.rest(location, after: root + "/"), location.utf8.count <= IcebergLimits.location,
            Self.isPlain(rest)
        else {
            throw IcebergError(
                .forbidden,
                "\(location.prefix(300)) is not in the warehouse of this catalog: locations begin with \(root)/")
        }
        return path.isEmpty ? rest : "\(path)/\(rest)"
    }

    /// The location of what is in the bucket or the file system; nil where it is not in the warehouse.
    func location(inner: String) -> String? {
        Self.rest(inner, after: path.isEmpty ? "" : path + "/").map { "\(root)/\($0)" }
    }

    /// Where a new table goes: no two tables, one after the other either, have the same place.
    func place(of table: TableName, uuid: String) -> String {
        let levels = (table.namespace.levels + [table.name]).map { level in
            String(
                String.UnicodeScalarView(
                    level.unicodeScalars.prefix(80).map { scalar in
                        let isPlain =
                            scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                        return isPlain || scalar == "-" || scalar == "_" ? scalar : "_"
                    }))
        }
        return "\(root)/\(levels.joined(separator: "/"))-\(uuid.prefix(8))"
    }

    /// A name of a file of metadata. The uuid is of version 8 with `a905` in its fourth group, by which the catalog
    /// knows its own files.
    static func metadataName(number: Int, uuid: String) -> String {
        let digits = String(number)
        var bytes = Array(uuid.utf8)
        if bytes.count == 36 {
            bytes[14] = UInt8(ascii: "8")
            bytes.replaceSubrange(19..<23, with: "a905".utf8)
        }
        let padding = String(repeating: "0", count: max(0, 5 - digits.utf8.count))
        return "\(padding)\(digits)-\(String(decoding: bytes, as: UTF8.self)).metadata.json"
    }

    /// Whether a file is a file of metadata that a catalog of this kind wrote.
    static func isOwnMetadata(_ location: String) -> Bool {
        guard let name = location.split(separator: "/").last, name.hasSuffix(".metadata.json"),
            let dash = name.firstIndex(of: "-"), TableMetadata.fileNumber(location) != nil
        else { return false }
        let uuid = Array(name[name.index(after: dash)...].dropLast(".metadata.json".count).utf8)
        return uuid.count == 36 && uuid[14] == UInt8(ascii: "8") && uuid[19..<23].elementsEqual("a905".utf8)
    }
}
