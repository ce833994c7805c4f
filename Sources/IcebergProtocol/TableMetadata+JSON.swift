// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension TableMetadata {
    private static let known: Set<String> = [
        "format-version", "table-uuid", "location", "last-updated-ms", "properties", "schema", "schemas",
        "current-schema-id", "last-column-id", "partition-spec", "partition-specs", "default-spec-id",
        "last-partition-id", "sort-orders", "default-sort-order-id", "snapshots", "refs", "current-snapshot-id",
        "last-sequence-number", "snapshot-log", "metadata-log", "statistics", "partition-statistics", "next-row-id",
        "encryption-keys",
    ]

    /// A file of metadata, of any program.
    ///
    /// - Throws: where it is none, has a version or a part that this catalog does not know, or contradicts itself.
    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        version = try fields.int("format-version")
        guard (1...Self.newestVersion).contains(version) else {
            throw IcebergError(
                .unsupported, "format version \(version) is not one of this catalog: 1 to \(Self.newestVersion) are")
        }
        try fields.only(Self.known)
        guard try fields.array("encryption-keys").isEmpty else {
            throw IcebergError(.unsupported, "tables with encryption-keys are not kept by this catalog")
        }
        let isFirst = version == 1
        uuid = try isFirst ? fields.optionalString("table-uuid") ?? RandomID.uuid() : fields.string("table-uuid")
        location = try fields.string("location")
        lastUpdated = try fields.long("last-updated-ms")
        properties = try fields.texts("properties")
        lastColumnID = try fields.int("last-column-id")

        schemas = try fields.each("schemas", TableSchema.init)
        if isFirst, schemas.isEmpty {
            let only = try TableSchema(fields["schema"], "schema")
            schemas = [only]
            currentSchemaID = only.id
        } else {
            currentSchemaID = try fields.int("current-schema-id")
        }

        specs = try fields.each("partition-specs", PartitionSpec.init)
        if isFirst, specs.isEmpty {
            let parts = try fields.each("partition-spec", limit: 1000, PartitionField.init)
            specs = [PartitionSpec(id: 0, fields: parts)]
        }
        defaultSpecID = try isFirst ? fields.optionalInt("default-spec-id") ?? 0 : fields.int("default-spec-id")
        for spec in specs.indices {
            for field in specs[spec].fields.indices where specs[spec].fields[field].fieldID == nil {
                guard isFirst else { throw .bad("partition-specs[\(spec)].fields[\(field)]", "field-id is missing") }
                specs[spec].fields[field].fieldID = PartitionSpec.firstFieldID + field
            }
        }
        let highest = specs.flatMap(\.fields).compactMap(\.fieldID).max() ?? PartitionSpec.firstFieldID - 1
        lastPartitionID =
            try isFirst ? fields.optionalInt("last-partition-id") ?? highest : fields.int("last-partition-id")

        sortOrders = try fields.each("sort-orders", SortOrder.init)
        if isFirst, sortOrders.isEmpty { sortOrders = [.unsorted] }
        defaultSortOrderID =
            try isFirst ? fields.optionalInt("default-sort-order-id") ?? 0 : fields.int("default-sort-order-id")

        snapshots = try fields.each("snapshots", Snapshot.init)
        for index in snapshots.indices {
            snapshots[index].sequenceNumber = isFirst ? nil : snapshots[index].sequenceNumber ?? 0
        }
        lastSequenceNumber = try isFirst ? 0 : fields.long("last-sequence-number")
        nextRowID = try version >= 3 ? fields.long("next-row-id") : 0
        guard lastSequenceNumber >= 0, nextRowID >= 0 else {
            throw .bad("", "last-sequence-number and next-row-id cannot be negative")
        }
        try readReferences(fields)
        snapshotLog = try fields.each("snapshot-log") { value, path throws(IcebergError) in
            let entry = try JSONFields(value, path)
            try entry.only(["timestamp-ms", "snapshot-id"])
            return SnapshotLogEntry(
                timestamp: try entry.long("timestamp-ms"), snapshotID: try entry.long("snapshot-id"))
        }
        metadataLog = try fields.each("metadata-log") { value, path throws(IcebergError) in
            let entry = try JSONFields(value, path)
            try entry.only(["timestamp-ms", "metadata-file"])
            return MetadataLogEntry(timestamp: try entry.long("timestamp-ms"), file: try entry.string("metadata-file"))
        }
        statistics = try fields.each("statistics") { value, path throws(IcebergError) in
            try StatisticsFile(value, path, isOfPartitions: false)
        }
        partitionStatistics = try fields.each("partition-statistics") { value, path throws(IcebergError) in
            try StatisticsFile(value, path, isOfPartitions: true)
        }
        try check("metadata")
        guard lastColumnID >= schemas.map(\.highestFieldID).max() ?? 0, lastPartitionID >= highest else {
            throw .bad("", "last-column-id or last-partition-id is less than an id that is in use")
        }
    }

    private mutating func readReferences(_ fields: JSONFields) throws(IcebergError) {
        if !fields["refs"].isNull {
            guard let named = fields["refs"].object, named.count <= IcebergLimits.elements else {
                throw .bad("refs", "must be an object")
            }
            for (name, value) in named {
                let reference = try JSONFields(value, "refs.\(name.prefix(100))")
                try reference.only(SnapshotReference.fieldNames)
                references[name] = try SnapshotReference(reference)
            }
        }
        let current = try fields.optionalLong("current-snapshot-id").flatMap { $0 == -1 ? nil : $0 }
        if let main = references[Self.mainBranch] {
            guard main.snapshotID == current else {
                throw .bad("", "current-snapshot-id is not the snapshot of the branch main")
            }
        } else if let current {
            references[Self.mainBranch] = SnapshotReference(branch: current)
        }
    }

    /// As it is written.
    /// - Parameter onlyReferenced: leaves out snapshots that are no branch's or tag's.
    /// - Returns: the document.
    package func json(onlyReferenced: Bool = false) -> JSONValue {
        let wanted = onlyReferenced ? Set(references.values.map(\.snapshotID)) : []
        let shown = onlyReferenced ? snapshots.filter { wanted.contains($0.id) } : snapshots
        var json: JSONValue = [
            "format-version": JSONValue(version), "table-uuid": .string(uuid), "location": .string(location),
            "last-updated-ms": .int(lastUpdated), "properties": JSONValue(properties),
            "schemas": .array(schemas.map(\.json)), "current-schema-id": JSONValue(currentSchemaID),
            "last-column-id": JSONValue(lastColumnID), "partition-specs": .array(specs.map(\.json)),
            "default-spec-id": JSONValue(defaultSpecID), "last-partition-id": JSONValue(lastPartitionID),
            "sort-orders": .array(sortOrders.map(\.json)), "default-sort-order-id": JSONValue(defaultSortOrderID),
            "snapshots": .array(shown.map { $0.json(version: version) }),
            "refs": .object(references.mapValues(\.json)),
            "snapshot-log": .array(
                snapshotLog.map { ["timestamp-ms": .int($0.timestamp), "snapshot-id": .int($0.snapshotID)] }),
            "metadata-log": .array(
                metadataLog.map { ["timestamp-ms": .int($0.timestamp), "metadata-file": .string($0.file)] }),
            "statistics": .array(statistics.map(\.json)),
            "partition-statistics": .array(partitionStatistics.map(\.json)),
        ]
        if let current = currentSnapshotID {
            json["current-snapshot-id"] = .int(current)
        } else if version < 3 {
            // Readers of the first versions look for it.
            json["current-snapshot-id"] = .int(-1)
        }
        if version > 1 { json["last-sequence-number"] = .int(lastSequenceNumber) }
        if version > 2 { json["next-row-id"] = .int(nextRowID) }
        if version == 1, let schema = currentSchema, let spec = defaultSpec {
            json["schema"] = schema.json
            json["partition-spec"] = .array(spec.fields.map(\.json))
        }
        return json
    }
}
