// SPDX-License-Identifier: Apache-2.0

/// All that a table is (table specification, "Table Metadata"): the content of a file of metadata.
package struct TableMetadata: Sendable, Hashable {
    /// The newest version of the format that is understood. Of version 3: new types, defaults, row lineage; no
    /// encryption and no transforms of many columns.
    package static let newestVersion = 3
    /// The name of the branch that readers see.
    package static let mainBranch = "main"

    package var version: Int
    package var uuid: String
    package var location: String
    /// Milliseconds since 1970.
    package var lastUpdated: Int64
    package var properties: [String: String] = [:]

    package var schemas: [TableSchema]
    package var currentSchemaID: Int
    package var lastColumnID: Int

    package var specs: [PartitionSpec]
    package var defaultSpecID: Int
    package var lastPartitionID: Int

    package var sortOrders: [SortOrder]
    package var defaultSortOrderID: Int

    package var snapshots: [Snapshot] = []
    /// Branches and tags; `main` is among them where there is a current snapshot.
    package var references: [String: SnapshotReference] = [:]
    package var lastSequenceNumber: Int64 = 0
    /// The next row's id (version 3).
    package var nextRowID: Int64 = 0

    /// A snapshot that was the current one, and since when.
    package struct SnapshotLogEntry: Sendable, Hashable {
        package var timestamp: Int64
        package var snapshotID: Int64
    }

    /// An earlier file of metadata.
    package struct MetadataLogEntry: Sendable, Hashable {
        package var timestamp: Int64
        package var file: String
    }

    package var snapshotLog: [SnapshotLogEntry] = []
    package var metadataLog: [MetadataLogEntry] = []

    var statistics: [StatisticsFile] = []
    var partitionStatistics: [StatisticsFile] = []

    package var currentSnapshotID: Int64? { references[Self.mainBranch]?.snapshotID }
    package var currentSchema: TableSchema? { schemas.first { $0.id == currentSchemaID } }
    package var defaultSpec: PartitionSpec? { specs.first { $0.id == defaultSpecID } }
    package var defaultSortOrder: SortOrder? { sortOrders.first { $0.id == defaultSortOrderID } }

    /// Where files of metadata are written.
    package var metadataFolder: String {
        if let folder = properties["write.metadata.path"] { return Self.withoutSlash(folder) }
        return Self.withoutSlash(location) + "/metadata"
    }

    /// How many earlier files of metadata the log keeps.
    package var keptPrevious: Int {
        min(max(properties["write.metadata.previous-versions-max"].flatMap { Int($0) } ?? 100, 1), 10_000)
    }

    /// Whether files of metadata go that the log no longer has.
    package var deletesPrevious: Bool {
        properties["write.metadata.delete-after-commit.enabled"]?.lowercased() == "true"
    }

    static func withoutSlash(_ path: String) -> String {
        var path = path
        while path.hasSuffix("/") { path.removeLast() }
        return path
    }

    /// The number in a metadata file's name, `00004-UUID.metadata.json`; nil where it has none.
    package static func fileNumber(_ location: String) -> Int? {
        guard let name = location.split(separator: "/").last, let dash = name.firstIndex(of: "-") else { return nil }
        let digits = name[..<dash]
        guard digits.utf8.count <= 12, digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(digits)
    }

    /// What has to hold of every table, whatever happened to it before.
    /// - Parameter path: of the document, for errors.
    /// - Throws: where it does not hold.
    func check(_ path: String) throws(IcebergError) {
        func fail(_ problem: String) -> IcebergError { .bad(path, problem) }
        guard (1...Self.newestVersion).contains(version) else {
            throw IcebergError(
                .validation, "format version \(version) is not one of this catalog: 1 to \(Self.newestVersion) are")
        }
        guard UUIDText.isValid(uuid) else { throw fail("the table's uuid \(uuid.prefix(100)) is none") }
        guard (1...IcebergLimits.location).contains(location.utf8.count) else {
            throw fail("the location must have 1 to \(IcebergLimits.location) bytes")
        }
        for (what, ids) in [
            ("schema", schemas.map(\.id)), ("partition spec", specs.map(\.id)), ("sort order", sortOrders.map(\.id)),
        ] where Set(ids).count != ids.count { throw fail("two of its \(what)s have the same number") }
        guard let schema = currentSchema else { throw fail("there is no schema \(currentSchemaID), the current one") }
        guard let spec = defaultSpec else { throw fail("there is no partition spec \(defaultSpecID), the default") }
        guard let order = defaultSortOrder else {
            throw fail("there is no sort order \(defaultSortOrderID), the default")
        }
        try schema.check(version: version, "schema \(schema.id)")
        try spec.check(schema, "partition spec \(spec.id)")
        try order.check(schema, "sort order \(order.id)")
        var ids: Set<Int64> = []
        for snapshot in snapshots where !ids.insert(snapshot.id).inserted {
            throw fail("the snapshot \(snapshot.id) is there twice")
        }
        for (name, reference) in references where !ids.contains(reference.snapshotID) {
            throw IcebergError(
                .validation,
                "\(reference.isBranch ? "branch" : "tag") \(name) is of snapshot \(reference.snapshotID), which is not there"
            )
        }
        if references[Self.mainBranch]?.isBranch == false { throw fail("main must be a branch") }
    }
}

/// UUIDs as texts (RFC 9562).
enum UUIDText {
    static func isValid(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return false }
        return bytes.enumerated().allSatisfy { index, byte in
            if [8, 13, 18, 23].contains(index) { return byte == 45 }
            return (48...57).contains(byte) || (97...102).contains(byte) || (65...70).contains(byte)
        }
    }
}
