// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DeltaProtocol

/// How SQL names a table of a lake: `ratings`, `sales.orders`; with a version, `"ratings@v3"`, or a time,
/// `"ratings@2026-01-02T03:04:05Z"`, in double quotes.
package struct LakeTableName: Sendable, Hashable, CustomStringConvertible {
    /// Which state of the table.
    package enum Moment: Sendable, Hashable {
        case latest
        case version(Int64)
        /// Milliseconds since 1970.
        case time(Int64)
    }

    /// The folder that the table's folder is in; nil where it is in the lake's own.
    package let schema: String?
    /// The table's folder.
    package let table: String
    package let moment: Moment
    /// The last part as SQL has it, with version or time.
    package let alias: String

    /// Nil for what cannot be a folder's name, for hidden names, and for schemas whose names the engine has itself.
    package init?(schema: String?, name: String) {
        var table = name
        var moment = Moment.latest
        if let at = name.lastIndex(of: "@"), at > name.startIndex {
            let suffix = name[name.index(after: at)...]
            if let found = Self.moment(suffix) {
                moment = found
                table = String(name[..<at])
            }
        }
        guard Self.isFolder(table), schema.map(Self.isFolder) ?? true else { return nil }
        if let schema, Self.reserved.contains(schema.lowercased()) { return nil }
        self.schema = schema
        self.table = table
        self.moment = moment
        alias = name
    }

    private static let reserved: Set = ["main", "memory", "temp", "system", "information_schema", "pg_catalog"]

    private static func moment(_ suffix: Substring) -> Moment? {
        if suffix.first == "v", suffix.count > 1, suffix.dropFirst().allSatisfy(\.isASCII),
            let version = Int64(suffix.dropFirst()), version >= 0
        {
            return .version(version)
        }
        return Timestamp(rfc3339: String(suffix)).map { .time($0.nanoseconds / 1_000_000) }
    }

    private static func isFolder(_ name: String) -> Bool {
        guard let first = name.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "_") else { return false }
        return name.utf8.count <= 255 && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 < 0x20 }
    }

    /// From the lake's root.
    package var path: String { schema.map { "\($0)/\(table)" } ?? table }

    package var description: String { schema.map { "\($0).\(alias)" } ?? alias }
}
