// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat
import DeltaProtocol
import HTTPTypes
import LakeEngine
import Logging
import ModelKit
import ServiceLifecycle

/// Follows the tables: makes data sets of their versions, and keeps a copy of the features to look up.
actor FeatureStore: Service {
    /// A data set.
    struct Dataset: Sendable {
        let name: DatasetName
        let train: [Interaction]
        let test: [Interaction]
    }

    /// How often the table is asked for a newer version, before it has all events and afterwards.
    private static let eagerInterval = Duration.milliseconds(100)
    private static let interval = Duration.milliseconds(500)

    private let reader: LakeReader
    private let library: QueryLibrary
    private let ingest: ServiceClient
    /// How long a change waits for others before the lookup is made anew.
    private let delay: Duration
    private let logger: Logger
    private let counters: Counters
    private var ratings: DeltaSnapshot?
    private var lookup: FeatureLookup?
    /// The last one that was made: train and test are asked for one after the other.
    private var dataset: Dataset?
    /// The last event that `ingest` had when this started; nil until it said so.
    private var goal: Int64?

    init(
        _ reader: LakeReader, _ library: QueryLibrary, ingest: ServiceURL, delay: Duration, logger: Logger,
        counters: Counters
    ) {
        self.reader = reader
        self.library = library
        self.ingest = ServiceClient(ingest, timeout: .seconds(20))
        self.delay = delay
        self.logger = logger
        self.counters = counters
    }

    /// Why there is nothing to train on yet; nil when there is.
    var notReady: String? {
        guard let goal else { return "ingest has not answered yet" }
        guard let ratings else { return "there is no table of ratings yet" }
        let events = Self.events(ratings)
        if events < goal { return "the tables have \(events) of \(goal) events" }
        return ratings.files.isEmpty ? "there are no ratings yet" : nil
    }

    /// Up to which number the tables have all events.
    private static func events(_ snapshot: DeltaSnapshot) -> Int64 {
        snapshot.transactions[EventTables.watermark]?.version ?? 0
    }

    // MARK: Following

    /// Follows until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var lastError: String?
            var changed: ContinuousClock.Instant?
            while !Task.isCancelled {
                do {
                    if try await self.look() { changed = changed ?? .now }
                    if let since = changed, since.duration(to: .now) >= self.delay, await self.notReady == nil {
                        _ = try await self.refresh()
                        changed = nil
                    }
                    lastError = nil
                } catch is CancellationError {
                    return
                } catch {
                    let text = "\(error)"
                    if text != lastError { self.logger.warning("no features yet", metadata: ["error": "\(text)"]) }
                    lastError = text
                    self.counters.add("failures_total")
                }
                try? await Task.sleep(for: await self.notReady == nil ? Self.interval : Self.eagerInterval)
            }
        }
    }

    /// - Returns: whether the table of ratings has changed.
    private func look() async throws -> Bool {
        if goal == nil {
            goal = try await ingest.getJSON("/v1/events/last")["sequence"].int.map { Int64($0) }
        }
        let snapshot: DeltaSnapshot
        do throws(DeltaError) {
            snapshot = try await reader.latestRatings()
        } catch {
            // Made by `tables`.
            guard error.code == .notATable else { throw error }
            return false
        }
        guard snapshot.version != ratings?.version else { return false }
        ratings = snapshot
        counters.set("events", Double(Self.events(snapshot)))
        counters.set("ratings", Double(snapshot.rowCount ?? 0))
        counters.set("ratings_version", Double(snapshot.version))
        return true
    }

    private func refresh() async throws -> FeatureLookup {
        let versions = try await reader.versions()
        let made = try await FeatureLookup(reader, library, over: versions)
        if made.version > lookup?.version ?? -1 { lookup = made }
        counters.add("lookups_built_total")
        counters.set("lookup_version", Double(made.version))
        Lake.giveMemoryBack()
        return made
    }

    // MARK: Answering

    /// The features to look up: those that there are, which are a little behind the tables.
    func features() async throws -> FeatureLookup {
        if let lookup { return lookup }
        if let notReady { throw RequestError(.serviceUnavailable, notReady) }
        return try await refresh()
    }

    /// The data set of all ratings so far, divided by `split`.
    func latest(_ split: DatasetSplit) async throws -> Dataset {
        if let notReady { throw RequestError(.serviceUnavailable, notReady) }
        return try await dataset(DatasetName(version: ratings?.version ?? 0, split: split))
    }

    /// A data set, made again where it is not the last one.
    /// - Throws: `RequestError`, 404, where the table has not that version, or has it no more.
    func dataset(_ name: DatasetName) async throws -> Dataset {
        if let dataset, dataset.name == name { return dataset }
        let versions: LakeReader.Versions
        do throws(DeltaError) {
            versions = try await reader.versions(ratings: name.version)
        } catch {
            guard error.code == .noSuchVersion || error.code == .notATable else { throw error }
            throw RequestError(.notFound, "there is no data set \(name) (any more): \(error)")
        }
        let sql =
            switch name.split {
            case .time(let fraction): try library["split_time"].sql(with: ["holdout": .double(fraction)])
            case .random(let fraction, let seed):
                try library["split_random"].sql(with: ["holdout": .double(fraction), "seed": .bigint(seed)])
            }
        let made = try await reader.run(
            "SELECT user_id, movie_id, rating, rated_at, is_test FROM (\(sql)) divided ORDER BY user_id, movie_id",
            over: versions
        ) { result in
            try await Self.read(result, name)
        }
        counters.add("datasets_built_total")
        dataset = made
        Lake.giveMemoryBack()
        return made
    }

    private static func read(_ result: LakeResult, _ name: DatasetName) async throws -> Dataset {
        var train: [Interaction] = []
        var test: [Interaction] = []
        while let batch = try await result.next() {
            for row in 0..<batch.rowCount {
                guard let user = batch.column(0).int64(row), let item = batch.column(1).int64(row),
                    let value = batch.column(2).double(row), let time = batch.column(3).microseconds(row),
                    let isTest = batch.column(4).bool(row)
                else { throw CommandFailure("the query of \(name) gave a row with NULL in it") }
                let interaction = Interaction(
                    user: user, item: item, value: Float(value), timestamp: time / 1_000_000)
                if isTest { test.append(interaction) } else { train.append(interaction) }
            }
        }
        return Dataset(name: name, train: train, test: test)
    }

    /// A query's rows over the latest tables, as CSV.
    func csv(_ name: String) async throws -> [UInt8] {
        let query = try library[name]
        if let notReady { throw RequestError(.serviceUnavailable, notReady) }
        return try await reader.run(query.sql, over: try await reader.versions()) { result in
            var text = Array(ResultText.csv(header: result.schema).utf8)
            while let batch = try await result.next() {
                for row in batch.rows { text.append(contentsOf: ResultText.csv(row).utf8) }
            }
            return text
        }
    }

    /// The names of the queries.
    nonisolated var queryNames: [String] { library.queries.keys.sorted() }
}
