// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The state of a table at one time (table specification, "Snapshots").
package struct Snapshot: Sendable, Hashable {
    package var id: Int64
    package var parentID: Int64?
    /// Nil in version 1 of the format.
    var sequenceNumber: Int64?
    /// Milliseconds since 1970.
    package var timestamp: Int64
    /// Where the list of manifests is.
    package var manifestList: String
    package var summary: [String: String]
    var schemaID: Int?
    /// The first row id and how many are taken from there (version 3).
    var firstRowID: Int64?
    var addedRows: Int64?

    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        guard !fields.has("manifests") else {
            throw .bad(path, "manifests in the snapshot itself are not taken: write a manifest-list")
        }
        try fields.only([
            "snapshot-id", "parent-snapshot-id", "sequence-number", "timestamp-ms", "manifest-list", "summary",
            "schema-id", "first-row-id", "added-rows",
        ])
        id = try fields.long("snapshot-id")
        guard id >= 0 else { throw .bad(fields.at("snapshot-id"), "\(id) is negative") }
        parentID = try fields.optionalLong("parent-snapshot-id")
        if parentID == -1 { parentID = nil }
        sequenceNumber = try fields.optionalLong("sequence-number")
        timestamp = try fields.long("timestamp-ms")
        guard timestamp >= 0, sequenceNumber ?? 0 >= 0 else {
            throw .bad(path, "timestamp-ms and sequence-number cannot be negative")
        }
        manifestList = try fields.string("manifest-list")
        guard (1...IcebergLimits.location).contains(manifestList.utf8.count) else {
            throw .bad(fields.at("manifest-list"), "must have 1 to \(IcebergLimits.location) bytes")
        }
        summary = try fields.texts("summary")
        if let operation = summary["operation"], !["append", "replace", "overwrite", "delete"].contains(operation) {
            throw .bad(fields.at("summary"), "the operation \(operation.prefix(100)) is not known to this catalog")
        }
        schemaID = try fields.optionalInt("schema-id")
        firstRowID = try fields.optionalLong("first-row-id")
        addedRows = try fields.optionalLong("added-rows")
        guard firstRowID ?? 0 >= 0, addedRows ?? 0 >= 0 else {
            throw .bad(path, "first-row-id and added-rows cannot be negative")
        }
    }

    /// - Parameter version: of the format; version 1 has no sequence numbers.
    /// - Returns: as it is written.
    func json(version: Int) -> JSONValue {
        [
            "snapshot-id": .int(id), "parent-snapshot-id": Self.number(parentID),
            "sequence-number": version == 1 ? .null : .int(sequenceNumber ?? 0), "timestamp-ms": .int(timestamp),
            "manifest-list": .string(manifestList), "summary": JSONValue(summary),
            "schema-id": schemaID.map { JSONValue($0) } ?? .null, "first-row-id": Self.number(firstRowID),
            "added-rows": Self.number(addedRows),
        ]
    }

    static func number(_ value: Int64?) -> JSONValue { value.map(JSONValue.int) ?? .null }
}

/// A branch or a tag (table specification, "Snapshot References").
package struct SnapshotReference: Sendable, Hashable {
    package var snapshotID: Int64
    package var isBranch: Bool
    var minimumSnapshots: Int?
    /// Milliseconds.
    var maximumSnapshotAge: Int64?
    /// Milliseconds.
    var maximumAge: Int64?

    static let fieldNames: Set<String> = [
        "type", "snapshot-id", "min-snapshots-to-keep", "max-snapshot-age-ms", "max-ref-age-ms",
    ]

    init(branch snapshotID: Int64) {
        self.snapshotID = snapshotID
        isBranch = true
    }

    init(_ fields: JSONFields) throws(IcebergError) {
        snapshotID = try fields.long("snapshot-id")
        switch try fields.string("type") {
        case "branch": isBranch = true
        case "tag": isBranch = false
        default: throw .bad(fields.at("type"), "must be branch or tag")
        }
        minimumSnapshots = try fields.optionalInt("min-snapshots-to-keep")
        maximumSnapshotAge = try fields.optionalLong("max-snapshot-age-ms")
        maximumAge = try fields.optionalLong("max-ref-age-ms")
        guard minimumSnapshots ?? 1 > 0, maximumSnapshotAge ?? 1 > 0, maximumAge ?? 1 > 0 else {
            throw .bad(fields.path, "numbers and ages to keep must be greater than 0")
        }
        guard isBranch || (minimumSnapshots == nil && maximumSnapshotAge == nil) else {
            throw .bad(fields.path, "a tag has no min-snapshots-to-keep and no max-snapshot-age-ms")
        }
    }

    var json: JSONValue {
        [
            "snapshot-id": .int(snapshotID), "type": isBranch ? "branch" : "tag",
            "min-snapshots-to-keep": minimumSnapshots.map { JSONValue($0) } ?? .null,
            "max-snapshot-age-ms": Snapshot.number(maximumSnapshotAge), "max-ref-age-ms": Snapshot.number(maximumAge),
        ]
    }
}
