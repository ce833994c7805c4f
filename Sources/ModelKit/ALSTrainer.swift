// SPDX-License-Identifier: Apache-2.0
internal import CALSKernels

/// What training gives: factors, and biases where feedback is explicit.
package struct ALSFactors: Sendable, Equatable {
    /// The biases; zero for implicit feedback.
    package var biases: Biases
    /// One row for each user.
    package var users: FactorMatrix
    /// One row for each item.
    package var items: FactorMatrix

    /// The inner product of a user's and an item's factors.
    func score(_ user: Int, _ item: Int32) -> Float {
        let stride = users.stride
        return users.elements.withUnsafeBufferPointer { users in
            items.elements.withUnsafeBufferPointer { items in
                guard let user = users.baseAddress.map({ $0 + user * stride }), let items = items.baseAddress else {
                    return 0
                }
                var (item, score) = (item, Float(0))
                als_scores(stride, items, &item, 1, user, &score)
                return score
            }
        }
    }
}

/// Alternating least squares: users' factors are solved with items' fixed, then the reverse.
///
/// Rows are independent of each other, so each is solved by one thread, and every sum over rows is taken in a fixed
/// order: the result depends on the seed, not on the number of threads.
package struct ALSTrainer: Sendable {
    /// Rows a thread takes at a time.
    private static let chunk = 64
    /// Rows summed up into one Gram matrix before the sums are added in order.
    private static let gramChunk = 8192

    /// How to train.
    package let configuration: ALSConfiguration

    /// A trainer; throws when the configuration is invalid.
    package init(_ configuration: ALSConfiguration) throws(ALSError) {
        try configuration.validate()
        self.configuration = configuration
    }

    /// Trains on `ratings` (a row for each user). Blocks for the whole training: call it on a thread of its own.
    ///
    /// - Parameters:
    ///   - ratings: users × items.
    ///   - progress: called on the calling thread after each iteration; returning false cancels.
    /// - Returns: the factors after the last iteration.
    /// - Throws: `ALSError` when there is nothing to train on, a value is not allowed, or training was cancelled.
    package func train(
        _ ratings: SparseMatrix, progress: (ALSProgress, ALSFactors) -> Bool = { _, _ in true }
    ) throws(ALSError) -> ALSFactors {
        try check(ratings)
        var generator = SeededGenerator(seed: configuration.seed)
        let width = configuration.factors
        let scale = 0.1 / Float(width).squareRoot()
        let biases: Biases
        let byUser: SparseMatrix
        switch configuration.feedback {
        case .explicit:
            let fitted = Biases(
                fitting: ratings, userDamping: configuration.userBiasDamping,
                itemDamping: configuration.itemBiasDamping)
            byUser = ratings.mapValues { row, column, value in value - fitted.base(row, column) }
            biases = fitted
        case .implicit:
            biases = Biases(
                mean: 0, users: Array(repeating: 0, count: ratings.rowCount),
                items: Array(repeating: 0, count: ratings.columnCount))
            byUser = ratings
        }
        let byItem = byUser.transposed()
        var factors = ALSFactors(
            biases: biases,
            users: FactorMatrix(
                rowCount: ratings.rowCount, columnCount: width, randomWithin: scale, generator: &generator),
            items: FactorMatrix(
                rowCount: ratings.columnCount, columnCount: width, randomWithin: scale, generator: &generator))
        let clock = ContinuousClock()
        for iteration in 1...configuration.iterations {
            let start = clock.now
            solve(byUser, fixed: factors.items, into: &factors.users)
            solve(byItem, fixed: factors.users, into: &factors.items)
            let (seconds, attoseconds) = (clock.now - start).components
            let report = ALSProgress(
                iteration: iteration, iterations: configuration.iterations,
                seconds: Double(seconds) + Double(attoseconds) / 1e18,
                loss: configuration.reportsLoss ? loss(byUser, factors) : nil)
            guard progress(report, factors) else {
                throw ALSError(.cancelled, "training was cancelled after iteration \(iteration)")
            }
        }
        return factors
    }

    private func check(_ ratings: SparseMatrix) throws(ALSError) {
        guard ratings.count > 0 else { throw ALSError(.invalidData, "there are no ratings to train on") }
        var isImplicit = false
        if case .implicit = configuration.feedback { isImplicit = true }
        for value in ratings.values where !value.isFinite || (isImplicit && value <= 0) {
            throw ALSError(
                .invalidData, "a value is \(value), expected a \(isImplicit ? "positive" : "finite") number")
        }
    }

    /// Solves every row of `matrix` with the other side's factors `fixed`.
    private func solve(_ matrix: SparseMatrix, fixed: FactorMatrix, into solutions: inout FactorMatrix) {
        let width = fixed.stride
        let configuration = configuration
        let gram: [Float] =
            switch configuration.feedback {
            case .explicit: []
            case .implicit: self.gram(fixed, ridge: configuration.regularization)
            }
        let solvers = (0..<configuration.threads).map { _ in RowSolver(stride: width) }
        solutions.elements.withUnsafeMutableBufferPointer { solutions in
            fixed.elements.withUnsafeBufferPointer { fixed in
                matrix.columns.withUnsafeBufferPointer { columns in
                    matrix.values.withUnsafeBufferPointer { values in
                        gram.withUnsafeBufferPointer { gram in
                            // Each thread writes only the solution rows of the chunks it took and uses only its own
                            // solver; everything else is read.
                            nonisolated(unsafe) let solvers = solvers
                            nonisolated(unsafe) let solutions = solutions
                            nonisolated(unsafe) let (fixed, columns, values, gram) = (fixed, columns, values, gram)
                            DedicatedThreads.forEachChunk(
                                of: matrix.rowCount, chunk: Self.chunk, threads: configuration.threads
                            ) { worker, rows in
                                guard let target = solutions.baseAddress, let source = fixed.baseAddress else { return }
                                for row in rows {
                                    let range = matrix.offsets[row]..<matrix.offsets[row + 1]
                                    let problem = RowSolver.Problem(
                                        factors: source, columns: UnsafeBufferPointer(rebasing: columns[range]),
                                        values: UnsafeBufferPointer(rebasing: values[range]))
                                    configuration.solve(
                                        problem, gram: gram.baseAddress, with: solvers[worker],
                                        width: width, into: target + row * width)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// YᵀY + ridge·I in fixed chunks, added in order.
    private func gram(_ factors: FactorMatrix, ridge: Float) -> [Float] {
        factors.gram(ridge: ridge, chunk: Self.gramChunk, threads: configuration.threads)
    }

    /// RMSE on the training ratings, or the implicit loss per stored entry.
    private func loss(_ byUser: SparseMatrix, _ factors: ALSFactors) -> Double {
        switch configuration.feedback {
        case .explicit:
            let squares = sumOverRows(byUser) { row, position in
                let error =
                    byUser.values[position] - factors.score(row, byUser.columns[position])
                return Double(error) * Double(error)
            }
            return (squares / Double(byUser.count)).squareRoot()
        case .implicit(let alpha):
            let stored = sumOverRows(byUser) { row, position in
                let confidence = 1 + alpha * byUser.values[position]
                let score = factors.score(row, byUser.columns[position])
                return Double(confidence * (1 - score) * (1 - score) - score * score)
            }
            // Σ over all pairs of (xᵀy)² is the sum of the products of the two Gram matrices' elements.
            let (users, items) = (gram(factors.users, ridge: 0), gram(factors.items, ridge: 0))
            var all = 0.0
            var squares = 0.0
            let width = factors.users.stride
            for row in 0..<configuration.factors {
                for column in 0...row {
                    let product = Double(users[row * width + column]) * Double(items[row * width + column])
                    all += row == column ? product : 2 * product
                }
                squares += Double(users[row * width + row]) + Double(items[row * width + row])
            }
            return (stored + all + Double(configuration.regularization) * squares) / Double(byUser.count)
        }
    }

    private func sumOverRows(_ matrix: SparseMatrix, _ term: @Sendable (Int, Int) -> Double) -> Double {
        var sums = [Double](repeating: 0, count: matrix.rowCount)
        sums.withUnsafeMutableBufferPointer { sums in
            // Each thread writes the elements of its own chunks only.
            nonisolated(unsafe) let sums = sums
            DedicatedThreads.forEachChunk(of: matrix.rowCount, chunk: Self.chunk, threads: configuration.threads) {
                _, rows in
                for row in rows {
                    for position in matrix.offsets[row]..<matrix.offsets[row + 1] { sums[row] += term(row, position) }
                }
            }
        }
        return sums.reduce(0, +)
    }
}

extension ALSConfiguration {
    /// Solves one row. A row without entries gets zeros.
    func solve(
        _ problem: RowSolver.Problem, gram: UnsafePointer<Float>?, with solver: RowSolver, width: Int,
        into solution: UnsafeMutablePointer<Float>
    ) {
        guard !problem.columns.isEmpty else { return solution.update(repeating: 0, count: width) }
        switch (feedback, self.solver) {
        case (.explicit, _):
            solver.solveExplicit(problem, ridge: regularization * Float(problem.columns.count), into: solution)
        case (.implicit(let alpha), .cholesky):
            guard let gram else { return }
            solver.solveImplicit(problem, gram: gram, alpha: alpha, into: solution)
        case (.implicit(let alpha), .conjugateGradient(let steps)):
            guard let gram else { return }
            solver.improveImplicit(problem, gram: gram, alpha: alpha, steps: steps, solution: solution)
        }
    }
}
