// SPDX-License-Identifier: Apache-2.0
internal import CALSKernels

/// Solves the least-squares problem of one row with the other side's factors fixed. One per thread: it owns scratch
/// memory. Rows of factors are padded (`FactorMatrix.stride`).
final class RowSolver {
    /// What one row's problem is made of.
    struct Problem {
        /// The factors of the other side.
        let factors: UnsafePointer<Float>
        /// The other side's rows that this row refers to.
        let columns: UnsafeBufferPointer<Int32>
        /// Their values: residual ratings, or weights of interest.
        let values: UnsafeBufferPointer<Float>
    }

    /// Rows gathered at a time: they should stay in the second-level cache.
    private static let blockRows = 1024

    private let width: Int
    // Memory of its own rather than arrays: class fields that are arrays pay an exclusivity check at each access.
    private let memory: UnsafeMutablePointer<Float>
    private let block: UnsafeMutablePointer<Float>
    private let matrix: UnsafeMutablePointer<Float>
    private let scale: UnsafeMutablePointer<Float>
    private let weight: UnsafeMutablePointer<Float>
    private let right: UnsafeMutablePointer<Float>
    private let residual: UnsafeMutablePointer<Float>
    private let direction: UnsafeMutablePointer<Float>
    private let product: UnsafeMutablePointer<Float>

    /// A solver for rows of `stride` elements.
    init(stride: Int) {
        width = stride
        let count = Self.blockRows * (stride + 2) + stride * stride + 4 * stride
        memory = .allocate(capacity: count)
        memory.initialize(repeating: 0, count: count)
        block = memory
        matrix = block + Self.blockRows * stride
        scale = matrix + stride * stride
        weight = scale + Self.blockRows
        right = weight + Self.blockRows
        residual = right + stride
        direction = residual + stride
        product = direction + stride
    }

    deinit { memory.deallocate() }

    /// Ridge regression of the values on the factors: (YᵀY + ridge·I) x = Yᵀ r. Writes x to `solution`.
    func solveExplicit(_ problem: Problem, ridge: Float, into solution: UnsafeMutablePointer<Float>) {
        matrix.update(repeating: 0, count: width * width)
        for diagonal in 0..<width { matrix[diagonal * width + diagonal] = ridge }
        right.update(repeating: 0, count: width)
        forEachBlock(problem) { columns, values, count in
            als_gather(width, problem.factors, columns, count, nil, block)
            als_gram(width, block, count, matrix)
            als_weighted_sum(width, block, nil, count, values, right)
        }
        factorise(into: solution)
    }

    /// (G + Σ αr·yyᵀ) x = Σ (1 + αr)·y, where `gram` is G = YᵀY + λI. Writes x to `solution`.
    func solveImplicit(
        _ problem: Problem, gram: UnsafePointer<Float>, alpha: Float, into solution: UnsafeMutablePointer<Float>
    ) {
        matrix.update(from: gram, count: width * width)
        right.update(repeating: 0, count: width)
        forEachBlock(problem) { columns, values, count in
            for row in 0..<count {
                // √(αr)·y gathers Σ αr·yyᵀ; the right-hand side takes its (1 + αr)/√(αr).
                scale[row] = max(alpha * values[row], 1e-12).squareRoot()
                weight[row] = (1 + alpha * values[row]) / scale[row]
            }
            als_gather(width, problem.factors, columns, count, scale, block)
            als_gram(width, block, count, matrix)
            als_weighted_sum(width, block, nil, count, weight, right)
        }
        factorise(into: solution)
    }

    /// A few conjugate-gradient steps towards `solveImplicit`'s solution, from what `solution` holds.
    func improveImplicit(
        _ problem: Problem, gram: UnsafePointer<Float>, alpha: Float, steps: Int,
        solution: UnsafeMutablePointer<Float>
    ) {
        // residual = Σ (1 + c − c·yᵀx)·y − G x, with c = αr
        for index in 0..<width { direction[index] = -solution[index] }
        residual.update(repeating: 0, count: width)
        als_weighted_sum(width, gram, nil, width, direction, residual)
        forEachBlock(problem) { columns, values, count in
            for row in 0..<count {
                scale[row] = alpha * values[row]
                weight[row] = 1 + scale[row]
            }
            als_normal_pass(width, problem.factors, columns, count, weight, scale, direction, residual)
        }
        direction.update(from: residual, count: width)
        var energy = squaredLength(of: residual)
        for _ in 0..<steps {
            guard energy > 1e-20 else { return }
            product.update(repeating: 0, count: width)
            als_weighted_sum(width, gram, nil, width, direction, product)
            forEachBlock(problem) { columns, values, count in
                for row in 0..<count { scale[row] = alpha * values[row] }
                als_normal_pass(width, problem.factors, columns, count, nil, scale, direction, product)
            }
            var curvature: Float = 0
            for index in 0..<width { curvature += direction[index] * product[index] }
            guard curvature > 0 else { return }
            let length = energy / curvature
            for index in 0..<width {
                solution[index] += length * direction[index]
                residual[index] -= length * product[index]
            }
            let newEnergy = squaredLength(of: residual)
            let ratio = newEnergy / energy
            for index in 0..<width { direction[index] = residual[index] + ratio * direction[index] }
            energy = newEnergy
        }
    }

    private func forEachBlock(
        _ problem: Problem, _ body: (UnsafePointer<Int32>, UnsafePointer<Float>, Int) -> Void
    ) {
        guard let columns = problem.columns.baseAddress, let values = problem.values.baseAddress else { return }
        var start = 0
        while start < problem.columns.count {
            let count = min(Self.blockRows, problem.columns.count - start)
            body(columns + start, values + start, count)
            start += count
        }
    }

    private func factorise(into solution: UnsafeMutablePointer<Float>) {
        // A ridge above zero keeps the matrix positive definite; should rounding defeat it all the same, the row
        // keeps its previous solution.
        guard als_cholesky(width, matrix, right) == 0 else { return }
        solution.update(from: right, count: width)
    }

    private func squaredLength(of vector: UnsafeMutablePointer<Float>) -> Float {
        var sum: Float = 0
        for index in 0..<width { sum += vector[index] * vector[index] }
        return sum
    }
}
