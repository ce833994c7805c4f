// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The type of a field (table specification, "Schemas and Data Types").
package indirect enum IcebergType: Sendable, Hashable {
    /// By its name in JSON, in the canonical form: `long`, `decimal(9,2)`, `fixed[16]`.
    case primitive(String)
    case structure([SchemaField])
    case list(id: Int, element: IcebergType, required: Bool)
    case map(keyID: Int, key: IcebergType, valueID: Int, value: IcebergType, valueRequired: Bool)
}

/// A field of a schema or of a struct.
package struct SchemaField: Sendable, Hashable {
    package var id: Int
    package var name: String
    package var required: Bool
    package var type: IcebergType
    package var doc: String?
    /// Values for rows that were written before the field was there, and by writers that do not give one (version 3).
    var initialDefault: JSONValue = .null
    var writeDefault: JSONValue = .null

    package init(id: Int, name: String, required: Bool, type: IcebergType, doc: String? = nil) {
        self.id = id
        self.name = name
        self.required = required
        self.type = type
        self.doc = doc
    }
}

extension IcebergType {
    private static let simple: Set<String> = [
        "boolean", "int", "long", "float", "double", "date", "time", "timestamp", "timestamptz", "string", "uuid",
        "binary",
    ]
    /// Those of version 3 of the format.
    private static let third: Set<String> = ["timestamp_ns", "timestamptz_ns", "unknown", "variant"]

    init(_ value: JSONValue, _ path: String, depth: Int = 0) throws(IcebergError) {
        guard depth < IcebergLimits.depth else {
            throw .bad(path, "types are nested more than \(IcebergLimits.depth) deep")
        }
        if let text = value.string {
            self = .primitive(try Self.canonical(text, path))
            return
        }
        let fields = try JSONFields(value, path)
        switch try fields.string("type") {
        case "struct":
            try fields.only(["type", "fields"])
            self = .structure(
                try fields.each("fields") { value, path throws(IcebergError) in
                    try SchemaField(value, path, depth: depth + 1)
                })
        case "list":
            try fields.only(["type", "element-id", "element", "element-required"])
            self = .list(
                id: try fields.int("element-id"),
                element: try IcebergType(fields["element"], fields.at("element"), depth: depth + 1),
                required: try fields.bool("element-required"))
        case "map":
            try fields.only(["type", "key-id", "key", "value-id", "value", "value-required"])
            self = .map(
                keyID: try fields.int("key-id"),
                key: try IcebergType(fields["key"], fields.at("key"), depth: depth + 1),
                valueID: try fields.int("value-id"),
                value: try IcebergType(fields["value"], fields.at("value"), depth: depth + 1),
                valueRequired: try fields.bool("value-required"))
        case let name:
            throw .bad(path, "the type \(name.prefix(100)) is not known to this catalog")
        }
    }

    private static func canonical(_ text: String, _ path: String) throws(IcebergError) -> String {
        if simple.contains(text) || third.contains(text) { return text }
        let spaceless = text.utf8.count <= 64 ? text.filter { $0 != " " } : text
        if spaceless.hasPrefix("decimal("), spaceless.hasSuffix(")") {
            let numbers = spaceless.dropFirst(8).dropLast().split(separator: ",", omittingEmptySubsequences: false)
            if numbers.count == 2, let precision = Int(numbers[0]), let scale = Int(numbers[1]),
                (1...38).contains(precision), (0...precision).contains(scale)
            {
                return "decimal(\(precision),\(scale))"
            }
            throw .bad(path, "\(text) must be decimal(P,S) with P from 1 to 38 and S from 0 to P")
        }
        if spaceless.hasPrefix("fixed["), spaceless.hasSuffix("]") {
            if let length = Int(spaceless.dropFirst(6).dropLast()), (1...Int(Int32.max)).contains(length) {
                return "fixed[\(length)]"
            }
            throw .bad(path, "\(text) must be fixed[L] with L from 1")
        }
        throw .bad(path, "the type \(text.prefix(100)) is not known to this catalog")
    }

    package var json: JSONValue {
        switch self {
        case .primitive(let name): .string(name)
        case .structure(let fields): ["type": "struct", "fields": .array(fields.map(\.json))]
        case .list(let id, let element, let required):
            [
                "type": "list", "element-id": JSONValue(id), "element": element.json,
                "element-required": .bool(required),
            ]
        case .map(let keyID, let key, let valueID, let value, let required):
            [
                "type": "map", "key-id": JSONValue(keyID), "key": key.json, "value-id": JSONValue(valueID),
                "value": value.json, "value-required": .bool(required),
            ]
        }
    }

    /// The first version of the format that has it.
    var firstVersion: Int {
        if case .primitive(let name) = self, Self.third.contains(name) { 3 } else { 1 }
    }
}

extension SchemaField {
    init(_ value: JSONValue, _ path: String, depth: Int) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        try fields.only(["id", "name", "required", "type", "doc", "initial-default", "write-default"])
        id = try fields.int("id")
        name = try fields.string("name")
        guard !name.isEmpty, name.utf8.count <= IcebergLimits.fieldName else {
            throw .bad(fields.at("name"), "must have 1 to \(IcebergLimits.fieldName) bytes")
        }
        required = try fields.bool("required")
        type = try IcebergType(fields["type"], fields.at("type"), depth: depth)
        doc = try fields.optionalString("doc")
        initialDefault = fields["initial-default"]
        writeDefault = fields["write-default"]
    }

    var json: JSONValue {
        [
            "id": JSONValue(id), "name": .string(name), "required": .bool(required), "type": type.json,
            "doc": JSONValue(doc), "initial-default": initialDefault, "write-default": writeDefault,
        ]
    }
}
