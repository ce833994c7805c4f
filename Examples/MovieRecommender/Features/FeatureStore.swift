// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Logging
import ModelKit
import ServiceLifecycle

/// Puts events in order and keeps data sets built from them.
actor FeatureStore: Service {
    /// Data sets kept at a time; the oldest goes first.
    private static let keptDatasets = 4
    /// Events read from the archive at a time.
    private static let pageSize = 10_000
    private static let retryDelay = Duration.milliseconds(500)

    private let ingest: ServiceClient
    private let logger: Logger
    private let counters: Counters
    private var order = EventOrder()
    private var builder = DatasetBuilder()
    private var datasets: [Dataset] = []
    private(set) var titles: [Int64: Movie] = [:]
    /// The last event that `ingest` had when this started; nil until it said so.
    private var goal: Int64?

    init(ingest: ServiceURL, logger: Logger, counters: Counters) {
        self.ingest = ServiceClient(ingest, timeout: .seconds(20))
        self.logger = logger
        self.counters = counters
    }

    /// Why there is nothing to train on yet; nil when there is.
    var notReady: String? {
        guard let goal else { return "ingest has not answered yet" }
        if builder.sequence < goal { return "\(builder.sequence) of \(goal) events have been read" }
        return builder.ratingCount == 0 ? "there are no ratings yet" : nil
    }

    /// Takes in what was archived before.
    func load(_ archive: EventArchive) async throws {
        var position: Int64 = 0
        while true {
            let events = try await archive.events(after: position, limit: Self.pageSize)
            add(events)
            guard let last = events.last else { return }
            position = last.sequence
        }
    }

    /// Takes in events, in any order and more than once.
    func add(_ events: [UserEvent]) {
        for event in events { order.add(event) { builder.add($0) } }
        counters.set("events", Double(builder.sequence))
        counters.set("events_waiting", Double(order.waitingCount))
        counters.set("ratings", Double(builder.ratingCount))
    }

    /// Asks `ingest`, until it answers, for the catalogue and how many events there are. Ends at graceful shutdown.
    func run() async throws {
        await learn()
        // A service that ends before takes the others with it.
        try? await gracefulShutdown()
    }

    private func learn() async {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            while !Task.isCancelled {
                do {
                    return try await self.askIngest()
                } catch is CancellationError {
                    return
                } catch {
                    if !isFailing { self.logger.warning("ingest does not answer", metadata: ["error": "\(error)"]) }
                    isFailing = true
                }
                try? await Task.sleep(for: Self.retryDelay)
            }
        }
    }

    private func askIngest() async throws {
        let movies = try await ingest.getJSON("/v1/movies?limit=100000", limit: 1 << 27)["movies"].elements
        for movie in movies {
            guard let id = movie["id"].int, let title = movie["title"].string else { continue }
            titles[Int64(id)] = Movie(
                id: Int64(id), title: title, genres: movie["genres"].elements.compactMap(\.string))
        }
        guard let last = try await ingest.getJSON("/v1/events/last")["sequence"].int else {
            throw PeerError(status: nil, description: "\(ingest.base) did not say how many events there are")
        }
        goal = Int64(last)
    }

    /// The data set of all events so far, divided by `split`.
    func latest(_ split: DatasetSplit) async throws -> Dataset {
        if let notReady { throw RequestError(.serviceUnavailable, notReady) }
        let version = Dataset.version(builder.sequence, split)
        if let kept = datasets.first(where: { $0.version == version }) { return kept }
        let builder = builder
        let dataset = try await DedicatedThreads.run { builder.snapshot(split) }
        // Another request may have built the same one meanwhile.
        if !datasets.contains(where: { $0.version == version }) {
            datasets.append(dataset)
            if datasets.count > Self.keptDatasets { datasets.removeFirst() }
            counters.add("datasets_built_total")
        }
        return dataset
    }

    /// A data set that is still kept.
    func dataset(_ version: String) throws -> Dataset {
        guard let dataset = datasets.first(where: { $0.version == version }) else {
            throw RequestError(.notFound, "there is no data set \(version.prefix(100)) (any more); ask for the latest")
        }
        return dataset
    }
}
