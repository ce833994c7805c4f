// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A field that rows are sorted by.
package struct SortField: Sendable, Hashable {
    package var transform: Transform
    package var sourceID: Int
    var isAscending: Bool
    var nullsFirst: Bool

    init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        try fields.only(["transform", "source-id", "direction", "null-order"])
        transform = try Transform(try fields.string("transform"), fields.at("transform"))
        sourceID = try fields.int("source-id")
        switch try fields.string("direction") {
        case "asc": isAscending = true
        case "desc": isAscending = false
        default: throw .bad(fields.at("direction"), "must be asc or desc")
        }
        switch try fields.string("null-order") {
        case "nulls-first": nullsFirst = true
        case "nulls-last": nullsFirst = false
        default: throw .bad(fields.at("null-order"), "must be nulls-first or nulls-last")
        }
    }

    var json: JSONValue {
        [
            "transform": .string(transform.text), "source-id": JSONValue(sourceID),
            "direction": isAscending ? "asc" : "desc", "null-order": nullsFirst ? "nulls-first" : "nulls-last",
        ]
    }
}

/// How rows are sorted within files (table specification, "Sorting"); number 0 is unsorted.
package struct SortOrder: Sendable, Hashable {
    package static let unsorted = SortOrder(id: 0, fields: [])

    package var id: Int
    package var fields: [SortField]

    init(id: Int, fields: [SortField]) {
        self.id = id
        self.fields = fields
    }

    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        // DuckDB says what it is.
        try fields.only(["order-id", "fields", "type"])
        guard fields.has("fields") else { throw .bad(path, "fields is missing") }
        id = try fields.optionalInt("order-id") ?? 0
        self.fields = try fields.each("fields", limit: 1000, SortField.init)
    }

    package var json: JSONValue { ["order-id": JSONValue(id), "fields": .array(fields.map(\.json))] }

    /// Sources are columns that the transform is defined for.
    func check(_ schema: TableSchema, _ path: String) throws(IcebergError) {
        let places = schema.places
        for field in fields where field.transform != .void {
            guard let place = places[field.sourceID] else {
                throw IcebergError(
                    .validation, "\(path): rows are sorted by the column \(field.sourceID), which is not there")
            }
            guard !place.isRepeated, field.transform.takes(place.type) else {
                throw IcebergError(
                    .validation,
                    "\(path): \(field.transform.text) cannot be made from \(place.name), a \(place.type.json.text)")
            }
        }
    }
}
