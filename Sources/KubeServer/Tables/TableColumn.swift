// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// One column of a meta/v1 Table, with how its cells are made.
package struct TableColumn: Sendable {
    package var name: String
    /// `string`, `integer`, `boolean` or `date`.
    package var type: String
    package var format: String
    package var description: String
    /// 0 is always shown, 1 only with `-o wide`.
    package var priority: Int
    package var cell: @Sendable (KubeObject, Timestamp) -> JSONValue

    package init(
        _ name: String, type: String = "string", format: String = "", description: String = "", wide: Bool = false,
        cell: @escaping @Sendable (KubeObject, Timestamp) -> JSONValue
    ) {
        self.name = name
        self.type = type
        self.format = format
        self.description = description
        priority = wide ? 1 : 0
        self.cell = cell
    }

    /// A cell with text.
    package static func text(
        _ name: String, description: String = "", wide: Bool = false,
        _ cell: @escaping @Sendable (KubeObject) -> String
    ) -> TableColumn {
        TableColumn(name, description: description, wide: wide) { object, _ in .string(cell(object)) }
    }

    /// A cell with a number.
    package static func number(
        _ name: String, description: String = "", _ cell: @escaping @Sendable (KubeObject) -> Int
    ) -> TableColumn {
        TableColumn(name, type: "integer", description: description) { object, _ in JSONValue(cell(object)) }
    }

    package static let name = TableColumn(
        "Name", format: "name",
        description: "Name must be unique within a namespace. Cannot be updated."
    ) { object, _ in .string(object.name) }

    package static let age = TableColumn(
        "Age",
        description: "CreationTimestamp is a timestamp representing the server time when this object was created."
    ) { object, now in .string(TableText.age(object.creationTimestamp, now: now)) }

    /// The `columnDefinitions` entry.
    var definition: JSONValue {
        [
            "name": .string(name), "type": .string(type), "format": .string(format),
            "description": .string(description), "priority": JSONValue(priority),
        ]
    }
}
