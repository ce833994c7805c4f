// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Foundation
import TrackingClient

/// `apus tracking`.
struct TrackingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tracking", abstract: "Look after a tracking server: gc.",
        subcommands: [TrackingGarbageCommand.self])
}

/// `apus tracking gc`.
struct TrackingGarbageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract:
            "Erase for good the runs, models and experiments that were deleted, with their metrics and artifacts.",
        discussion: """
            Asks 'apus serve tracking' to do it, as 'mlflow gc' does for MLflow's server. A deleted experiment goes with \
            all its runs. Artifacts that are not kept by the server stay, and their places are printed.
            """)

    @OptionGroup var options: TrackingOptions
    @Option(help: "Only what was deleted so long ago, at least: 30d, 12h, 90m, 1d12h.") var olderThan: String?
    @Option(help: "Only these runs, separated by commas.") var runIds: String?
    @Option(help: "Only these experiments, separated by commas, with their runs.") var experimentIds: String?

    func validate() throws { _ = try age() }

    func run() async throws {
        let age = try age()
        let (runs, experiments) = (Self.ids(runIds), Self.ids(experimentIds))
        try await options.withClient { client in
            // What is named is out of sight after the first call.
            var record = try await client.collectGarbage(olderThan: age, runs: runs, experiments: experiments)
            var (runs, experiments, models) = (record.runs, record.experiments, record.models)
            var kept = record.keptArtifacts
            while !record.isDone {
                record = try await client.collectGarbage(olderThan: age, runs: [], experiments: [])
                runs += record.runs
                experiments += record.experiments
                models += record.models
                kept += record.keptArtifacts
            }
            switch options.format {
            case .json:
                let json: JSONValue = [
                    "runs": .int(Int64(runs)), "experiments": .int(Int64(experiments)), "models": .int(Int64(models)),
                    "failed": .int(Int64(record.failed)), "kept_artifacts": JSONValue(kept),
                ]
                print(json.text)
            case .table:
                print("Erased \(runs) runs, \(models) logged models and \(experiments) experiments.")
                for place in kept { print("Kept artifacts: \(place)") }
                if record.failed > 0 {
                    print("The artifacts of \(record.failed) runs or models could not be erased: call again.")
                }
            }
        }
    }

    private static func ids(_ text: String?) -> [String]? {
        text.map { $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty } }
    }

    private func age() throws -> Duration {
        guard let text = olderThan else { return .zero }
        guard let seconds = Self.seconds(text) else {
            throw ValidationError(
                "--older-than must be such as 30d, 12h, 90m, 45s or 1d12h, each unit once and in this order, not '\(text)'"
            )
        }
        return .seconds(seconds)
    }

    /// `1d2h3m4s`, each unit at most once and in this order; nil for anything else.
    static func seconds(_ text: String) -> Int64? {
        var rest = text[...]
        var result: Int64 = 0
        for (unit, factor) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] as [(Character, Int64)] {
            guard let end = rest.firstIndex(of: unit) else { continue }
            guard let number = Int64(rest[..<end]), number >= 0 else { return nil }
            let (part, isLarge) = number.multipliedReportingOverflow(by: factor)
            guard !isLarge, part < 1 << 40 else { return nil }
            result += part
            rest = rest[rest.index(after: end)...]
        }
        return rest.isEmpty && !text.isEmpty ? result : nil
    }
}
