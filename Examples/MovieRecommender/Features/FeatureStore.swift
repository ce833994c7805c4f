// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Logging
import ModelKit
import ServiceLifecycle

/// Follows the log of events and keeps data sets built from it.
actor FeatureStore: Service {
    /// Data sets kept at a time; the oldest goes first.
    private static let keptDatasets = 4
    /// Events asked for at a time.
    private static let pageSize = 10_000

    private let ingest: ServiceClient
    private let interval: Duration
    private let logger: Logger
    private let counters: Counters
    private var builder = DatasetBuilder()
    private var datasets: [Dataset] = []
    private(set) var titles: [Int64: Movie] = [:]
    private var hasCaughtUp = false

    init(ingest: ServiceURL, interval: Duration, logger: Logger, counters: Counters) {
        self.ingest = ServiceClient(ingest, timeout: .seconds(20))
        self.interval = interval
        self.logger = logger
        self.counters = counters
    }

    /// Why there is nothing to train on yet; nil when there is.
    var notReady: String? {
        if !hasCaughtUp { return "the events have not been read yet" }
        return builder.ratingCount == 0 ? "there are no ratings yet" : nil
    }

    /// Reads events until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            while !Task.isCancelled {
                do {
                    try await self.catchUp()
                    isFailing = false
                } catch is CancellationError {
                    return
                } catch {
                    if !isFailing { self.logger.warning("events cannot be read", metadata: ["error": "\(error)"]) }
                    isFailing = true
                }
                try? await Task.sleep(for: self.interval)
            }
        }
    }

    private func catchUp() async throws {
        if titles.isEmpty {
            for movie in try await ingest.getJSON("/v1/movies?limit=100000", limit: 1 << 27)["movies"].elements {
                guard let id = movie["id"].int, let title = movie["title"].string else { continue }
                titles[Int64(id)] = Movie(
                    id: Int64(id), title: title, genres: movie["genres"].elements.compactMap(\.string))
            }
        }
        while true {
            let path = "/v1/events?after=\(builder.sequence)&limit=\(Self.pageSize)"
            let lines = try await ingest.get(path, limit: 1 << 24).split(separator: UInt8(ascii: "\n"))
            for line in lines {
                guard let event = UserEvent(line: line) else {
                    throw PeerError(status: nil, description: "\(ingest.base) sent a line that is not an event")
                }
                builder.add(event)
            }
            counters.set("events", Double(builder.sequence))
            counters.set("ratings", Double(builder.ratingCount))
            if lines.count < Self.pageSize { break }
        }
        hasCaughtUp = true
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
