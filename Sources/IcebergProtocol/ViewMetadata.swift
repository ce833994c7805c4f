// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a view's versions say (view specification, "Versions").
package struct ViewVersion: Sendable, Hashable {
    /// The view in one dialect of SQL.
    package struct Representation: Sendable, Hashable {
        package var sql: String
        package var dialect: String
    }

    package var id: Int
    package var schemaID: Int
    /// Milliseconds since 1970.
    package var timestamp: Int64
    package var summary: [String: String]
    package var representations: [Representation]
    package var defaultCatalog: String?
    package var defaultNamespace: [String]

    /// Bytes of a view's text in one dialect at most.
    private static let maximumSQL = 1 << 20

    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        try fields.only([
            "version-id", "schema-id", "timestamp-ms", "summary", "representations", "default-catalog",
            "default-namespace",
        ])
        id = try fields.int("version-id")
        schemaID = try fields.int("schema-id")
        timestamp = try fields.long("timestamp-ms")
        summary = try fields.texts("summary")
        defaultCatalog = try fields.optionalString("default-catalog")
        defaultNamespace = try fields.strings("default-namespace")
        representations = try fields.each("representations", limit: 100) { value, path throws(IcebergError) in
            let fields = try JSONFields(value, path)
            try fields.only(["type", "sql", "dialect"])
            guard try fields.string("type") == "sql" else { throw .bad(fields.at("type"), "must be sql") }
            let found = Representation(sql: try fields.string("sql"), dialect: try fields.string("dialect"))
            guard found.sql.utf8.count <= Self.maximumSQL, found.dialect.utf8.count <= IcebergLimits.name else {
                throw .bad(path, "sql has at most \(Self.maximumSQL) bytes, dialect \(IcebergLimits.name)")
            }
            return found
        }
        guard !representations.isEmpty else { throw .bad(fields.at("representations"), "has no SQL") }
        guard Set(representations.map { $0.dialect.lowercased() }).count == representations.count else {
            throw .bad(fields.at("representations"), "a dialect is there twice: give one SQL for each")
        }
    }

    package var json: JSONValue {
        var json: JSONValue = [
            "version-id": JSONValue(id), "schema-id": JSONValue(schemaID), "timestamp-ms": .int(timestamp),
            "summary": JSONValue(summary), "default-namespace": JSONValue(defaultNamespace),
            "representations": .array(
                representations.map { ["type": "sql", "sql": .string($0.sql), "dialect": .string($0.dialect)] }),
        ]
        if let defaultCatalog { json["default-catalog"] = .string(defaultCatalog) }
        return json
    }

    /// Whether it says the same, whatever its number and time.
    func isSame(as other: ViewVersion) -> Bool {
        var other = other
        (other.id, other.timestamp) = (id, timestamp)
        return self == other
    }
}

/// A view as its file of metadata has it (view specification, "View Metadata").
package struct ViewMetadata: Sendable, Hashable {
    /// Which version was current from when on.
    package struct LogEntry: Sendable, Hashable {
        package var timestamp: Int64
        package var version: Int
    }

    package var uuid: String
    package var location: String
    package var schemas: [TableSchema]
    package var currentVersionID: Int
    package var versions: [ViewVersion]
    package var log: [LogEntry]
    package var properties: [String: String]

    package init(uuid: String, location: String, properties: [String: String]) {
        self.uuid = uuid
        self.location = location
        self.properties = properties
        schemas = []
        currentVersionID = 0
        versions = []
        log = []
    }

    /// Reads a file of metadata.
    package init(_ value: JSONValue) throws(IcebergError) {
        let fields = try JSONFields(value, "")
        try fields.only([
            "view-uuid", "format-version", "location", "schemas", "current-version-id", "versions", "version-log",
            "properties",
        ])
        guard try fields.int("format-version") == 1 else {
            throw IcebergError(.unsupported, "format-version of a view must be 1")
        }
        uuid = try fields.string("view-uuid")
        location = try fields.string("location")
        schemas = try fields.each("schemas", TableSchema.init)
        currentVersionID = try fields.int("current-version-id")
        versions = try fields.each("versions", ViewVersion.init)
        log = try fields.each("version-log") { value, path throws(IcebergError) in
            let fields = try JSONFields(value, path)
            return LogEntry(timestamp: try fields.long("timestamp-ms"), version: try fields.int("version-id"))
        }
        properties = try fields.texts("properties")
    }

    package var json: JSONValue {
        [
            "view-uuid": .string(uuid), "format-version": 1, "location": .string(location),
            "schemas": .array(schemas.map(\.json)), "current-version-id": JSONValue(currentVersionID),
            "versions": .array(versions.map(\.json)),
            "version-log": .array(
                log.map { ["timestamp-ms": .int($0.timestamp), "version-id": JSONValue($0.version)] }),
            "properties": JSONValue(properties),
        ]
    }
}
