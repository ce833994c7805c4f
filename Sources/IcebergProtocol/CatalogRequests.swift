// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// `CreateNamespaceRequest`.
package struct CreateNamespaceRequest: Sendable, Hashable {
    package let name: NamespaceName
    package let properties: [String: String]

    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        try fields.only(["namespace", "properties"])
        name = try NamespaceName(fields["namespace"], "namespace")
        properties = try fields.texts("properties")
    }
}

/// `UpdateNamespacePropertiesRequest`.
package struct UpdateNamespaceRequest: Sendable, Hashable {
    package let removals: [String]
    package let updates: [String: String]

    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        try fields.only(["removals", "updates"])
        removals = try fields.strings("removals")
        updates = try fields.texts("updates")
        if let both = removals.first(where: { updates[$0] != nil }) {
            throw IcebergError(.unprocessable, "\(both.prefix(100)) is in removals and in updates: which is meant?")
        }
    }

    /// What becomes of properties, and `UpdateNamespacePropertiesResponse`.
    package func apply(
        _ properties: [String: String]
    ) throws(IcebergError) -> (properties: [String: String], answer: JSONValue) {
        var properties = properties
        var removed: [String] = []
        var missing: [String] = []
        for name in Set(removals).sorted() {
            if properties.removeValue(forKey: name) == nil { missing.append(name) } else { removed.append(name) }
        }
        properties.merge(updates) { $1 }
        guard properties.count <= IcebergLimits.properties else {
            throw .bad("updates", "a namespace has at most \(IcebergLimits.properties) properties")
        }
        return (
            properties,
            ["updated": JSONValue(updates.keys.sorted()), "removed": JSONValue(removed), "missing": JSONValue(missing)]
        )
    }
}

/// `RenameTableRequest`.
package struct RenameTableRequest: Sendable, Hashable {
    package let source: TableName
    package let destination: TableName

    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        try fields.only(["source", "destination"])
        source = try TableName(fields["source"], "source")
        destination = try TableName(fields["destination"], "destination")
    }
}

/// `RegisterTableRequest`.
package struct RegisterTableRequest: Sendable, Hashable {
    package let name: String
    package let metadataLocation: String
    package let overwrite: Bool

    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        try fields.only(["name", "metadata-location", "overwrite"])
        name = try fields.string("name")
        metadataLocation = try fields.string("metadata-location")
        overwrite = try fields.optionalBool("overwrite") ?? false
    }
}

/// `CommitTableRequest`.
package struct CommitRequest: Sendable, Hashable {
    /// The table; nil where the path says it.
    package let table: TableName?
    package let requirements: [TableRequirement]
    package let updates: [TableUpdate]
    private let path: String

    package init(_ value: JSONValue, _ path: String = "") throws(IcebergError) {
        let fields = try JSONFields(value, path)
        try fields.only(["identifier", "requirements", "updates"])
        self.path = path
        table = fields["identifier"].isNull ? nil : try TableName(fields["identifier"], fields.at("identifier"))
        requirements = try fields.each("requirements", limit: 1000, TableRequirement.init)
        updates = try fields.each("updates", limit: 10_000, TableUpdate.init)
    }

    /// `CommitTransactionRequest`: commits of several tables that happen together.
    package static func transaction(_ value: JSONValue) throws(IcebergError) -> [CommitRequest] {
        let fields = try JSONFields(value, "")
        try fields.only(["table-changes"])
        let changes = try fields.each("table-changes", limit: 1000) { value, path throws(IcebergError) in
            try CommitRequest(value, path)
        }
        guard !changes.isEmpty else { throw .bad("table-changes", "has no change") }
        var tables: Set<TableName> = []
        for change in changes {
            guard let table = change.table else { throw .bad(change.path, "identifier is missing") }
            guard tables.insert(table).inserted else {
                throw .bad(change.path, "\(table) is there twice: give all changes of a table together")
            }
        }
        return changes
    }

    /// Whether the table is created by it.
    package var isCreation: Bool { requirements.contains(.create) }

    /// Checks what is required of a table and changes it.
    ///
    /// - Parameters:
    ///   - base: the table; nil where it is not there.
    ///   - file: its file of metadata.
    ///   - name: for errors.
    ///   - now: milliseconds since 1970.
    /// - Returns: the table as it is to be; nil where nothing changes.
    /// - Throws: `CommitFailedException` where a requirement does not hold; what is wrong with an update.
    package func apply(
        to base: TableMetadata?, file: String?, name: String, now: Int64
    ) throws(IcebergError) -> TableMetadata? {
        for requirement in requirements { try requirement.check(base, name) }
        guard base != nil || isCreation else {
            throw IcebergError(.noSuchTable, "the table \(name) is not there")
        }
        var builder = TableBuilder(base, now: now)
        for (index, update) in updates.enumerated() {
            try builder.apply(update, "\(path.isEmpty ? "" : path + ".")updates[\(index)]")
        }
        return try builder.build(previous: file)
    }
}

/// `CreateTableRequest`.
package struct CreateTableRequest: Sendable, Hashable {
    package let name: String
    package let location: String?
    package let schema: TableSchema
    package let spec: PartitionSpec?
    package let order: SortOrder?
    /// Whether the table is only prepared: a commit creates it.
    package let isStaged: Bool
    package let properties: [String: String]

    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        try fields.only(["name", "location", "schema", "partition-spec", "write-order", "stage-create", "properties"])
        name = try fields.string("name")
        location = try fields.optionalString("location")
        schema = try TableSchema(fields["schema"], "schema")
        spec = fields["partition-spec"].isNull ? nil : try PartitionSpec(fields["partition-spec"], "partition-spec")
        order = fields["write-order"].isNull ? nil : try SortOrder(fields["write-order"], "write-order")
        isStaged = try fields.optionalBool("stage-create") ?? false
        properties = try fields.texts("properties")
    }

    /// The new table: its columns have ids from 1, whatever ids the request had.
    ///
    /// - Parameters:
    ///   - uuid: of the table.
    ///   - location: where it is.
    ///   - now: milliseconds since 1970.
    /// - Returns: the table's metadata.
    /// - Throws: where the parts do not fit each other.
    package func metadata(uuid: String, location: String, now: Int64) throws(IcebergError) -> TableMetadata {
        var builder = TableBuilder(nil, now: now)
        var properties = properties
        var version = 2
        if let text = properties.removeValue(forKey: "format-version") {
            guard let number = Int(text) else { throw .bad("properties", "format-version must be a number") }
            version = number
        }
        let (fresh, ids) = schema.renumbered()
        var spec = spec ?? PartitionSpec()
        for index in spec.fields.indices {
            let field = spec.fields[index]
            guard let id = ids[field.sourceID] else {
                throw .bad("partition-spec.fields[\(index)]", "there is no column \(field.sourceID)")
            }
            spec.fields[index].sourceID = id
            spec.fields[index].fieldID = PartitionSpec.firstFieldID + index
        }
        var order = order ?? .unsorted
        for index in order.fields.indices {
            let field = order.fields[index]
            guard let id = ids[field.sourceID] else {
                throw .bad("write-order.fields[\(index)]", "there is no column \(field.sourceID)")
            }
            order.fields[index].sourceID = id
        }
        try builder.apply(.assignUUID(uuid), "table-uuid")
        try builder.apply(.upgradeVersion(version), "format-version")
        try builder.apply(.addSchema(fresh, lastColumnID: nil), "schema")
        try builder.apply(.setCurrentSchema(-1), "schema")
        try builder.apply(.addSpec(spec), "partition-spec")
        try builder.apply(.setDefaultSpec(-1), "partition-spec")
        try builder.apply(.addSortOrder(order), "write-order")
        try builder.apply(.setDefaultSortOrder(-1), "write-order")
        try builder.apply(.setLocation(location), "location")
        try builder.apply(.setProperties(properties), "properties")
        guard let metadata = try builder.build(previous: nil) else {
            throw IcebergError(.internalError, "a new table came out as no table")
        }
        return metadata
    }
}
