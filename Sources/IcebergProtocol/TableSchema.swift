// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A schema of a table: a struct with a number.
package struct TableSchema: Sendable, Hashable {
    package var id: Int
    package var fields: [SchemaField]
    /// Ids of the fields whose values tell rows apart.
    package var identifierFieldIDs: [Int]

    package init(id: Int = 0, fields: [SchemaField], identifierFieldIDs: [Int] = []) {
        self.id = id
        self.fields = fields
        self.identifierFieldIDs = identifierFieldIDs
    }

    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        try fields.only(["type", "fields", "schema-id", "identifier-field-ids"])
        guard try fields.string("type") == "struct" else { throw .bad(fields.at("type"), "must be struct") }
        guard fields.has("fields") else { throw .bad(path, "fields is missing") }
        id = try fields.optionalInt("schema-id") ?? 0
        self.fields = try fields.each("fields") { value, path throws(IcebergError) in
            try SchemaField(value, path, depth: 1)
        }
        identifierFieldIDs = try fields.ints("identifier-field-ids")
        try check(path)
    }

    package var json: JSONValue {
        var json: JSONValue = [
            "type": "struct", "schema-id": JSONValue(id), "fields": .array(fields.map(\.json)),
        ]
        if !identifierFieldIDs.isEmpty {
            json["identifier-field-ids"] = .array(identifierFieldIDs.map { JSONValue($0) })
        }
        return json
    }

    /// Whether it says the same, whatever its number.
    func isSame(as other: TableSchema) -> Bool {
        fields == other.fields && Set(identifierFieldIDs) == Set(other.identifierFieldIDs)
    }

    // MARK: Fields by id

    /// A field with where it is.
    package struct Place: Sendable, Hashable {
        /// Names from the top, with dots.
        package var name: String
        package var type: IcebergType
        package var required: Bool
        /// Whether it is in a list or a map: such fields partition and sort nothing.
        package var isRepeated: Bool
    }

    /// All fields, nested ones too, by id.
    package var places: [Int: Place] {
        var places: [Int: Place] = [:]
        Self.walk(fields, prefix: "", isRepeated: false) { id, place in places[id] = place }
        return places
    }

    /// The greatest id; 0 where there are no fields.
    package var highestFieldID: Int {
        var highest = 0
        Self.walk(fields, prefix: "", isRepeated: false) { id, _ in highest = max(highest, id) }
        return highest
    }

    private static func walk(
        _ fields: [SchemaField], prefix: String, isRepeated: Bool, _ visit: (Int, Place) -> Void
    ) {
        for field in fields {
            let name = prefix + field.name
            visit(field.id, Place(name: name, type: field.type, required: field.required, isRepeated: isRepeated))
            walk(field.type, prefix: name + ".", isRepeated: isRepeated, visit)
        }
    }

    private static func walk(_ type: IcebergType, prefix: String, isRepeated: Bool, _ visit: (Int, Place) -> Void) {
        switch type {
        case .primitive: break
        case .structure(let fields): walk(fields, prefix: prefix, isRepeated: isRepeated, visit)
        case .list(let id, let element, let required):
            visit(id, Place(name: prefix + "element", type: element, required: required, isRepeated: true))
            walk(element, prefix: prefix + "element.", isRepeated: true, visit)
        case .map(let keyID, let key, let valueID, let value, let required):
            visit(keyID, Place(name: prefix + "key", type: key, required: true, isRepeated: true))
            walk(key, prefix: prefix + "key.", isRepeated: true, visit)
            visit(valueID, Place(name: prefix + "value", type: value, required: required, isRepeated: true))
            walk(value, prefix: prefix + "value.", isRepeated: true, visit)
        }
    }

    /// Ids are positive and there once, as are names; identifier fields are required primitives.
    private func check(_ path: String) throws(IcebergError) {
        var places: [Int: Place] = [:]
        var names: Set<String> = []
        var problem: String?
        Self.walk(fields, prefix: "", isRepeated: false) { id, place in
            guard problem == nil else { return }
            if places.count >= IcebergLimits.fields {
                problem = "more than \(IcebergLimits.fields) fields"
            } else if id < 0 || id > 2_000_000_000 {
                problem = "\(place.name) has the id \(id): ids are from 0 to 2000000000"
            } else if let other = places.updateValue(place, forKey: id) {
                problem = "\(other.name) and \(place.name) have the same id \(id)"
            } else if !names.insert(place.name).inserted {
                problem = "the name \(place.name) is there twice"
            }
        }
        if let problem { throw .bad(path, String(problem.prefix(400))) }
        for id in identifierFieldIDs {
            guard let place = places[id] else { throw .bad(path, "the identifier field \(id) is not in the schema") }
            guard case .primitive(let type) = place.type, place.required, !place.isRepeated,
                type != "float", type != "double"
            else {
                throw .bad(path, "the identifier field \(place.name) must be required, and no float, list or struct")
            }
        }
    }

    /// - Throws: where a field needs a later version of the format than the table has.
    func check(version: Int, _ path: String) throws(IcebergError) {
        var problem: String?
        Self.walk(fields, prefix: "", isRepeated: false) { _, place in
            if place.type.firstVersion > version {
                problem = problem ?? "\(place.name) has the type \(place.type.json.text), which needs format version 3"
            }
        }
        if problem == nil, version < 3, let field = firstDefault(fields) {
            problem = "the default of \(field) needs format version 3"
        }
        if let problem { throw IcebergError(.validation, "\(path): \(problem); the table has \(version)") }
    }

    private func firstDefault(_ fields: [SchemaField]) -> String? {
        for field in fields {
            if !field.initialDefault.isNull || !field.writeDefault.isNull { return field.name }
            if case .structure(let nested) = field.type, let name = firstDefault(nested) { return name }
        }
        return nil
    }

    // MARK: Fresh ids

    /// The same schema with ids from 1, level by level, as every new table has them.
    ///
    /// - Returns: the schema, and its ids by those that the fields had.
    package func renumbered() -> (schema: TableSchema, ids: [Int: Int]) {
        var numbering = Numbering()
        let fields = numbering.fields(self.fields)
        let ids = numbering.ids
        return (TableSchema(id: 0, fields: fields, identifierFieldIDs: identifierFieldIDs.compactMap { ids[$0] }), ids)
    }

    private struct Numbering {
        var ids: [Int: Int] = [:]
        private var last = 0

        private mutating func next(_ old: Int) -> Int {
            last += 1
            ids[old] = last
            return last
        }

        mutating func fields(_ fields: [SchemaField]) -> [SchemaField] {
            var fresh = fields
            for index in fresh.indices { fresh[index].id = next(fresh[index].id) }
            for index in fresh.indices { fresh[index].type = type(fresh[index].type) }
            return fresh
        }

        mutating func type(_ type: IcebergType) -> IcebergType {
            switch type {
            case .primitive: return type
            case .structure(let nested): return .structure(fields(nested))
            case .list(let old, let element, let required):
                let id = next(old)
                return .list(id: id, element: self.type(element), required: required)
            case .map(let oldKey, let key, let oldValue, let value, let required):
                let keyID = next(oldKey)
                let valueID = next(oldValue)
                return .map(
                    keyID: keyID, key: self.type(key), valueID: valueID, value: self.type(value),
                    valueRequired: required)
            }
        }
    }
}
