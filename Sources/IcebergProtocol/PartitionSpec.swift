// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A field of a partition's tuple.
package struct PartitionField: Sendable, Hashable {
    package var sourceID: Int
    /// Nil where the catalog is to give one.
    package var fieldID: Int?
    package var name: String
    package var transform: Transform

    package init(sourceID: Int, fieldID: Int?, name: String, transform: Transform) {
        self.sourceID = sourceID
        self.fieldID = fieldID
        self.name = name
        self.transform = transform
    }

    init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        try fields.only(["source-id", "field-id", "name", "transform"])
        sourceID = try fields.int("source-id")
        fieldID = try fields.optionalInt("field-id")
        name = try fields.string("name")
        guard !name.isEmpty, name.utf8.count <= IcebergLimits.fieldName else {
            throw .bad(fields.at("name"), "must have 1 to \(IcebergLimits.fieldName) bytes")
        }
        transform = try Transform(try fields.string("transform"), fields.at("transform"))
    }

    var json: JSONValue {
        [
            "source-id": JSONValue(sourceID), "field-id": fieldID.map { JSONValue($0) } ?? .null,
            "name": .string(name), "transform": .string(transform.text),
        ]
    }
}

/// How a table's files are divided (table specification, "Partitioning").
package struct PartitionSpec: Sendable, Hashable {
    /// Ids of partition fields are greater than this.
    package static let firstFieldID = 1000

    package var id: Int
    package var fields: [PartitionField]

    package init(id: Int = 0, fields: [PartitionField] = []) {
        self.id = id
        self.fields = fields
    }

    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        // DuckDB says what it is.
        try fields.only(["spec-id", "fields", "type"])
        guard fields.has("fields") else { throw .bad(path, "fields is missing") }
        id = try fields.optionalInt("spec-id") ?? 0
        self.fields = try fields.each("fields", limit: 1000, PartitionField.init)
    }

    package var json: JSONValue { ["spec-id": JSONValue(id), "fields": .array(fields.map(\.json))] }

    /// Whether it divides in the same way, whatever its number.
    func isSame(as other: PartitionSpec) -> Bool {
        fields.count == other.fields.count
            && zip(fields, other.fields).allSatisfy {
                $0.sourceID == $1.sourceID && $0.transform == $1.transform && $0.name == $1.name
            }
    }

    /// Sources are columns that the transform is defined for; names and ids are there once.
    func check(_ schema: TableSchema, _ path: String) throws(IcebergError) {
        let places = schema.places
        var names: Set<String> = []
        var ids: Set<Int> = []
        for field in fields {
            guard names.insert(field.name).inserted else {
                throw .bad(path, "the name \(field.name) is there twice")
            }
            if let id = field.fieldID, !ids.insert(id).inserted {
                throw .bad(path, "the field-id \(id) is there twice")
            }
            // A dropped field keeps its place in version 1; its column may be gone.
            if field.transform == .void { continue }
            guard let place = places[field.sourceID] else {
                throw IcebergError(
                    .validation, "\(path): \(field.name) is made from the column \(field.sourceID), which is not there")
            }
            guard !place.isRepeated, field.transform.takes(place.type) else {
                throw IcebergError(
                    .validation,
                    "\(path): \(field.transform.text) cannot be made from \(place.name), a \(place.type.json.text)")
            }
        }
    }

    /// What is asked of a new spec beside that: no name is that of another column, and nothing is made twice. Columns
    /// may be renamed later.
    func checkNew(_ schema: TableSchema, _ path: String) throws(IcebergError) {
        try check(schema, path)
        var columns: [String: Int] = [:]
        for (id, place) in schema.places { columns[place.name] = id }
        var uses: Set<String> = []
        for field in fields where field.transform != .void {
            guard uses.insert("\(field.sourceID) \(field.transform.text)").inserted else {
                throw .bad(path, "\(field.transform.text) of the column \(field.sourceID) is there twice")
            }
            if let column = columns[field.name], column != field.sourceID || field.transform != .identity {
                throw .bad(path, "the name \(field.name) is that of a column: choose another")
            }
        }
    }
}
