// SPDX-License-Identifier: Apache-2.0

/// A sparse matrix of single-precision values in compressed rows (CSR), columns ascending within a row.
package struct SparseMatrix: Sendable, Equatable {
    /// The number of rows.
    package let rowCount: Int
    /// The number of columns.
    package let columnCount: Int
    /// Where each row starts in `columns` and `values`; `rowCount + 1` entries.
    package let offsets: [Int]
    /// Column numbers of the stored entries.
    package let columns: [Int32]
    /// Values of the stored entries.
    package let values: [Float]

    /// The number of stored entries.
    package var count: Int { columns.count }

    /// A matrix from its parts, which must agree with each other; nil when they do not.
    package init?(rowCount: Int, columnCount: Int, offsets: [Int], columns: [Int32], values: [Float]) {
        guard rowCount >= 0, columnCount >= 0, columnCount <= Int(Int32.max), offsets.count == rowCount + 1,
            offsets.first == 0, offsets.last == columns.count, columns.count == values.count
        else { return nil }
        for row in 0..<rowCount {
            guard offsets[row] <= offsets[row + 1], offsets[row + 1] <= columns.count else { return nil }
            var last: Int32 = -1
            for position in offsets[row]..<offsets[row + 1] {
                guard columns[position] > last, Int(columns[position]) < columnCount else { return nil }
                last = columns[position]
            }
        }
        self.init(
            unchecked: rowCount, columnCount: columnCount, offsets: offsets, columns: columns, values: values)
    }

    private init(unchecked rowCount: Int, columnCount: Int, offsets: [Int], columns: [Int32], values: [Float]) {
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.offsets = offsets
        self.columns = columns
        self.values = values
    }

    /// A matrix from interactions; those of unknown users or items are left out, and of several for the same pair the
    /// one with the latest timestamp counts (the last one among equals).
    package init(_ interactions: some Sequence<Interaction>, users: IDIndex, items: IDIndex) {
        var rows: [Int32] = []
        var entries: [(column: Int32, value: Float, timestamp: Int64)] = []
        for interaction in interactions {
            guard let row = users.index(of: interaction.user), let column = items.index(of: interaction.item) else {
                continue
            }
            rows.append(Int32(row))
            entries.append((Int32(column), interaction.value, interaction.timestamp))
        }
        var starts = [Int](repeating: 0, count: users.count + 1)
        for row in rows { starts[Int(row) + 1] += 1 }
        for row in 0..<users.count { starts[row + 1] += starts[row] }
        var cursor = starts
        var order = [Int](repeating: 0, count: entries.count)
        for (position, row) in rows.enumerated() {
            order[cursor[Int(row)]] = position
            cursor[Int(row)] += 1
        }
        var offsets = [0]
        var columns: [Int32] = []
        var values: [Float] = []
        for row in 0..<users.count {
            let sorted = order[starts[row]..<starts[row + 1]].sorted {
                (entries[$0].column, entries[$0].timestamp, $0) < (entries[$1].column, entries[$1].timestamp, $1)
            }
            for position in sorted {
                if columns.count > offsets[row], columns[columns.count - 1] == entries[position].column {
                    values[values.count - 1] = entries[position].value
                } else {
                    columns.append(entries[position].column)
                    values.append(entries[position].value)
                }
            }
            offsets.append(columns.count)
        }
        self.init(
            unchecked: users.count, columnCount: items.count, offsets: offsets, columns: columns, values: values)
    }

    /// The matrix with rows and columns exchanged; columns come out ascending whatever their order was.
    package func transposed() -> SparseMatrix {
        var starts = [Int](repeating: 0, count: columnCount + 1)
        for column in columns { starts[Int(column) + 1] += 1 }
        for column in 0..<columnCount { starts[column + 1] += starts[column] }
        var cursor = starts
        var newColumns = [Int32](repeating: 0, count: count)
        var newValues = [Float](repeating: 0, count: count)
        for row in 0..<rowCount {
            for position in offsets[row]..<offsets[row + 1] {
                let column = Int(columns[position])
                newColumns[cursor[column]] = Int32(row)
                newValues[cursor[column]] = values[position]
                cursor[column] += 1
            }
        }
        return SparseMatrix(
            unchecked: columnCount, columnCount: rowCount, offsets: starts, columns: newColumns, values: newValues)
    }

    /// The columns stored in `row`.
    package func columns(of row: Int) -> ArraySlice<Int32> { columns[offsets[row]..<offsets[row + 1]] }

    /// The values stored in `row`, in the order of `columns(of:)`.
    package func values(of row: Int) -> ArraySlice<Float> { values[offsets[row]..<offsets[row + 1]] }

    /// This matrix with every stored value put through `transform`.
    func mapValues(_ transform: (_ row: Int, _ column: Int, _ value: Float) -> Float) -> SparseMatrix {
        var values = values
        for row in 0..<rowCount {
            for position in offsets[row]..<offsets[row + 1] {
                values[position] = transform(row, Int(columns[position]), values[position])
            }
        }
        return SparseMatrix(
            unchecked: rowCount, columnCount: columnCount, offsets: offsets, columns: columns, values: values)
    }
}

extension SparseMatrix {
    /// For measuring peers on the same data: rows, columns and entries as int64, then row starts (int64), column
    /// numbers (int32) and values (float32), little-endian.
    package var dump: [UInt8] {
        var bytes: [UInt8] = []
        [rowCount, columnCount, count].withUnsafeBytes { bytes.append(contentsOf: $0) }
        offsets.withUnsafeBytes { bytes.append(contentsOf: $0) }
        columns.withUnsafeBytes { bytes.append(contentsOf: $0) }
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return bytes
    }
}
