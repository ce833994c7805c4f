// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What must hold of a table for a commit to be made (REST specification, `TableRequirement`).
package enum TableRequirement: Sendable, Hashable {
    /// The table is not there yet.
    case create
    case uuid(String)
    /// The branch or tag is of this snapshot; nil: it is not there.
    case reference(String, snapshotID: Int64?)
    case lastFieldID(Int)
    case currentSchemaID(Int)
    case lastPartitionID(Int)
    case defaultSpecID(Int)
    case defaultSortOrderID(Int)

    package init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        func number(_ key: String) throws(IcebergError) -> Int {
            try fields.only(["type", key])
            return try fields.int(key)
        }
        switch try fields.string("type") {
        case "assert-create":
            try fields.only(["type"])
            self = .create
        case "assert-table-uuid":
            try fields.only(["type", "uuid"])
            self = .uuid(try fields.string("uuid"))
        case "assert-ref-snapshot-id":
            try fields.only(["type", "ref", "snapshot-id"])
            let id = try fields.optionalLong("snapshot-id")
            self = .reference(try fields.string("ref"), snapshotID: id == -1 ? nil : id)
        case "assert-last-assigned-field-id": self = .lastFieldID(try number("last-assigned-field-id"))
        case "assert-current-schema-id": self = .currentSchemaID(try number("current-schema-id"))
        case "assert-last-assigned-partition-id": self = .lastPartitionID(try number("last-assigned-partition-id"))
        case "assert-default-spec-id": self = .defaultSpecID(try number("default-spec-id"))
        case "assert-default-sort-order-id": self = .defaultSortOrderID(try number("default-sort-order-id"))
        case let name: throw .bad(path, "the requirement \(name.prefix(100)) is not known to this catalog")
        }
    }

    /// - Parameters:
    ///   - metadata: the table; nil where there is none.
    ///   - table: its name, for errors.
    /// - Throws: `CommitFailedException` where it does not hold.
    package func check(_ metadata: TableMetadata?, _ table: String) throws(IcebergError) {
        func failed(_ what: String, _ expected: String, _ actual: String) -> IcebergError {
            IcebergError(
                .commitFailed, "\(table): \(what) was expected to be \(expected), and is \(actual): load it again")
        }
        guard let metadata else {
            if self == .create { return }
            throw IcebergError(.noSuchTable, "the table \(table) is not there")
        }
        func same<T: Equatable & CustomStringConvertible>(
            _ what: String, _ expected: T, _ actual: T
        ) throws(IcebergError) {
            if expected != actual { throw failed(what, expected.description, actual.description) }
        }
        switch self {
        case .create: throw IcebergError(.commitFailed, "\(table) was to be created, and is there already")
        case .uuid(let expected): try same("its uuid", expected.lowercased(), metadata.uuid.lowercased())
        case .reference(let name, let expected):
            let actual = metadata.references[name]?.snapshotID
            if expected != actual {
                throw failed(
                    "the snapshot of \(name)", expected.map(String.init) ?? "none", actual.map(String.init) ?? "none")
            }
        case .lastFieldID(let expected): try same("its last column id", expected, metadata.lastColumnID)
        case .currentSchemaID(let expected): try same("its current schema", expected, metadata.currentSchemaID)
        case .lastPartitionID(let expected): try same("its last partition id", expected, metadata.lastPartitionID)
        case .defaultSpecID(let expected): try same("its default spec", expected, metadata.defaultSpecID)
        case .defaultSortOrderID(let expected):
            try same("its default sort order", expected, metadata.defaultSortOrderID)
        }
    }
}
