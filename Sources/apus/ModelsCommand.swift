// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Foundation
import TrackingClient

/// `apus models`.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract:
            "Look at the registered models, and say which version serves, and serve one: list, history, promote, serve.",
        discussion: "Asks 'apus serve tracking', or MLflow's own server.",
        subcommands: [
            ModelsListCommand.self, ModelsHistoryCommand.self, ModelsPromoteCommand.self, ModelsServeCommand.self,
        ])
}

/// `apus models ls`.
struct ModelsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List the registered models.")

    @OptionGroup var options: TrackingOptions
    @Option(help: "In MLflow's grammar: \"name ILIKE '%movie%'\".") var filter = ""
    @Option(help: "Order, such as \"last_updated_timestamp DESC\"; may be given several times. (default: by name)")
    var order: [String] = []
    @Option(name: [.customShort("n"), .long], help: "How many at most.") var limit = 100

    func validate() throws {
        guard (1...1_000_000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 1000000, not \(limit)")
        }
    }

    func run() async throws {
        try await options.withClient { client in
            let models = try await client.collect(limit: limit) { maximum, token throws(TrackingClientError) in
                try await client.searchRegisteredModels(filter: filter, order: order, maximum: maximum, token: token)
            }
            let head = ["NAME", "LATEST", "ALIASES", "UPDATED", "DESCRIPTION"]
            options.show(models, none: "No models found.", head: head) { model in
                let latest = model.latest.compactMap { Int($0.version) }.max()
                let aliases = model.aliases.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                return [
                    model.name, latest.map { "\($0)" } ?? "-", aliases.isEmpty ? "-" : aliases.joined(separator: ","),
                    TrackingText.time(model.updated), TrackingText.line(model.description),
                ]
            }
        }
    }
}

/// `apus models history`.
struct ModelsHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show the versions of a model, the latest first: aliases, metrics of their runs, who made them, when."
    )

    /// A version and the run that made it; nil where there is none, or it is gone.
    struct Entry: TrackingRecord {
        let version: ModelVersionRecord
        let run: RunRecord?

        var json: JSONValue {
            var json = version.json
            json["run"] = run?.json ?? .null
            return json
        }

        var user: String {
            let names = [version.user, run?.tags["mlflow.user"] ?? "", run?.user ?? ""]
            return names.first { !$0.isEmpty } ?? "-"
        }
    }

    @OptionGroup var options: TrackingOptions
    @Argument(help: "Name.") var name: String
    @Option(name: [.customShort("n"), .long], help: "How many versions at most.") var limit = 50

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be 1 to 10000, not \(limit)") }
        guard !name.contains("'") else { throw ValidationError("no model's name has a quote in it") }
    }

    func run() async throws {
        try await options.withClient { client in
            guard let model = try await client.registeredModel(name) else {
                throw fail("there is no model '\(name)' at \(client.base)")
            }
            let versions = try await client.collect(limit: limit) { maximum, token throws(TrackingClientError) in
                try await client.searchModelVersions(
                    filter: "name = '\(name)'", order: ["version_number DESC"], maximum: maximum, token: token)
            }
            var entries: [Entry] = []
            for version in versions {
                entries.append(Entry(version: version, run: try await run(of: version, client)))
            }
            let head = ["VERSION", "ALIASES", "CREATED", "BY", "RUN", "METRICS", "DESCRIPTION"]
            options.show(entries, none: "\(name) has no versions.", head: head) { entry in
                let version = entry.version
                // Searches of some versions of MLflow leave the aliases of versions out.
                let aliases = model.aliases.filter { $0.value == version.version }.keys.sorted()
                return [
                    version.version, aliases.isEmpty ? "-" : aliases.joined(separator: ","),
                    TrackingText.time(version.created), TrackingText.line(entry.user, 30),
                    version.runID.isEmpty ? "-" : version.runID, TrackingText.metrics(entry.run?.metrics ?? [:]),
                    TrackingText.line(version.description),
                ]
            }
        }
    }

    private func run(
        of version: ModelVersionRecord, _ client: TrackingClient
    ) async throws(TrackingClientError) -> RunRecord? {
        guard !version.runID.isEmpty else { return nil }
        do throws(TrackingClientError) {
            return try await client.run(version.runID)
        } catch {
            if error.code == .notFound || error.code == .denied { return nil }
            throw error
        }
    }
}

/// `apus models promote`.
struct ModelsPromoteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote", abstract: "Give a version of a model an alias: what follows the alias, follows.")

    @OptionGroup var options: TrackingOptions
    @Argument(help: "Name.") var name: String
    @Argument(help: "Version.") var version: String
    @Option(help: "The alias.") var alias = "champion"

    func run() async throws {
        try await options.withClient { client in
            let before = try await client.modelVersion(name, alias: alias)
            try await client.setAlias(name, alias, version: version)
            let now = try await client.modelVersion(name, version)
            switch options.format {
            case .json: print(now.json.text)
            case .table:
                let was = before.map { $0.version == version ? " already" : " (before: version \($0.version))" } ?? ""
                print("models:/\(name)@\(alias) is version \(version)\(was)")
            }
        }
    }
}
