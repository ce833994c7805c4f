// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ModelKit

@Suite struct ALSTests {
    private let ratings = SyntheticRatings.make(count: 6000, users: 150, items: 120, seed: 3)

    private func configuration(_ feedback: ALSConfiguration.Feedback, threads: Int = 2) -> ALSConfiguration {
        var configuration = ALSConfiguration()
        configuration.feedback = feedback
        configuration.factors = 11
        configuration.iterations = 4
        configuration.threads = threads
        return configuration
    }

    /// Solves matrix·x = right by Gaussian elimination in double precision.
    private func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double] {
        var (a, b) = (matrix, right)
        let n = b.count
        for k in 0..<n {
            for i in k + 1..<n {
                let factor = a[i][k] / a[k][k]
                for j in k..<n { a[i][j] -= factor * a[k][j] }
                b[i] -= factor * b[k]
            }
        }
        for k in (0..<n).reversed() {
            for j in k + 1..<n { b[k] -= a[k][j] * b[j] }
            b[k] /= a[k][k]
        }
        return b
    }

    @Test(arguments: [1, 5, 16, 17, 50, 64, 100])
    func rowsAreSolvedExactly(_ factors: Int) throws {
        var generator = SeededGenerator(seed: 9)
        let fixed = FactorMatrix(rowCount: 80, columnCount: factors, randomWithin: 1, generator: &generator)
        let columns = (0..<60).map { Int32($0) }
        let values = columns.map { _ in generator.unitFloat() * 4 + 0.5 }
        let (lambda, alpha) = (0.3, 2.0)
        var explicit = [[Double]](repeating: [Double](repeating: 0, count: factors), count: factors)
        var implicit = explicit
        var (explicitRight, implicitRight) = (
            [Double](repeating: 0, count: factors), [Double](repeating: 0, count: factors)
        )
        for row in 0..<80 {
            let y = fixed.row(row).map(Double.init)
            let value = row < 60 ? Double(values[row]) : 0
            for i in 0..<factors {
                for j in 0..<factors {
                    if row < 60 { explicit[i][j] += y[i] * y[j] }
                    implicit[i][j] += (1 + alpha * value) * y[i] * y[j]
                }
                explicitRight[i] += value * y[i]
                if row < 60 { implicitRight[i] += (1 + alpha * value) * y[i] }
            }
        }
        for i in 0..<factors {
            explicit[i][i] += lambda
            implicit[i][i] += lambda
        }
        let solver = RowSolver(stride: fixed.stride)
        let gram = fixed.gram(ridge: Float(lambda), chunk: 32, threads: 2)
        var exact = [Float](repeating: 0, count: fixed.stride)
        var weighted = exact
        var descended = exact
        columns.withUnsafeBufferPointer { columns in
            values.withUnsafeBufferPointer { values in
                fixed.elements.withUnsafeBufferPointer { elements in
                    guard let elements = elements.baseAddress else { return }
                    let problem = RowSolver.Problem(factors: elements, columns: columns, values: values)
                    solver.solveExplicit(problem, ridge: Float(lambda), into: &exact)
                    solver.solveImplicit(problem, gram: gram, alpha: Float(alpha), into: &weighted)
                    solver.improveImplicit(
                        problem, gram: gram, alpha: Float(alpha), steps: 100, solution: &descended)
                }
            }
        }
        func distance(_ found: [Float], _ expected: [Double]) -> Double {
            zip(found, expected).map { abs(Double($0) - $1) }.max() ?? .infinity
        }
        #expect(distance(exact, solve(explicit, explicitRight)) < 2e-2)
        #expect(distance(weighted, solve(implicit, implicitRight)) < 2e-2)
        #expect(distance(descended, solve(implicit, implicitRight)) < 2e-2)
        #expect(exact[factors...].allSatisfy { $0 == 0 })
    }

    @Test(arguments: [
        (ALSConfiguration.Feedback.explicit, ALSConfiguration.Solver.cholesky),
        (.implicit(alpha: 1), .cholesky), (.implicit(alpha: 1), .conjugateGradient(steps: 3)),
    ])
    func resultDependsOnTheSeedAndNotOnThreads(
        _ feedback: ALSConfiguration.Feedback, _ solver: ALSConfiguration.Solver
    ) throws {
        var results: [ALSFactors] = []
        for threads in [1, 2, 7] {
            var configuration = configuration(feedback, threads: threads)
            configuration.solver = solver
            results.append(try ALSTrainer(configuration).train(ratings))
        }
        #expect(results[0] == results[1])
        #expect(results[0] == results[2])
        var other = configuration(feedback)
        other.solver = solver
        other.seed = 43
        #expect(try ALSTrainer(other).train(ratings) != results[0])
    }

    @Test(arguments: [ALSConfiguration.Feedback.explicit, .implicit(alpha: 1)])
    func lossFalls(_ feedback: ALSConfiguration.Feedback) throws {
        var losses: [Double] = []
        _ = try ALSTrainer(configuration(feedback)).train(ratings) { progress, _ in
            if let loss = progress.loss { losses.append(loss) }
            return true
        }
        #expect(losses.count == 4)
        let (first, last) = (try #require(losses.first), try #require(losses.last))
        #expect(last < first)
    }

    @Test func canBeCancelled() throws {
        let trainer = try ALSTrainer(configuration(.explicit))
        let error = #expect(throws: ALSError.self) {
            try trainer.train(ratings) { progress, _ in progress.iteration < 2 }
        }
        #expect(error?.code == .cancelled)
    }

    @Test func badInputIsRefused() throws {
        let empty = SparseMatrix([], users: IDIndex([1]), items: IDIndex([1]))
        #expect(throws: ALSError.self) { try ALSTrainer(configuration(.explicit)).train(empty) }
        let users = IDIndex([1]), items = IDIndex([1])
        func matrix(_ value: Float) -> SparseMatrix {
            SparseMatrix([Interaction(user: 1, item: 1, value: value, timestamp: 0)], users: users, items: items)
        }
        #expect(throws: ALSError.self) { try ALSTrainer(configuration(.explicit)).train(matrix(.nan)) }
        #expect(throws: ALSError.self) { try ALSTrainer(configuration(.implicit(alpha: 1))).train(matrix(-1)) }
    }

    @Test func configurationsOutOfRangeAreRefused() {
        let changes: [(inout ALSConfiguration) -> Void] = [
            { $0.factors = 0 }, { $0.factors = 1025 }, { $0.iterations = 0 }, { $0.threads = 0 },
            { $0.regularization = 0 }, { $0.regularization = .nan }, { $0.userBiasDamping = -1 },
            { $0.feedback = .implicit(alpha: 0) }, { $0.solver = .conjugateGradient(steps: 3) },
            {
                $0.feedback = .implicit(alpha: 1)
                $0.solver = .conjugateGradient(steps: 0)
            },
        ]
        for change in changes {
            var configuration = ALSConfiguration()
            change(&configuration)
            #expect(throws: ALSError.self) { try ALSTrainer(configuration) }
        }
    }

    @Test func recallCountsTheRelevantAmongTheFirst() {
        #expect(Metrics.recall(recommended: [1, 2, 3], relevant: [2, 9], at: 10) == 0.5)
        #expect(Metrics.recall(recommended: [1, 2, 3], relevant: [3], at: 2) == 0)
        #expect(Metrics.recall(recommended: [1], relevant: []) == nil)
        #expect(Metrics.rmse([(predicted: 1, actual: 3), (predicted: 2, actual: 2)]) == 2.0.squareRoot())
        #expect(Metrics.rmse([]) == nil)
    }

    @Test func topNIsInOrder() {
        let scores: [Float] = [1, 5, .nan, 5, 3, 9]
        #expect(TopN.select(4, from: scores) { $0 != 5 } == [1, 3, 4, 0])
        #expect(TopN.select(0, from: scores) { _ in true }.isEmpty)
        #expect(TopN.select(100, from: scores) { _ in true } == [5, 1, 3, 4, 0])
    }
}
