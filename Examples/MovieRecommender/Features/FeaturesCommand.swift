// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import HTTPTypes
import Hummingbird
import ModelKit

/// Turns events into data sets for training.
struct FeaturesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "features", abstract: "Turn events into versioned data sets, divided into train and test.",
        discussion: "Reads the topic of events as the consumer group \(EventFollower.group); one process at a time.")

    @Option(help: "HOST:PORT to listen on; without HOST, POD_IP or else 127.0.0.1.")
    var listen = ListenAddress(port: 7002)

    @Option(help: "Base address of ingest.")
    var ingest = ServiceURL(localPort: 7001)

    @Option(help: "Folder of what was read; created when missing.", transform: VolumeFolder.resolve)
    var store = "./features-data"

    @OptionGroup var topic: EventTopicOptions

    func run() async throws {
        let topic = try topic.topic(client: "features")
        let logger = ServiceHost.logger("features")
        let counters = Counters()
        let archive: EventArchive
        do {
            try BinaryFile.makeFolder(store)
            archive = try EventArchive(path: "\(store)/features.sqlite")
        } catch {
            throw CommandFailure("the database in \(store) cannot be opened: \(error)")
        }
        let store = FeatureStore(ingest: ingest, logger: logger, counters: counters)
        try await store.load(archive)
        let follower = EventFollower(
            topic: topic, archive: archive, store: store, logger: logger, counters: counters)
        let host = ServiceHost(role: "features", address: listen, counters: counters) { await store.notReady }
        let router = host.router()
        FeaturesRoutes(store: store).add(to: router)
        try await host.run(router, services: [store, follower])
        try archive.close()
    }
}

/// The HTTP interface of `features`.
struct FeaturesRoutes: Sendable {
    let store: FeatureStore

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/datasets/latest") { request, _ in
            let dataset = try await store.latest(try split(request))
            return Response.json([
                "version": .string(dataset.version), "users": JSONValue(dataset.users.count),
                "items": JSONValue(dataset.items.count), "train": JSONValue(dataset.train.count),
                "test": JSONValue(dataset.test.count), "holdout": JSONValue(dataset.split.fraction),
            ])
        }
        router.get("/v1/datasets/{version}/{part}") { _, context in
            let dataset = try await store.dataset(context.parameters.get("version") ?? "")
            let titles = await store.titles
            let part = context.parameters.get("part") ?? ""
            let bytes = try await DedicatedThreads.run { try csv(dataset, part, titles) }
            return Response.bytes(bytes, type: "text/csv; charset=utf-8")
        }
    }

    private func split(_ request: Request) throws -> DatasetSplit {
        let holdout = request.query("holdout").isEmpty ? "0.1" : request.query("holdout")
        guard let fraction = Double(holdout), (0...0.9).contains(fraction) else {
            throw RequestError(.badRequest, "holdout must be a number from 0 to 0.9")
        }
        switch request.query("split") {
        case "", "time": return .time(fraction: fraction)
        case "random":
            return .random(
                fraction: fraction, seed: UInt64(try request.query("seed", in: 0...Int64.max, default: 42)))
        default: throw RequestError(.badRequest, "split must be time or random")
        }
    }

    private func csv(_ dataset: Dataset, _ part: String, _ titles: [Int64: Movie]) throws -> [UInt8] {
        switch part {
        case "train.csv": return Dataset.csv(dataset.train)
        case "test.csv": return Dataset.csv(dataset.test)
        case "users.csv":
            return Array("index,userId\n".utf8) + dataset.users.ids.enumerated().flatMap { "\($0),\($1)\n".utf8 }
        case "items.csv":
            let rows = dataset.items.ids.enumerated().flatMap { index, id in
                let movie = titles[id]
                let genres = movie?.genres.joined(separator: "|") ?? ""
                return "\(index),\(id),\(CSVWriter.field(movie?.title ?? "")),\(CSVWriter.field(genres))\n".utf8
            }
            return Array("index,movieId,title,genres\n".utf8) + rows
        default:
            throw RequestError(.notFound, "a data set has train.csv, test.csv, users.csv and items.csv")
        }
    }
}
