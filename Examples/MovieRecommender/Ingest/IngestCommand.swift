// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import HTTPTypes
import Hummingbird
import Logging
import ModelKit
import ServiceLifecycle

/// Takes in ratings and views, durably, and sends them to the topic of events.
struct IngestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest", abstract: "Take in ratings and views; what is acknowledged is on disk.",
        discussion: "Events are sent to a topic of Kafka, keyed by user; while no broker is there they wait on disk.")

    @Option(help: "HOST:PORT to listen on; without HOST, POD_IP or else 127.0.0.1.")
    var listen = ListenAddress(port: 7001)

    @Option(help: "Folder of the database; created when missing.", transform: VolumeFolder.resolve)
    var store = "./movies-data"

    @Option(help: "MovieLens folder to start from when the database is empty.")
    var data: String?

    @OptionGroup var topic: EventTopicOptions

    func run() async throws {
        let logger = ServiceHost.logger("ingest")
        let topic = try topic.topic(client: "ingest")
        let events: EventStore
        do {
            try BinaryFile.makeFolder(store)
            events = try EventStore(path: "\(store)/events.sqlite")
        } catch {
            throw CommandFailure("the database in \(store) cannot be opened: \(error)")
        }
        if let data, try await events.movieCount() == 0 {
            let folder = try await DedicatedThreads.run { try MovieLens(folder: data) }
            if try await events.seed(from: folder) {
                logger.info(
                    "seeded", metadata: ["folder": "\(data)", "ratings": "\(folder.ratings.count)"])
            }
        }
        let host = ServiceHost(role: "ingest", address: listen)
        let publisher = EventPublisher(events, topic: topic, logger: logger, counters: host.counters)
        let writer = EventWriter(events) { publisher.wake() }
        let router = host.router()
        IngestRoutes(store: events, writer: writer, counters: host.counters).add(to: router)
        try await host.run(router, services: [writer, publisher])
        try events.close()
    }
}

/// Ends a command with one clear sentence.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// The HTTP interface of `ingest`.
struct IngestRoutes: Sendable {
    let store: EventStore
    let writer: EventWriter
    let counters: Counters

    func add(to router: Router<BasicRequestContext>) {
        router.post("/v1/ratings") { request, _ in try await accept(request, .rating) }
        router.post("/v1/views") { request, _ in try await accept(request, .view) }
        router.get("/v1/ratings") { request, _ in
            let user = try request.query("user", in: 1...EventDecoder.maxID)
            let ratings = try await store.ratings(of: user)
            return Response.json(["user": .int(user), "ratings": .array(ratings.map(\.json))])
        }
        router.get("/v1/events") { request, _ in
            let after = try request.query("after", in: 0...Int64.max, default: 0)
            let limit = try request.query("limit", in: 1...10_000, default: 1000)
            var lines: [UInt8] = []
            for event in try await store.events(after: after, limit: Int(limit)) {
                lines.append(contentsOf: event.json.encoded)
                lines.append(UInt8(ascii: "\n"))
            }
            return Response.bytes(lines, type: "application/x-ndjson")
        }
        router.get("/v1/events/last") { _, _ in
            Response.json(["sequence": .int(try await store.lastSequence())])
        }
        router.get("/v1/movies") { request, _ in try await movies(request) }
        router.get("/v1/movies/{movie}") { _, context in
            let id = try context.identifier("movie")
            guard let movie = try await store.movies(ids: [id]).first else {
                throw RequestError(.notFound, "there is no movie \(id)")
            }
            return Response.json(movie.json)
        }
        router.get("/v1/users/{user}") { _, context in
            Response.json(try await store.user(try context.identifier("user")))
        }
    }

    private func movies(_ request: Request) async throws -> Response {
        let ids = request.query("ids")
        if !ids.isEmpty {
            let numbers = ids.split(separator: ",").prefix(501).compactMap { Int64($0) }
            guard numbers.count <= 500 else { throw RequestError(.badRequest, "ids has more than 500 entries") }
            return Response.json(["movies": .array(try await store.movies(ids: numbers).map(\.json))])
        }
        let (found, total) = try await store.movies(
            matching: String(request.query("query").prefix(200)),
            limit: Int(try request.query("limit", in: 1...100_000, default: 50)),
            offset: Int(try request.query("offset", in: 0...1_000_000, default: 0)))
        return Response.json(["movies": .array(found.map(\.json)), "total": JSONValue(total)])
    }

    private func accept(_ request: Request, _ kind: UserEvent.Kind) async throws -> Response {
        let body = try await request.bytes(limit: 1 << 18)
        let events: [UserEvent]
        do {
            events = try EventDecoder.decode(body, kind: kind, now: Timestamp.now().seconds)
        } catch {
            throw RequestError(.badRequest, error.description)
        }
        if let unknown = try await store.unknownMovie(among: Set(events.map(\.movie))) {
            throw RequestError(.badRequest, "there is no movie \(unknown)")
        }
        let range = try await writer.append(events)
        counters.add("events_total{type=\"\(kind.rawValue)\"}", Double(events.count))
        return Response.json(
            [
                "accepted": JSONValue(events.count), "first": .int(range.lowerBound), "last": .int(range.upperBound),
            ], .created)
    }
}
