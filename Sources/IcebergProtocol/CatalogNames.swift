// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A namespace's name: one or more levels.
package struct NamespaceName: Sendable, Hashable, CustomStringConvertible {
    /// Between the levels in paths and queries (REST specification, parameter `namespace`).
    package static let separator: Character = "\u{1F}"

    package let levels: [String]

    /// - Throws: `BadRequestException` for a name that is not kept.
    package init(_ levels: [String], _ path: String = "namespace") throws(IcebergError) {
        guard (1...IcebergLimits.levels).contains(levels.count) else {
            throw .bad(path, "must have 1 to \(IcebergLimits.levels) levels")
        }
        for level in levels { try TableName.check(level, path) }
        self.levels = levels
    }

    /// From a path or a query.
    package init(joined text: String, _ path: String = "namespace") throws(IcebergError) {
        guard text.utf8.count <= (IcebergLimits.name + 1) * IcebergLimits.levels else {
            throw .bad(path, "the name is too long")
        }
        try self.init(
            text.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init), path)
    }

    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        guard let elements = value.array else { throw .bad(path, "must be an array of strings") }
        var levels: [String] = []
        for element in elements.prefix(IcebergLimits.levels + 1) {
            guard let level = element.string else { throw .bad(path, "must be an array of strings") }
            levels.append(level)
        }
        try self.init(levels, path)
    }

    /// Its levels with separators between them.
    package var joined: String { levels.joined(separator: String(Self.separator)) }
    package var json: JSONValue { JSONValue(levels) }
    package var description: String { levels.joined(separator: ".") }

    /// The namespace above it; nil at the top.
    package var parent: NamespaceName? { levels.count > 1 ? NamespaceName(checked: Array(levels.dropLast())) : nil }

    private init(checked levels: [String]) { self.levels = levels }
}

/// A table's name with its namespace.
package struct TableName: Sendable, Hashable, CustomStringConvertible {
    package let namespace: NamespaceName
    package let name: String

    /// - Throws: `BadRequestException` for a name that is not kept.
    package init(_ namespace: NamespaceName, _ name: String, _ path: String = "name") throws(IcebergError) {
        try Self.check(name, path)
        self.namespace = namespace
        self.name = name
    }

    /// `TableIdentifier`.
    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        try fields.only(["namespace", "name"])
        try self.init(
            try NamespaceName(fields["namespace"], fields.at("namespace")), try fields.string("name"), fields.at("name")
        )
    }

    package var json: JSONValue { ["namespace": namespace.json, "name": .string(name)] }
    package var description: String { "\(namespace).\(name)" }

    static func check(_ name: String, _ path: String) throws(IcebergError) {
        guard (1...IcebergLimits.name).contains(name.utf8.count) else {
            throw .bad(path, "a name must have 1 to \(IcebergLimits.name) bytes")
        }
        let isPlain = name.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 && $0 != "/" && $0 != "\\" }
        guard isPlain, name != ".", name != ".." else {
            throw .bad(path, "a name has no control characters and no slashes, and is not . or ..")
        }
    }
}
