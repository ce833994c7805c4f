// SPDX-License-Identifier: Apache-2.0

/// Applies updates to a table's metadata, in their order. Pure.
///
/// What one update says may be undone by a later one, so that most is checked at the end.
package struct TableBuilder: Sendable {
    /// Milliseconds since 1970.
    let now: Int64
    private let base: TableMetadata?
    private var isAssigned = (version: false, uuid: false, location: false, schema: false, spec: false, order: false)
    var state: TableMetadata
    private var lastAddedSchema: Int?
    var lastAddedSpec: Int?
    private var lastAddedOrder: Int?
    /// Snapshots of this change, and those of them that were current for a while.
    var addedSnapshots: Set<Int64> = []
    var passedSnapshots: Set<Int64> = []
    var removedSnapshots: Set<Int64> = []
    var isDated = false
    /// Ids of the snapshots in `state`.
    var snapshotIDs: Set<Int64>

    private struct PartitionKey: Hashable, Sendable {
        var sourceID: Int
        var transform: Transform
    }

    /// Ids of partition fields, by how they are made; nil while nobody asked.
    private var partitionFields: [PartitionKey: Int]?

    /// - Parameters:
    ///   - base: the table; nil for one that is created.
    ///   - now: milliseconds since 1970.
    package init(_ base: TableMetadata?, now: Int64) {
        self.base = base
        self.now = now
        snapshotIDs = Set(base?.snapshots.map(\.id) ?? [])
        state =
            base
            ?? TableMetadata(
                version: 2, uuid: "", location: "", lastUpdated: now, schemas: [], currentSchemaID: -1, lastColumnID: 0,
                specs: [], defaultSpecID: -1, lastPartitionID: PartitionSpec.firstFieldID - 1, sortOrders: [],
                defaultSortOrderID: -1)
    }

    /// Makes one change.
    /// - Parameters:
    ///   - update: the change.
    ///   - path: where it is in the request, for errors.
    /// - Throws: where it cannot be made.
    package mutating func apply(_ update: TableUpdate, _ path: String) throws(IcebergError) {
        switch update {
        case .assignUUID(let uuid):
            guard base == nil || state.uuid.lowercased() == uuid else {
                throw IcebergError(.validation, "\(path): a table keeps its uuid \(state.uuid)")
            }
            state.uuid = uuid
            isAssigned.uuid = true
        case .upgradeVersion(let version): try upgrade(version, path)
        case .addSchema(let schema, let lastColumnID): try add(schema, lastColumnID, path)
        case .setCurrentSchema(let id):
            let chosen = try wanted(id, lastAddedSchema, "schema", path)
            guard state.schemas.contains(where: { $0.id == chosen }) else { throw absent("schema", chosen, path) }
            state.currentSchemaID = chosen
            isAssigned.schema = true
        case .addSpec(let spec): try add(spec, path)
        case .setDefaultSpec(let id):
            let chosen = try wanted(id, lastAddedSpec, "partition spec", path)
            guard state.specs.contains(where: { $0.id == chosen }) else {
                throw absent("partition spec", chosen, path)
            }
            state.defaultSpecID = chosen
            isAssigned.spec = true
        case .addSortOrder(let order): try add(order, path)
        case .setDefaultSortOrder(let id):
            let chosen = try wanted(id, lastAddedOrder, "sort order", path)
            guard state.sortOrders.contains(where: { $0.id == chosen }) else {
                throw absent("sort order", chosen, path)
            }
            state.defaultSortOrderID = chosen
            isAssigned.order = true
        case .removeSpecs(let ids):
            guard !ids.contains(state.defaultSpecID) else {
                throw IcebergError(.validation, "\(path): the default partition spec \(state.defaultSpecID) stays")
            }
            state.specs.removeAll { ids.contains($0.id) }
        case .removeSchemas(let ids):
            guard !ids.contains(state.currentSchemaID) else {
                throw IcebergError(.validation, "\(path): the current schema \(state.currentSchemaID) stays")
            }
            state.schemas.removeAll { ids.contains($0.id) }
        case .setLocation(let location):
            state.location = TableMetadata.withoutSlash(location)
            isAssigned.location = true
        case .setProperties(let properties):
            try Self.check(properties, path)
            state.properties.merge(properties) { $1 }
            guard state.properties.count <= IcebergLimits.properties else {
                throw .bad(path, "a table has at most \(IcebergLimits.properties) properties")
            }
        case .removeProperties(let names): for name in names { state.properties[name] = nil }
        case .addSnapshot, .setReference, .removeSnapshots, .removeReference, .setStatistics, .removeStatistics,
            .setPartitionStatistics, .removePartitionStatistics:
            try applyToSnapshots(update, path)
        }
    }

    private func wanted(_ id: Int, _ added: Int?, _ what: String, _ path: String) throws(IcebergError) -> Int {
        guard id == -1 else { return id }
        guard let added else { throw .bad(path, "-1 is the \(what) that was added last, and none was added") }
        return added
    }

    private func absent(_ what: String, _ id: Int, _ path: String) -> IcebergError {
        IcebergError(.validation, "\(path): there is no \(what) \(id)")
    }

    /// Properties that say what the catalog itself decides, or ask for what it does not do.
    static func check(_ properties: [String: String], _ path: String) throws(IcebergError) {
        if properties["format-version"] != nil {
            throw .bad(path, "format-version is no property: use the update upgrade-format-version")
        }
        if let codec = properties["write.metadata.compression-codec"], codec.lowercased() != "none" {
            throw IcebergError(
                .unsupported, "\(path): write.metadata.compression-codec can only be none, not \(codec.prefix(100))")
        }
        if let most = properties["write.metadata.previous-versions-max"], Int(most) ?? 0 < 1 {
            throw .bad(path, "write.metadata.previous-versions-max must be a number from 1")
        }
    }

    private mutating func upgrade(_ version: Int, _ path: String) throws(IcebergError) {
        guard (1...TableMetadata.newestVersion).contains(version) else {
            throw IcebergError(
                .unsupported,
                "\(path): format version \(version) is not one of this catalog: 1 to \(TableMetadata.newestVersion) are"
            )
        }
        guard base == nil || version >= state.version else {
            throw IcebergError(
                .validation, "\(path): the table has format version \(state.version) and cannot go back to \(version)")
        }
        state.version = version
        isAssigned.version = true
    }

    // MARK: Schemas, specs, orders

    private mutating func add(_ schema: TableSchema, _ lastColumnID: Int?, _ path: String) throws(IcebergError) {
        let highest = schema.highestFieldID
        if let lastColumnID, lastColumnID < state.lastColumnID {
            throw IcebergError(
                .validation,
                "\(path): last-column-id \(lastColumnID) is less than the table's \(state.lastColumnID)")
        }
        state.lastColumnID = max(state.lastColumnID, highest, lastColumnID ?? 0)
        if let same = state.schemas.first(where: { $0.isSame(as: schema) }) {
            lastAddedSchema = same.id
            return
        }
        var schema = schema
        schema.id = (state.schemas.map(\.id).max() ?? -1) + 1
        state.schemas.append(schema)
        lastAddedSchema = schema.id
    }

    private mutating func add(_ spec: PartitionSpec, _ path: String) throws(IcebergError) {
        if let same = state.specs.first(where: { $0.isSame(as: spec) }) {
            lastAddedSpec = same.id
            return
        }
        var spec = spec
        var known = state.version == 1 ? [:] : partitionFields ?? Self.index(state.specs)
        var taken = Set(spec.fields.compactMap(\.fieldID))
        var highest = max(state.lastPartitionID, taken.max() ?? 0)
        for index in spec.fields.indices where spec.fields[index].fieldID == nil {
            let field = spec.fields[index]
            // What is made in the same way has the same id in all specs (table specification, "Partition Evolution").
            if let id = known[PartitionKey(sourceID: field.sourceID, transform: field.transform)], !taken.contains(id) {
                spec.fields[index].fieldID = id
                taken.insert(id)
            } else {
                highest += 1
                spec.fields[index].fieldID = highest
            }
        }
        if state.version == 1 {
            for (index, field) in spec.fields.enumerated() where field.fieldID != PartitionSpec.firstFieldID + index {
                throw IcebergError(
                    .validation, "\(path): partition fields of format version 1 are numbered from 1000 without gaps")
            }
        }
        for field in spec.fields {
            guard let id = field.fieldID, (1...2_000_000_000).contains(id) else {
                throw .bad(path, "the partition field \(field.name) needs a field-id from 1 to 2000000000")
            }
            state.lastPartitionID = max(state.lastPartitionID, id)
            let key = PartitionKey(sourceID: field.sourceID, transform: field.transform)
            known[key] = known[key] ?? id
        }
        partitionFields = known
        spec.id = (state.specs.map(\.id).max() ?? -1) + 1
        state.specs.append(spec)
        lastAddedSpec = spec.id
    }

    private static func index(_ specs: [PartitionSpec]) -> [PartitionKey: Int] {
        var ids: [PartitionKey: Int] = [:]
        for field in specs.lazy.flatMap(\.fields) {
            let key = PartitionKey(sourceID: field.sourceID, transform: field.transform)
            if ids[key] == nil { ids[key] = field.fieldID }
        }
        return ids
    }

    private mutating func add(_ order: SortOrder, _ path: String) throws(IcebergError) {
        if let same = state.sortOrders.first(where: { $0.fields == order.fields }) {
            lastAddedOrder = same.id
            return
        }
        var order = order
        // Number 0 is for tables that are not sorted.
        order.id = order.fields.isEmpty ? 0 : max((state.sortOrders.map(\.id).max() ?? 0) + 1, 1)
        state.sortOrders.append(order)
        lastAddedOrder = order.id
    }

    // MARK: The end

    /// The table with all changes, checked as a whole.
    ///
    /// - Parameter previous: the file of metadata that it follows on; nil for a new table.
    /// - Returns: nil where nothing changed.
    /// - Throws: where the table contradicts itself.
    package func build(previous: String?) throws(IcebergError) -> TableMetadata? {
        if base == nil {
            for (isThere, what) in [
                (isAssigned.uuid, "assign-uuid"), (isAssigned.schema, "set-current-schema"),
                (isAssigned.location, "set-location"),
            ] where !isThere {
                throw IcebergError(.validation, "a new table needs the update \(what)")
            }
        }
        var result = state
        if base == nil {
            if !isAssigned.spec, let first = result.specs.first { result.defaultSpecID = first.id }
            if result.specs.isEmpty {
                result.specs = [PartitionSpec()]
                result.defaultSpecID = 0
            }
            if !isAssigned.order {
                if !result.sortOrders.contains(where: { $0.id == 0 }) { result.sortOrders.insert(.unsorted, at: 0) }
                result.defaultSortOrderID = 0
            }
        }
        finishSnapshotLog(&result)
        if let base, result == base { return nil }
        try result.check("the table")
        if let schema = result.currentSchema {
            let old = Set(base?.specs.map(\.id) ?? [])
            for spec in result.specs where !old.contains(spec.id) {
                try spec.checkNew(schema, "partition spec \(spec.id)")
            }
            let sorted = Set(base?.sortOrders.map(\.id) ?? [])
            for order in result.sortOrders where !sorted.contains(order.id) {
                try order.check(schema, "sort order \(order.id)")
            }
        }
        if base == nil || !isDated { result.lastUpdated = max(now, base?.lastUpdated ?? 0) }
        if let base, let previous {
            result.metadataLog.append(.init(timestamp: base.lastUpdated, file: previous))
            let surplus = result.metadataLog.count - result.keptPrevious
            if surplus > 0 { result.metadataLog.removeFirst(surplus) }
        }
        return result
    }
}
