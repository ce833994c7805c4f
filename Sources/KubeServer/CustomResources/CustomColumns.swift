// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI

/// Columns of tables of custom kinds.
enum CustomColumns {
    /// The columns that a definition asks for after the name; the age where it asks for none.
    static func columns(_ columns: [Definition.Column]) -> [TableColumn] {
        guard !columns.isEmpty else { return [.name, age] }
        return [.name] + columns.map(column)
    }

    private static let age = TableColumn(
        "Age", type: "date",
        description: "CreationTimestamp is a timestamp representing the server time when this object was created."
    ) { object, now in .string(TableText.age(object.creationTimestamp, now: now)) }

    private static func column(_ column: Definition.Column) -> TableColumn {
        var result = TableColumn(
            column.name, type: column.type, format: column.format, description: column.description
        ) { object, now in
            cell(column.path.first(in: object.json), column.type, now: now)
        }
        result.priority = column.priority
        return result
    }

    /// A value as a cell; null where it does not have the column's type.
    static func cell(_ value: JSONValue, _ type: String, now: Timestamp) -> JSONValue {
        switch (type, value) {
        case (_, .null): .null
        case ("integer", .int): value
        case ("integer", .double(let number)): Int64(exactly: number.rounded(.towardZero)).map { .int($0) } ?? .null
        case ("number", .int), ("number", .double), ("boolean", .bool): value
        case ("date", .string(let text)):
            .string(Timestamp(rfc3339: text).map { TableText.age($0, now: now) } ?? "<invalid>")
        case ("string", .string): value
        case ("string", _): .string(value.text)
        default: .null
        }
    }
}
