// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A change of a table's metadata (REST specification, `TableUpdate`).
package enum TableUpdate: Sendable, Hashable {
    case assignUUID(String)
    case upgradeVersion(Int)
    case addSchema(TableSchema, lastColumnID: Int?)
    /// -1 is the one that was added last.
    case setCurrentSchema(Int)
    case addSpec(PartitionSpec)
    /// -1 is the one that was added last.
    case setDefaultSpec(Int)
    case addSortOrder(SortOrder)
    /// -1 is the one that was added last.
    case setDefaultSortOrder(Int)
    case addSnapshot(Snapshot)
    case setReference(String, SnapshotReference)
    case removeSnapshots([Int64])
    case removeReference(String)
    case setLocation(String)
    case setProperties([String: String])
    case removeProperties([String])
    case setStatistics(StatisticsFile)
    case removeStatistics(Int64)
    case setPartitionStatistics(StatisticsFile)
    case removePartitionStatistics(Int64)
    case removeSpecs([Int])
    case removeSchemas([Int])

    /// - Throws: `BadRequestException` for an action that is not known, and for what is not of its form.
    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        let action = try fields.string("action")
        func only(_ keys: Set<String>) throws(IcebergError) { try fields.only(keys.union(["action"])) }
        switch action {
        case "assign-uuid":
            try only(["uuid"])
            let uuid = try fields.string("uuid")
            guard UUIDText.isValid(uuid) else { throw .bad(fields.at("uuid"), "\(uuid.prefix(100)) is none") }
            self = .assignUUID(uuid.lowercased())
        case "upgrade-format-version":
            try only(["format-version"])
            self = .upgradeVersion(try fields.int("format-version"))
        case "add-schema":
            try only(["schema", "last-column-id"])
            self = .addSchema(
                try TableSchema(fields["schema"], fields.at("schema")),
                lastColumnID: try fields.optionalInt("last-column-id"))
        case "set-current-schema":
            try only(["schema-id"])
            self = .setCurrentSchema(try fields.int("schema-id"))
        case "add-spec":
            try only(["spec"])
            self = .addSpec(try PartitionSpec(fields["spec"], fields.at("spec")))
        case "set-default-spec":
            try only(["spec-id"])
            self = .setDefaultSpec(try fields.int("spec-id"))
        case "add-sort-order":
            try only(["sort-order"])
            self = .addSortOrder(try SortOrder(fields["sort-order"], fields.at("sort-order")))
        case "set-default-sort-order":
            try only(["sort-order-id"])
            self = .setDefaultSortOrder(try fields.int("sort-order-id"))
        case "add-snapshot":
            try only(["snapshot"])
            self = .addSnapshot(try Snapshot(fields["snapshot"], fields.at("snapshot")))
        case "set-snapshot-ref":
            try only(SnapshotReference.fieldNames.union(["ref-name"]))
            let name = try fields.string("ref-name")
            guard (1...IcebergLimits.fieldName).contains(name.utf8.count) else {
                throw .bad(fields.at("ref-name"), "must have 1 to \(IcebergLimits.fieldName) bytes")
            }
            self = .setReference(name, try SnapshotReference(fields))
        default: self = try Self.second(action, fields)
        }
    }

    private static func second(_ action: String, _ fields: JSONFields) throws(IcebergError) -> TableUpdate {
        func only(_ keys: Set<String>) throws(IcebergError) { try fields.only(keys.union(["action"])) }
        func required(_ key: String) throws(IcebergError) {
            try only([key])
            guard fields.has(key) else { throw .bad(fields.path, "\(key) is missing") }
        }
        switch action {
        case "remove-snapshots":
            try required("snapshot-ids")
            return .removeSnapshots(try fields.longs("snapshot-ids"))
        case "remove-snapshot-ref":
            try only(["ref-name"])
            return .removeReference(try fields.string("ref-name"))
        case "set-location":
            try only(["location"])
            return .setLocation(try fields.string("location"))
        case "set-properties":
            // `updated` is what clients of the first days sent.
            try only(["updates", "updated"])
            guard fields.has("updates") || fields.has("updated") else { throw .bad(fields.path, "updates is missing") }
            return .setProperties(try fields.texts(fields.has("updates") ? "updates" : "updated"))
        case "remove-properties":
            try only(["removals", "removed"])
            guard fields.has("removals") || fields.has("removed") else {
                throw .bad(fields.path, "removals is missing")
            }
            return .removeProperties(try fields.strings(fields.has("removals") ? "removals" : "removed"))
        case "set-statistics":
            try only(["statistics", "snapshot-id"])
            let file = try StatisticsFile(fields["statistics"], fields.at("statistics"), isOfPartitions: false)
            if let id = try fields.optionalLong("snapshot-id"), id != file.snapshotID {
                throw .bad(fields.path, "snapshot-id is not that of the statistics")
            }
            return .setStatistics(file)
        case "remove-statistics":
            try only(["snapshot-id"])
            return .removeStatistics(try fields.long("snapshot-id"))
        case "set-partition-statistics":
            try only(["partition-statistics"])
            return .setPartitionStatistics(
                try StatisticsFile(
                    fields["partition-statistics"], fields.at("partition-statistics"), isOfPartitions: true))
        case "remove-partition-statistics":
            try only(["snapshot-id"])
            return .removePartitionStatistics(try fields.long("snapshot-id"))
        case "remove-partition-specs":
            try required("spec-ids")
            return .removeSpecs(try fields.ints("spec-ids"))
        case "remove-schemas":
            try required("schema-ids")
            return .removeSchemas(try fields.ints("schema-ids"))
        default: throw .bad(fields.path, "the update \(action.prefix(100)) is not known to this catalog")
        }
    }
}
