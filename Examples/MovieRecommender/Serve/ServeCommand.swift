// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import HTTPTypes
import Hummingbird
import ModelKit
import TrackingClient

/// Answers with the model that an alias names.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Recommend movies with a registered model; when its alias moves, the other version is taken up.")

    @Option(help: "HOST:PORT to listen on; without HOST, POD_IP or else 127.0.0.1.")
    var listen = ListenAddress(port: 7003)

    @OptionGroup var tracking: TrackingOptions

    @Option(help: "models:/NAME@ALIAS, which is followed, or models:/NAME/VERSION.")
    var model = "models:/movies@champion"

    @Option(help: "Base address of ingest, for the newest ratings; without it the model's own are used.")
    var ingest: ServiceURL?

    @Option(help: "Milliseconds between looks at where the alias is.")
    var interval = 1000

    @Option(help: "Milliseconds to go on serving, not ready, after SIGTERM.")
    var drain = 0

    func run() async throws {
        guard (0...600_000).contains(drain) else { throw ValidationError("--drain is out of range") }
        guard (10...3_600_000).contains(interval) else { throw ValidationError("--interval is out of range") }
        let counters = Counters()
        let logger = ServiceHost.logger("serve")
        guard let reference = ModelReference(model) else {
            throw ValidationError("--model must be models:/NAME@ALIAS or models:/NAME/VERSION, not '\(model)'")
        }
        // It looks again soon anyway.
        let client = try tracking.client(attempts: 2, logger)
        let serving = ServingModel(
            reference, of: client, interval: .milliseconds(interval), logger: logger, counters: counters)
        let host = ServiceHost(role: "serve", address: listen, counters: counters) {
            serving.current == nil ? "there is no \(reference) yet" : nil
        }
        let router = host.router()
        ServeRoutes(serving: serving, lookup: RatingsLookup(ingest: ingest, counters: counters), counters: counters)
            .add(to: router)
        try await host.run(router, services: [serving], drain: .milliseconds(drain))
        await client.shutdown()
    }
}

/// The HTTP interface of `serve`.
struct ServeRoutes: Sendable {
    let serving: ServingModel
    let lookup: RatingsLookup
    let counters: Counters

    func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/recommend/{user}") { request, context in
            counters.add("recommend_total")
            return try await recommend(
                try context.identifier("user"), count: Int(try request.query("n", in: 1...500, default: 10)))
        }
        router.get("/v1/similar/{movie}") { request, context in
            counters.add("similar_total")
            let loaded = try current()
            let movie = try context.identifier("movie")
            let count = Int(try request.query("n", in: 1...500, default: 10))
            let support = Int(try request.query("support", in: 0...1_000_000, default: 10))
            guard let similar = loaded.model.similar(to: movie, count: count, support: support) else {
                throw RequestError(.notFound, "the model does not know movie \(movie)")
            }
            return Response.json([
                "movie": .int(movie), "model": .string(loaded.name), "items": .array(similar.map(\.json)),
            ])
        }
        router.get("/v1/predict") { request, _ in
            counters.add("predict_total")
            let loaded = try current()
            let user = try request.query("user", in: 1...EventDecoder.maxID)
            let movie = try request.query("movie", in: 1...EventDecoder.maxID)
            let view = await view(of: user, loaded.model)
            guard let score = loaded.model.predict(view.vector, item: movie) else {
                throw RequestError(.notFound, "the model does not know movie \(movie)")
            }
            return Response.json([
                "user": .int(user), "movie": .int(movie), "model": .string(loaded.name),
                "score": .double(Double(score)), "source": .string(view.source),
            ])
        }
        router.get("/v1/model") { _, _ in
            let loaded = try current()
            var info = loaded.model.info.json(loaded.model)
            info["name"] = .string(loaded.version.name)
            info["version"] = .string(loaded.version.version)
            info["run"] = .string(loaded.version.runID)
            return Response.json(info)
        }
    }

    private func current() throws -> ServingModel.Loaded {
        guard let loaded = serving.current else {
            throw RequestError(.serviceUnavailable, "there is no model yet; run the training")
        }
        return loaded
    }

    private func recommend(_ user: Int64, count: Int) async throws -> Response {
        let loaded = try current()
        let view = await view(of: user, loaded.model)
        let items = loaded.model.recommend(view.vector, count: count, excluding: view.seen)
        return Response.json([
            "user": .int(user), "model": .string(loaded.name), "source": .string(view.source),
            "items": .array(items.map(\.json)),
        ])
    }

    /// The user from the newest ratings; when ingest is down, as training left them.
    private func view(
        of user: Int64, _ model: ALSModel
    ) async -> (vector: ALSModel.UserVector, seen: Set<Int64>, source: String) {
        if let ratings = await lookup.ratings(of: user) {
            let seen = Set(ratings.map(\.item)).union(model.seenItems(of: user))
            return (model.foldIn(ratings), seen, "live")
        }
        return (model.vector(of: user) ?? model.foldIn([]), model.seenItems(of: user), "model")
    }
}

extension ALSModel.Scored {
    /// The item and its score as JSON.
    var json: JSONValue { ["movie": .int(item), "score": .double((Double(score) * 10_000).rounded() / 10_000)] }
}
