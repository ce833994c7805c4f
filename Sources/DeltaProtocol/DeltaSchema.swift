// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A column's type (protocol, "Schema Serialization Format").
package indirect enum DeltaType: Sendable, Equatable {
    case string, long, integer, short, byte, float, double, boolean, binary, date, timestamp, timestampNtz
    case decimal(precision: Int, scale: Int)
    case structure([DeltaField])
    case array(element: DeltaType, containsNull: Bool)
    case map(key: DeltaType, value: DeltaType, valueContainsNull: Bool)

    private static let names: [String: DeltaType] = [
        "string": .string, "long": .long, "integer": .integer, "short": .short, "byte": .byte, "float": .float,
        "double": .double, "boolean": .boolean, "binary": .binary, "date": .date, "timestamp": .timestamp,
        "timestamp_ntz": .timestampNtz,
    ]

    /// Whether rows can be ordered by it and it has no parts.
    package var isPrimitive: Bool {
        switch self {
        case .structure, .array, .map: false
        default: true
        }
    }

    /// The deepest nesting of types.
    static let maximumDepth = 50

    init(json: JSONValue, at path: String, depth: Int = 0) throws(DeltaError) {
        guard depth <= Self.maximumDepth else {
            throw DeltaError(.tooLarge, "the schema is nested deeper than \(Self.maximumDepth) levels at \(path)")
        }
        if let name = json.string {
            self = try Self.primitive(name, at: path)
            return
        }
        switch json["type"].string {
        case "struct":
            self = .structure(try DeltaField.list(json["fields"], at: path, depth: depth + 1))
        case "array":
            self = .array(
                element: try DeltaType(json: json["elementType"], at: path + ".element", depth: depth + 1),
                containsNull: json["containsNull"].bool ?? true)
        case "map":
            self = .map(
                key: try DeltaType(json: json["keyType"], at: path + ".key", depth: depth + 1),
                value: try DeltaType(json: json["valueType"], at: path + ".value", depth: depth + 1),
                valueContainsNull: json["valueContainsNull"].bool ?? true)
        case let other:
            throw DeltaError(.corruptLog, "column \(path) has the type \(other ?? json.typeName)")
        }
    }

    private static func primitive(_ name: String, at path: String) throws(DeltaError) -> DeltaType {
        if let type = names[name] { return type }
        if name.hasPrefix("decimal"), let type = decimal(name) { return type }
        throw DeltaError(
            .unsupportedReaderFeature, "column \(path) has the type \"\(name.prefix(64))\", which is not known here")
    }

    private static func decimal(_ name: String) -> DeltaType? {
        if name == "decimal" { return .decimal(precision: 10, scale: 0) }
        guard name.hasPrefix("decimal("), name.hasSuffix(")") else { return nil }
        let parts = name.dropFirst(8).dropLast().split(separator: ",", omittingEmptySubsequences: false).map { part in
            Int(String(part.drop { $0 == " " }))
        }
        guard parts.count == 2, let precision = parts[0], let scale = parts[1], (1...38).contains(precision),
            (0...precision).contains(scale)
        else { return nil }
        return .decimal(precision: precision, scale: scale)
    }

    package var json: JSONValue {
        switch self {
        case .decimal(let precision, let scale): return .string("decimal(\(precision),\(scale))")
        case .structure(let fields): return ["type": "struct", "fields": .array(fields.map(\.json))]
        case .array(let element, let containsNull):
            return ["type": "array", "elementType": element.json, "containsNull": .bool(containsNull)]
        case .map(let key, let value, let containsNull):
            return [
                "type": "map", "keyType": key.json, "valueType": value.json, "valueContainsNull": .bool(containsNull),
            ]
        default: return .string(Self.names.first { $0.value == self }?.key ?? "")
        }
    }

    /// The type's name in SQL as DuckDB has it. `names` gives a struct's members their names in files.
    package func sql(_ names: (DeltaField) -> String = \.name) -> String {
        switch self {
        case .string: "VARCHAR"
        case .long: "BIGINT"
        case .integer: "INTEGER"
        case .short: "SMALLINT"
        case .byte: "TINYINT"
        case .float: "FLOAT"
        case .double: "DOUBLE"
        case .boolean: "BOOLEAN"
        case .binary: "BLOB"
        case .date: "DATE"
        case .timestamp: "TIMESTAMPTZ"
        case .timestampNtz: "TIMESTAMP"
        case .decimal(let precision, let scale): "DECIMAL(\(precision),\(scale))"
        case .structure(let fields):
            "STRUCT(" + fields.map { "\(SQLText.name(names($0))) \($0.type.sql(names))" }.joined(separator: ", ") + ")"
        case .array(let element, _): element.sql(names) + "[]"
        case .map(let key, let value, _): "MAP(\(key.sql(names)), \(value.sql(names)))"
        }
    }

    /// Every field in it, with those in its parts.
    package var allFields: [DeltaField] {
        switch self {
        case .structure(let fields): fields.flatMap { [$0] + $0.type.allFields }
        case .array(let element, _): element.allFields
        case .map(let key, let value, _): key.allFields + value.allFields
        default: []
        }
    }

    /// Whether it is one of `types`, or has one in it.
    package func contains(_ isWanted: (DeltaType) -> Bool) -> Bool {
        if isWanted(self) { return true }
        return switch self {
        case .structure(let fields): fields.contains { $0.type.contains(isWanted) }
        case .array(let element, _): element.contains(isWanted)
        case .map(let key, let value, _): key.contains(isWanted) || value.contains(isWanted)
        default: false
        }
    }
}

/// A column, or a member of a struct.
package struct DeltaField: Sendable, Equatable {
    package var name: String
    package var type: DeltaType
    package var nullable: Bool
    /// Any JSON object.
    package var metadata: [String: JSONValue]

    package init(_ name: String, _ type: DeltaType, nullable: Bool = true, metadata: [String: JSONValue] = [:]) {
        self.name = name
        self.type = type
        self.nullable = nullable
        self.metadata = metadata
    }

    static func list(_ json: JSONValue, at path: String, depth: Int) throws(DeltaError) -> [DeltaField] {
        guard let elements = json.array else {
            throw DeltaError(.corruptLog, "the struct \(path.isEmpty ? "of the schema" : path) has no fields")
        }
        guard elements.count <= 10_000 else {
            throw DeltaError(.tooLarge, "the struct \(path) has \(elements.count) fields")
        }
        var fields: [DeltaField] = []
        var names: Set<String> = []
        for element in elements {
            guard let name = element["name"].string, !name.isEmpty else {
                throw DeltaError(.corruptLog, "a field of the schema has no name")
            }
            let place = path.isEmpty ? name : "\(path).\(name)"
            guard names.insert(name.lowercased()).inserted else {
                throw DeltaError(.corruptLog, "the schema has two columns \(place)")
            }
            fields.append(
                DeltaField(
                    name, try DeltaType(json: element["type"], at: place, depth: depth),
                    nullable: element["nullable"].bool ?? true, metadata: element["metadata"].members))
        }
        return fields
    }

    package var json: JSONValue {
        [
            "name": .string(name), "type": type.json, "nullable": .bool(nullable), "metadata": .object(metadata),
        ]
    }

    /// The column's name in files, when the table maps names.
    package var physicalName: String { metadata["delta.columnMapping.physicalName"]?.string ?? name }
    /// The column's number in files, when the table maps numbers.
    package var fieldID: Int? { metadata["delta.columnMapping.id"]?.int }
}

/// The columns of a table.
package struct DeltaSchema: Sendable, Equatable {
    package var fields: [DeltaField]

    package init(_ fields: [DeltaField]) { self.fields = fields }

    /// Reads `schemaString`.
    /// - Throws: `corruptLog`, `tooLarge`, or `unsupportedReaderFeature` for types that are not known.
    package init(text: String) throws(DeltaError) {
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONParser.parse(text)
        } catch {
            throw DeltaError(.corruptLog, "the table's schema: \(error)")
        }
        guard json["type"].string == "struct" else {
            throw DeltaError(.corruptLog, "the table's schema is no struct")
        }
        fields = try DeltaField.list(json["fields"], at: "", depth: 1)
    }

    package var text: String { DeltaType.structure(fields).json.text }

    /// The column of that name, whatever its case.
    package subscript(name: String) -> DeltaField? {
        fields.first { $0.name == name } ?? fields.first { $0.name.lowercased() == name.lowercased() }
    }

    package var allFields: [DeltaField] { DeltaType.structure(fields).allFields }

    /// This schema with the columns that only `other` has, at the end and nullable (schema evolution).
    /// - Throws: `notAllowed` when a column has another type in `other` that is not narrower.
    package func merged(with other: DeltaSchema) throws(DeltaError) -> DeltaSchema {
        DeltaSchema(try Self.merge(fields, other.fields, at: ""))
    }

    private static func merge(_ old: [DeltaField], _ new: [DeltaField], at path: String) throws(DeltaError)
        -> [DeltaField]
    {
        var fields = old
        for field in new {
            let place = path.isEmpty ? field.name : "\(path).\(field.name)"
            guard let index = fields.firstIndex(where: { $0.name.lowercased() == field.name.lowercased() }) else {
                var added = field
                added.nullable = true
                fields.append(added)
                continue
            }
            fields[index].type = try merge(fields[index].type, field.type, at: place)
        }
        return fields
    }

    private static func merge(_ old: DeltaType, _ new: DeltaType, at path: String) throws(DeltaError) -> DeltaType {
        switch (old, new) {
        case (.structure(let left), .structure(let right)): return .structure(try merge(left, right, at: path))
        case (.array(let left, let nulls), .array(let right, _)):
            return .array(element: try merge(left, right, at: path + ".element"), containsNull: nulls)
        case (.map(let key, let left, let nulls), .map(let other, let right, _)):
            return .map(
                key: try merge(key, other, at: path + ".key"), value: try merge(left, right, at: path + ".value"),
                valueContainsNull: nulls)
        default:
            guard old == new || old.takes(new) else {
                throw DeltaError(
                    .notAllowed,
                    "column \(path) is \(old.sql()), the new rows have \(new.sql()): cast them in the query")
            }
            return old
        }
    }
}

extension DeltaType {
    /// Whether every value of `other` is one of this type too.
    func takes(_ other: DeltaType) -> Bool {
        let integers: [DeltaType] = [.byte, .short, .integer, .long]
        if let wide = integers.firstIndex(of: self), let narrow = integers.firstIndex(of: other) {
            return narrow <= wide
        }
        switch (self, other) {
        case (.double, .float), (.double, .integer), (.double, .short), (.double, .byte), (.timestamp, .date):
            return true
        case (.decimal(let precision, let scale), .decimal(let otherPrecision, let otherScale)):
            return scale >= otherScale && precision - scale >= otherPrecision - otherScale
        default: return false
        }
    }
}
