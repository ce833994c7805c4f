// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import ModelKit

/// Measures training, for Benchmarks/als.py.
struct BenchALSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-als", abstract: "Measure seconds per iteration of training; prints JSON.")

    @Option(help: "Synthetic ratings.")
    var ratings = 20_000_000

    @Option(help: "Latent factors.")
    var factors = 64

    @Option(help: "Threads.")
    var threads = DedicatedThreads.processorCount

    @Option(help: "Iterations.")
    var iterations = 3

    @Option(help: "MovieLens folder to take the ratings from instead.")
    var movielens: String?

    @Option(help: "File that the matrix is written to (three arrays, little-endian), so that a peer gets the same.")
    var dump: String?

    func run() async throws {
        let (count, factors, threads, iterations) = (ratings, factors, threads, iterations)
        let (movielens, dump) = (movielens, dump)
        let report = try await DedicatedThreads.run {
            let matrix: SparseMatrix
            if let movielens {
                let data = try MovieLens(folder: movielens)
                matrix = SparseMatrix(
                    data.ratings, users: IDIndex(data.ratings.map(\.user)), items: IDIndex(data.ratings.map(\.item)))
            } else {
                matrix = SyntheticRatings.make(
                    count: count, users: max(10, count / 145), items: max(100, count / 750), seed: 1)
            }
            if let dump { try BinaryFile.write(matrix.dump, to: dump) }
            var report: JSONValue = [
                "ratings": JSONValue(matrix.count), "users": JSONValue(matrix.rowCount),
                "items": JSONValue(matrix.columnCount), "factors": JSONValue(factors), "threads": JSONValue(threads),
            ]
            for (name, feedback, solver) in [
                ("implicitCG", .implicit(alpha: 1), .conjugateGradient(steps: 3)),
                ("implicitCholesky", .implicit(alpha: 1), .cholesky), ("explicit", .explicit, .cholesky),
            ] as [(String, ALSConfiguration.Feedback, ALSConfiguration.Solver)] {
                var configuration = ALSConfiguration()
                configuration.feedback = feedback
                configuration.solver = solver
                configuration.factors = factors
                configuration.threads = threads
                configuration.iterations = iterations
                configuration.regularization = 0.05
                configuration.reportsLoss = false
                var seconds: [Double] = []
                _ = try ALSTrainer(configuration).train(matrix) { progress, _ in
                    seconds.append(progress.seconds)
                    return true
                }
                report[name] = .array(seconds.map { JSONValue($0) })
            }
            return report
        }
        StandardOutput.print(report.text)
    }
}
