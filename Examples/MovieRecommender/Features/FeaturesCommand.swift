// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import HTTPTypes
import Hummingbird
import ModelKit

/// Features by SQL over the tables.
struct FeaturesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "features", abstract: "Make data sets and features by SQL over the tables.",
        discussion: "Keeps nothing of its own: there may be as many as one likes.")

    @Option(help: "HOST:PORT to listen on; without HOST, POD_IP or else 127.0.0.1.")
    var listen = ListenAddress(port: 7002)

    @Option(help: "Base address of ingest.")
    var ingest = ServiceURL(localPort: 7001)

    @OptionGroup var lake: LakeOptions

    @Option(help: "Folder of queries (NAME.sql). (default: those of this program)")
    var queries: String?

    @Option(help: "Milliseconds that a change of the tables waits for others before features are made anew.")
    var delay = 2000

    func run() async throws {
        guard (0...3_600_000).contains(delay) else { throw ValidationError("--delay is out of range") }
        let logger = ServiceHost.logger("features")
        let counters = Counters()
        let library = if let queries { try QueryLibrary(folder: queries) } else { QueryLibrary() }
        let lake = try await lake.open(logger)
        let store = FeatureStore(
            LakeReader(lake), library, ingest: ingest, delay: .milliseconds(delay), logger: logger, counters: counters)
        let host = ServiceHost(role: "features", address: listen, counters: counters) { await store.notReady }
        let router = host.router()
        FeaturesRoutes(store: store, place: "\(lake.place)/\(lake.ratings)").add(to: router)
        try await host.run(router, services: [store])
        await lake.close()
    }
}

/// The HTTP interface of `features`.
struct FeaturesRoutes: Sendable {
    let store: FeatureStore
    /// Where the table of ratings is, for people and for what describes data.
    let place: String

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/datasets/latest") { request, _ in
            let dataset = try await store.latest(try split(request))
            let all = dataset.train + dataset.test
            return Response.json([
                "version": .string(dataset.name.description), "table": .int(dataset.name.version),
                "place": .string(place),
                "users": JSONValue(Set(all.map(\.user)).count), "items": JSONValue(Set(all.map(\.item)).count),
                "train": JSONValue(dataset.train.count), "test": JSONValue(dataset.test.count),
                "holdout": JSONValue(dataset.name.split.fraction),
            ])
        }
        router.get("/v1/datasets/{version}/{part}") { _, context in
            let version = context.parameters.get("version") ?? ""
            guard let name = DatasetName(version) else {
                throw RequestError(.notFound, "\(version.prefix(100)) is no data set; ask for the latest")
            }
            let part = context.parameters.get("part") ?? ""
            guard part == "train.csv" || part == "test.csv" else {
                throw RequestError(.notFound, "a data set has train.csv and test.csv")
            }
            let dataset = try await store.dataset(name)
            let rows = part == "train.csv" ? dataset.train : dataset.test
            let bytes = try await DedicatedThreads.run { DatasetCSV.encode(rows) }
            return Response.bytes(bytes, type: "text/csv; charset=utf-8")
        }
        router.get("/v1/queries") { _, _ in Response.json(["queries": JSONValue(store.queryNames)]) }
        router.get("/v1/queries/{name}") { _, context in
            let name = context.parameters.get("name") ?? ""
            guard name.hasSuffix(".csv") else { throw RequestError(.notFound, "a query's rows are NAME.csv") }
            return Response.bytes(
                try await store.csv(String(name.dropLast(4))), type: "text/csv; charset=utf-8; header=present")
        }
        router.get("/v1/users/{user}") { _, context in
            let id = try context.identifier("user")
            guard let user = try await store.features().user(id) else {
                throw RequestError(.notFound, "user \(id) has rated nothing")
            }
            return Response.json(user)
        }
        router.get("/v1/movies/{movie}") { _, context in
            let id = try context.identifier("movie")
            guard let movie = try await store.features().movie(id) else {
                throw RequestError(.notFound, "nobody has rated movie \(id)")
            }
            return Response.json(movie)
        }
        router.get("/v1/popular") { request, _ in
            let count = Int(try request.query("n", in: 1...100, default: 10))
            return Response.json(try await store.features().popular(count))
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
            return .random(fraction: fraction, seed: try request.query("seed", in: 0...Int64.max, default: 42))
        default: throw RequestError(.badRequest, "split must be time or random")
        }
    }
}
