// SPDX-License-Identifier: Apache-2.0
internal import CALSKernels

/// A dense matrix of single-precision numbers, row after row, each row padded with zeros to a multiple of 16.
package struct FactorMatrix: Sendable, Equatable {
    /// The number of rows.
    package let rowCount: Int
    /// The number of columns: latent factors.
    package let columnCount: Int
    /// Elements from the start of a row to the start of the next.
    let stride: Int
    /// The elements with their padding.
    var elements: [Float]

    /// A matrix of zeros.
    init(rowCount: Int, columnCount: Int) {
        self.rowCount = rowCount
        self.columnCount = columnCount
        stride = Self.stride(columnCount)
        elements = [Float](repeating: 0, count: rowCount * stride)
    }

    /// A matrix of small seeded random numbers, uniform in ±`scale`.
    init(rowCount: Int, columnCount: Int, randomWithin scale: Float, generator: inout SeededGenerator) {
        self.init(rowCount: rowCount, columnCount: columnCount)
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                elements[row * stride + column] = (generator.unitFloat() * 2 - 1) * scale
            }
        }
    }

    /// The padded length of a row of `columns` columns.
    static func stride(_ columns: Int) -> Int { (columns + 15) / 16 * 16 }

    /// The elements of `row`, without padding.
    package func row(_ row: Int) -> ArraySlice<Float> {
        elements[row * stride..<row * stride + columnCount]
    }

    /// `row` with its padding.
    func paddedRow(_ row: Int) -> [Float] { Array(elements[row * stride..<(row + 1) * stride]) }

    /// The inner product of each row with `vector`, which is padded.
    func scores(_ vector: [Float]) -> [Float] {
        guard rowCount > 0, vector.count == stride else { return [] }
        return [Float](unsafeUninitializedCapacity: rowCount) { buffer, count in
            guard let target = buffer.baseAddress else { return }
            als_scores(stride, elements, nil, rowCount, vector, target)
            count = rowCount
        }
    }

    /// Euclidean length of each row.
    func rowNorms() -> [Float] {
        (0..<rowCount).map { index in
            row(index).reduce(into: Float(0)) { $0 += $1 * $1 }.squareRoot()
        }
    }

    /// YᵀY + ridge·I, `stride` × `stride`, both triangles; the padding's diagonal is the ridge too. Summed in chunks
    /// that do not depend on the number of threads, and added in order.
    func gram(ridge: Float, chunk: Int = 8192, threads: Int = 1) -> [Float] {
        let size = stride * stride
        let chunkCount = max(1, (rowCount + chunk - 1) / chunk)
        var parts = [Float](repeating: 0, count: chunkCount * size)
        parts.withUnsafeMutableBufferPointer { parts in
            elements.withUnsafeBufferPointer { elements in
                // Each thread writes the part of its own chunk only.
                nonisolated(unsafe) let (parts, elements) = (parts, elements)
                DedicatedThreads.forEachChunk(of: rowCount, chunk: chunk, threads: threads) { _, rows in
                    guard let source = elements.baseAddress, let target = parts.baseAddress else { return }
                    als_gram(
                        stride, source + rows.lowerBound * stride, rows.count,
                        target + rows.lowerBound / chunk * size)
                }
            }
        }
        var sum = Array(parts[..<size])
        for part in 1..<max(1, chunkCount) {
            for index in 0..<size { sum[index] += parts[part * size + index] }
        }
        for row in 0..<stride {
            for column in 0..<row { sum[row * stride + column] = sum[column * stride + row] }
            sum[row * stride + row] += ridge
        }
        return sum
    }
}
