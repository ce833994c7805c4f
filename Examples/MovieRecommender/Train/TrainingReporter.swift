// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ModelKit

/// Tells how training goes on, on standard output.
struct TrainingReporter: Sendable {
    let isJSON: Bool
    let isTerminal: Bool

    func start(version: String, train: Int, test: Int, _ configuration: ALSConfiguration) {
        guard !isJSON else {
            return printJSON([
                "dataset": .string(version), "train": JSONValue(train), "test": JSONValue(test),
                "factors": JSONValue(configuration.factors), "threads": JSONValue(configuration.threads),
            ])
        }
        StandardOutput.print(
            "training on \(version): \(train) ratings, \(test) held out, \(configuration.factors) factors, "
                + "lambda \(configuration.regularization), \(configuration.threads) threads")
    }

    func report(_ progress: ALSProgress) {
        let loss = progress.loss ?? 0
        if isJSON {
            printJSON([
                "iteration": JSONValue(progress.iteration), "iterations": JSONValue(progress.iterations),
                "loss": JSONValue(loss), "seconds": JSONValue(progress.seconds),
                "rmse": progress.holdOut.map { JSONValue($0) } ?? .null,
            ])
        } else if isTerminal {
            let width = 30
            let filled = width * progress.iteration / progress.iterations
            let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
            StandardOutput.print(
                "\r\(bar) \(progress.iteration)/\(progress.iterations)  loss \(Self.decimals(loss, 4))",
                terminator: progress.iteration == progress.iterations ? "\n" : "")
        } else {
            StandardOutput.print(
                "iteration \(progress.iteration)/\(progress.iterations) loss \(Self.decimals(loss, 4)) "
                    + "seconds \(Self.decimals(progress.seconds, 4))")
        }
    }

    func finish(_ model: String, alias: String, _ info: ALSModel.Info, _ comparison: ModelPublisher.Comparison) {
        if isJSON {
            var line: JSONValue = [
                "model": .string(model), "rmse": info.rmse.map { JSONValue($0) } ?? .null,
                "recallAt10": info.recallAt10.map { JSONValue($0) } ?? .null,
                "promoted": .bool(comparison.isPromoted),
            ]
            if case .against(let version, let value, _, _) = comparison {
                line["champion"] = ["version": .string(version), "measure": value.map { JSONValue($0) } ?? .null]
            }
            return printJSON(line)
        }
        if let rmse = info.rmse { StandardOutput.print("rmse \(Self.decimals(rmse, 4))") }
        if let recall = info.recallAt10 { StandardOutput.print("recall@10 \(Self.decimals(recall, 4))") }
        StandardOutput.print("registered \(model): \(Self.sentence(alias, comparison))")
    }

    /// What became of the alias, and why.
    static func sentence(_ alias: String, _ comparison: ModelPublisher.Comparison) -> String {
        switch comparison {
        case .first(let why): return "it is \(alias), \(why)"
        case .against(let version, let value, let isBetter, let isSame):
            let theirs = value.map { decimals($0, 4) } ?? "no measure"
            let note = isSame ? "" : " (which it has partly been trained on)"
            return isBetter
                ? "it is \(alias); version \(version) has \(theirs) on the same ratings\(note)"
                : "version \(version) stays \(alias) with \(theirs) on the same ratings\(note)"
        }
    }

    private func printJSON(_ value: JSONValue) { StandardOutput.print(value.text) }

    /// `value` with `places` decimals.
    static func decimals(_ value: Double, _ places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let digits = String(Int64(scaled))
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        let sign = value < 0 && scaled > 0 ? "-" : ""
        return places == 0 ? sign + padded : "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
    }
}
