// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// `CreateViewRequest`.
package struct CreateViewRequest: Sendable, Hashable {
    package let name: String
    package let location: String?
    package let schema: TableSchema
    package let version: ViewVersion
    package let properties: [String: String]

    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        try fields.only(["name", "location", "schema", "view-version", "properties"])
        name = try fields.string("name")
        location = try fields.optionalString("location")
        schema = try TableSchema(fields["schema"], "schema")
        version = try ViewVersion(fields["view-version"], "view-version")
        properties = try fields.texts("properties")
    }

    /// The new view; its version has the schema that comes with it, whatever number it says. `now` is in milliseconds
    /// since 1970.
    package func metadata(uuid: String, location: String, now: Int64) throws(IcebergError) -> ViewMetadata {
        var builder = ViewBuilder(ViewMetadata(uuid: uuid, location: location, properties: properties), now: now)
        var version = version
        version.schemaID = -1
        try builder.apply(.addSchema(schema), "schema")
        try builder.apply(.addVersion(version), "view-version")
        try builder.apply(.setCurrentVersion(-1), "view-version")
        return try builder.build()
    }
}

/// `CommitViewRequest`.
package struct CommitViewRequest: Sendable, Hashable {
    /// The view; nil where the path says it.
    package let view: TableName?
    /// The uuid that the view must have.
    package let uuids: [String]
    package let updates: [ViewUpdate]

    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        try fields.only(["identifier", "requirements", "updates"])
        view = fields["identifier"].isNull ? nil : try TableName(fields["identifier"], "identifier")
        uuids = try fields.each("requirements", limit: 1000) { value, path throws(IcebergError) in
            let fields = try JSONFields(value, path)
            let type = try fields.string("type")
            guard type == "assert-view-uuid" else {
                throw .bad(path, "the requirement \(type.prefix(100)) is not known to this catalog")
            }
            return try fields.string("uuid")
        }
        updates = try fields.each("updates", limit: 10_000, ViewUpdate.init)
    }

    /// The view as it is to be; `now` is in milliseconds since 1970.
    /// - Throws: `CommitFailedException` where a requirement does not hold; what is wrong with an update.
    package func apply(to base: ViewMetadata, name: String, now: Int64) throws(IcebergError) -> ViewMetadata {
        for uuid in uuids where uuid.lowercased() != base.uuid.lowercased() {
            throw IcebergError(
                .commitFailed, "\(name): its uuid was expected to be \(uuid), and is \(base.uuid): load it again")
        }
        var builder = ViewBuilder(base, now: now)
        for (index, update) in updates.enumerated() { try builder.apply(update, "updates[\(index)]") }
        return try builder.build()
    }
}

/// `ViewUpdate`.
package enum ViewUpdate: Sendable, Hashable {
    case assignUUID(String)
    case upgradeVersion(Int)
    case addSchema(TableSchema)
    case setLocation(String)
    case setProperties([String: String])
    case removeProperties([String])
    case addVersion(ViewVersion)
    /// -1: the one that was added last.
    case setCurrentVersion(Int)

    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        switch try fields.string("action") {
        case "assign-uuid": self = .assignUUID(try fields.string("uuid"))
        case "upgrade-format-version": self = .upgradeVersion(try fields.int("format-version"))
        case "add-schema": self = .addSchema(try TableSchema(fields["schema"], fields.at("schema")))
        case "set-location": self = .setLocation(try fields.string("location"))
        case "set-properties": self = .setProperties(try fields.texts("updates"))
        case "remove-properties": self = .removeProperties(try fields.strings("removals"))
        case "add-view-version":
            self = .addVersion(try ViewVersion(fields["view-version"], fields.at("view-version")))
        case "set-current-view-version": self = .setCurrentVersion(try fields.int("view-version-id"))
        case let name: throw .bad(path, "the update \(name.prefix(100)) of a view is not known to this catalog")
        }
    }
}

/// Changes a view, update by update.
struct ViewBuilder {
    /// Versions that are kept, where the property does not say (view specification, `version.history.num-entries`).
    private static let history = 10
    private static let maximumSchemas = 1000
    private var view: ViewMetadata
    private let now: Int64
    private var addedSchema: Int?
    private var addedVersion: Int?

    init(_ view: ViewMetadata, now: Int64) {
        self.view = view
        self.now = now
    }

    mutating func apply(_ update: ViewUpdate, _ path: String) throws(IcebergError) {
        switch update {
        case .assignUUID(let uuid):
            guard uuid.lowercased() == view.uuid.lowercased() else { throw .bad(path, "a view's uuid stays") }
        case .upgradeVersion(let version):
            guard version == 1 else { throw IcebergError(.unsupported, "\(path): views have format version 1") }
        case .addSchema(let schema): try add(schema, path)
        case .setLocation(let location): view.location = location
        case .setProperties(let properties):
            view.properties.merge(properties) { $1 }
            guard view.properties.count <= IcebergLimits.properties else {
                throw .bad(path, "a view has at most \(IcebergLimits.properties) properties")
            }
        case .removeProperties(let names): for name in names { view.properties[name] = nil }
        case .addVersion(let version): try add(version, path)
        case .setCurrentVersion(let id): try setCurrent(id, path)
        }
    }

    private mutating func add(_ schema: TableSchema, _ path: String) throws(IcebergError) {
        if let same = view.schemas.first(where: { $0.isSame(as: schema) }) {
            addedSchema = same.id
            return
        }
        guard view.schemas.count < Self.maximumSchemas else {
            throw .bad(path, "a view has at most \(Self.maximumSchemas) schemas")
        }
        var schema = schema
        schema.id = (view.schemas.map(\.id).max() ?? -1) + 1
        view.schemas.append(schema)
        addedSchema = schema.id
    }

    private mutating func add(_ version: ViewVersion, _ path: String) throws(IcebergError) {
        var version = version
        if version.schemaID == -1 {
            guard let addedSchema else { throw .bad(path, "schema-id is -1, and no schema was added") }
            version.schemaID = addedSchema
        }
        guard view.schemas.contains(where: { $0.id == version.schemaID }) else {
            throw .bad(path, "there is no schema \(version.schemaID)")
        }
        if let same = view.versions.first(where: { $0.isSame(as: version) }) {
            addedVersion = same.id
            return
        }
        version.id = (view.versions.map(\.id).max() ?? 0) + 1
        view.versions.append(version)
        addedVersion = version.id
    }

    private mutating func setCurrent(_ id: Int, _ path: String) throws(IcebergError) {
        guard let wanted = id == -1 ? addedVersion : id else {
            throw .bad(path, "view-version-id is -1, and no version was added")
        }
        guard let version = view.versions.first(where: { $0.id == wanted }) else {
            throw .bad(path, "there is no version \(wanted)")
        }
        if view.currentVersionID == wanted { return }
        view.currentVersionID = wanted
        // A version that is taken up again was made long before.
        let isNew = wanted == addedVersion && !view.log.contains { $0.version == wanted }
        view.log.append(ViewMetadata.LogEntry(timestamp: isNew ? version.timestamp : now, version: wanted))
    }

    /// The view without the versions that are too many.
    func build() throws(IcebergError) -> ViewMetadata {
        var view = view
        guard view.versions.contains(where: { $0.id == view.currentVersionID }) else {
            throw .bad("updates", "the view has no current version")
        }
        let text = view.properties["version.history.num-entries"]
        let most = text.map { Int($0) ?? 0 } ?? Self.history
        guard (1...10_000).contains(most) else {
            throw .bad("properties", "version.history.num-entries must be 1 to 10000")
        }
        var kept: Set = [view.currentVersionID]
        for version in view.versions.sorted(by: { $0.id > $1.id }) where kept.count < most { kept.insert(version.id) }
        view.versions.removeAll { !kept.contains($0.id) }
        // What is before an entry whose version is gone tells no whole story.
        if let gap = view.log.lastIndex(where: { !kept.contains($0.version) }) { view.log.removeFirst(gap + 1) }
        return view
    }
}
