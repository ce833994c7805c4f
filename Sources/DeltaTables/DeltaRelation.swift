// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol

/// The rows of some of a table's files as one relation in SQL.
package struct DeltaRelation: Sendable {
    /// A file and where the engine finds it.
    package struct Source: Sendable {
        package var file: DeltaAddFile
        /// On this machine.
        package var local: String
        /// Rows that do not count, ascending.
        package var deleted: [Int64]

        package init(file: DeltaAddFile, local: String, deleted: [Int64] = []) {
            self.file = file
            self.local = local
            self.deleted = deleted
        }
    }

    /// The column with the local path of a row's file.
    static let fileColumn = "__apus_file"
    /// The column with a row's number in its file.
    static let rowColumn = "file_row_number"

    let schema: DeltaSchema
    let partitionColumns: [String]
    /// `none`, `name` or `id`.
    let mapping: String

    package init(_ snapshot: DeltaSnapshot) throws(DeltaError) {
        schema = snapshot.schema
        partitionColumns = snapshot.metadata.partitionColumns
        // Before the versions that map columns the property means nothing.
        let isMapped =
            snapshot.protocolVersions.minReaderVersion == 2
            || snapshot.protocolVersions.readerFeatures?.contains("columnMapping") ?? false
        mapping = isMapped ? snapshot.properties.columnMapping : "none"
        guard ["none", "name", "id"].contains(mapping) else {
            throw DeltaError(.unsupportedReaderFeature, "columnMapping: the mode \(mapping.prefix(32)) is not known")
        }
    }

    private func physical(_ field: DeltaField) -> String { mapping == "none" ? field.name : field.physicalName }

    /// A value of a file with the names that its parts have in the schema.
    private func logical(_ value: String, _ type: DeltaType, _ depth: Int) -> String {
        guard mapping != "none", type.allFields.contains(where: { $0.physicalName != $0.name }) else { return value }
        let item = "x\(depth)"
        switch type {
        case .structure(let fields):
            let members = fields.map { field in
                let member = "struct_extract(\(value), \(SQLText.text(physical(field))))"
                return "\(SQLText.name(field.name)) := \(logical(member, field.type, depth))"
            }
            return "CASE WHEN \(value) IS NULL THEN NULL ELSE struct_pack(\(members.joined(separator: ", "))) END"
        case .array(let element, _):
            return "list_transform(\(value), lambda \(item): \(logical(item, element, depth + 1)))"
        case .map(let key, let element, _):
            let entry = "struct_pack(k := \(logical("\(item).key", key, depth + 1)), "
            return
                "map_from_entries(list_transform(map_entries(\(value)), lambda \(item): \(entry)"
                + "v := \(logical("\(item).value", element, depth + 1)))))"
        default: return value
        }
    }

    /// A query whose columns are the schema's, in order, and then, if wanted, file and row.
    package func sql(_ sources: [Source], withPlaces: Bool = false) throws(DeltaError) -> String {
        let plain = sources.filter { $0.deleted.isEmpty }
        var parts: [String] = []
        if !plain.isEmpty || sources.isEmpty { parts.append(try select(plain, withPlaces: withPlaces)) }
        for source in sources where !source.deleted.isEmpty {
            parts.append(try select([source], withPlaces: withPlaces))
        }
        return parts.joined(separator: "\nUNION ALL\n")
    }

    private func select(_ sources: [Source], withPlaces: Bool) throws(DeltaError) -> String {
        let fields = schema.fields.filter { !partitionColumns.contains($0.name) }
        let partitions = try partitionTexts(sources)
        var columns: [String] = []
        for field in schema.fields {
            let name = SQLText.name(field.name)
            if let index = partitionColumns.firstIndex(of: field.name) {
                let value = partitions.constant.map { $0[index] } ?? "p.\(SQLText.name("p\(index)"))"
                columns.append("\(value) AS \(name)")
            } else {
                let value = logical("f.\(SQLText.name(physical(field)))", field.type, 0)
                columns.append("CAST(\(value) AS \(field.type.sql())) AS \(name)")
            }
        }
        if withPlaces { columns += ["f.\(Self.fileColumn)", "f.\(Self.rowColumn)"] }
        // Without rows, so that columns which no file has are null.
        let shape =
            (fields.map { "CAST(NULL AS \($0.type.sql(physical))) AS \(SQLText.name(physical($0)))" } + [
                "CAST(NULL AS VARCHAR) AS \(Self.fileColumn)", "CAST(NULL AS BIGINT) AS \(Self.rowColumn)",
            ]).joined(separator: ", ")
        var from = "SELECT \(shape) WHERE false"
        if !sources.isEmpty {
            from += " UNION ALL BY NAME SELECT * FROM \(try read(sources, fields))"
        }
        var sql = "SELECT \(columns.joined(separator: ", ")) FROM (\(from)) f"
        if !partitions.rows.isEmpty {
            let names = ([Self.fileColumn] + partitionColumns.indices.map { "p\($0)" }).map(SQLText.name)
            sql += " JOIN (VALUES \(partitions.rows.joined(separator: ", "))) p(\(names.joined(separator: ", ")))"
            sql += " ON p.\(Self.fileColumn) = f.\(Self.fileColumn)"
        }
        if let deleted = sources.first?.deleted, !deleted.isEmpty {
            sql +=
                " WHERE f.\(Self.rowColumn) NOT IN (SELECT unnest([\(deleted.map(String.init).joined(separator: ","))]::BIGINT[]))"
        }
        return sql
    }

    private func read(_ sources: [Source], _ fields: [DeltaField]) throws(DeltaError) -> String {
        var options = "filename = '\(Self.fileColumn)', file_row_number = true, hive_partitioning = false"
        if mapping == "id" {
            var entries: [String] = []
            for field in fields {
                guard let id = field.fieldID else {
                    throw DeltaError(.corruptLog, "columnMapping: the column \(field.name) has no number")
                }
                entries.append(
                    "\(id): {name: \(SQLText.text(physical(field))), type: \(SQLText.text(field.type.sql(physical))), default_value: NULL}"
                )
            }
            options += ", schema = MAP {\(entries.joined(separator: ", "))}"
        } else {
            options += ", union_by_name = true"
        }
        return "read_parquet([\(sources.map { SQLText.text($0.local) }.joined(separator: ", "))], \(options))"
    }

    /// Values of partition columns: the same for all files, or a row for each.
    private func partitionTexts(_ sources: [Source]) throws(DeltaError) -> (constant: [String]?, rows: [String]) {
        guard !partitionColumns.isEmpty else { return (nil, []) }
        var all: [[String]] = []
        for source in sources {
            var values: [String] = []
            for column in partitionColumns {
                guard let field = schema[column] else { continue }
                let key = physical(field)
                let text = source.file.partitionValues[key] ?? source.file.partitionValues[column] ?? nil
                values.append(try PartitionValue.sqlValue(of: text, column: column, type: field.type))
            }
            all.append(values)
        }
        guard let first = all.first else {
            return (partitionColumns.map { "CAST(NULL AS \(schema[$0]?.type.sql() ?? "VARCHAR"))" }, [])
        }
        if all.allSatisfy({ $0 == first }) { return (first, []) }
        return (
            nil,
            zip(sources, all).map { source, values in
                "(\(([SQLText.text(source.local)] + values).joined(separator: ", ")))"
            }
        )
    }
}
