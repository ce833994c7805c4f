// SPDX-License-Identifier: Apache-2.0

/// Rows of a result: equally long columns, each named by the schema.
package struct ArrowBatch: Sendable {
    package let schema: ArrowSchemaInfo
    package let rowCount: Int
    package let columns: [ArrowColumn]

    package init(schema: ArrowSchemaInfo, rowCount: Int, columns: [ArrowColumn]) throws(ArrowError) {
        guard columns.count == schema.fields.count else {
            throw ArrowError(.malformed, "a batch of \(columns.count) columns for \(schema.fields.count) fields")
        }
        for (field, column) in zip(schema.fields, columns) where column.count != rowCount || column.type != field.type {
            throw ArrowError(
                .malformed,
                "the column '\(field.name)' is \(column.count) rows of \(column.type), not \(rowCount) of \(field.type)"
            )
        }
        self.schema = schema
        self.rowCount = rowCount
        self.columns = columns
    }

    private init(unchecked schema: ArrowSchemaInfo, rowCount: Int, columns: [ArrowColumn]) {
        self.schema = schema
        self.rowCount = rowCount
        self.columns = columns
    }

    package func column(_ index: Int) -> ArrowColumn { columns[index] }

    /// The first column of a name.
    package func column(_ name: String) -> ArrowColumn? { schema.index(of: name).map { columns[$0] } }

    /// The values of a row, in the columns' order.
    package func row(_ index: Int) -> [ArrowValue] { columns.map { $0.value(index) } }

    /// All rows: for small results.
    package var rows: [[ArrowValue]] { (0..<rowCount).map { row($0) } }

    /// The rows of a range, in the same memory.
    package func slice(_ range: Range<Int>) -> ArrowBatch {
        ArrowBatch(unchecked: schema, rowCount: range.count, columns: columns.map { $0.slice(range) })
    }
}
