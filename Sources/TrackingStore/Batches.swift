// SPDX-License-Identifier: Apache-2.0
import SQLDatabases

extension SQLSession {
    /// Calls with numbers in portions and as many question marks, so that a few statements serve all lengths: the last
    /// portion is filled up with its last number.
    func each(_ ids: [Int64], _ body: ([SQLValue], _ marks: String) throws -> Void) throws {
        for start in stride(from: 0, to: ids.count, by: 256) {
            var values = ids[start..<min(start + 256, ids.count)].map { SQLValue.integer($0) }
            let last = values[values.count - 1]
            let size = [1, 16].first { values.count <= $0 } ?? 256
            values += [SQLValue](repeating: last, count: size - values.count)
            try body(values, Rows.marks(size))
        }
    }

    /// Runs a statement for rows, many at a time.
    ///
    /// `values` has those of all rows, one row after the other. Returns how many rows were changed.
    @discardableResult
    func insert(_ statement: Rows, _ values: [SQLValue]) throws -> Int {
        var (start, changed) = (0, 0)
        for size in Rows.sizes {
            let step = size * statement.width
            while values.count - start >= step {
                let portion = start == 0 && values.count == step ? values : Array(values[start..<start + step])
                changed += try run(statement.text(size), portion)
                start += step
            }
        }
        return changed
    }
}

/// A statement that inserts rows, with its texts for some numbers of rows made once.
struct Rows: Sendable {
    /// Rows of a statement: few kinds, so that each stays prepared.
    static let sizes = [500, 100, 20, 5, 1]

    /// Values of a row.
    let width: Int
    private let texts: [Int: String]

    /// - Parameters:
    ///   - head: the statement up to `VALUES`.
    ///   - width: values of a row.
    ///   - tail: what follows the rows.
    init(_ head: String, width: Int, _ tail: String = "") {
        self.width = width
        let row = "(\(Self.marks(width)))"
        texts = Dictionary(
            uniqueKeysWithValues: Self.sizes.map { size in
                (size, "\(head) VALUES \([String](repeating: row, count: size).joined(separator: ", ")) \(tail)")
            })
    }

    func text(_ size: Int) -> String { texts[size] ?? "" }

    /// So many question marks.
    static func marks(_ count: Int) -> String { [String](repeating: "?", count: count).joined(separator: ", ") }
}
