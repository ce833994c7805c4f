// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DeltaProtocol
import DeltaTables
import Logging
import ServiceLifecycle

/// The table of movies: what `ingest` says, as it is when this starts.
struct CatalogueTable: Service {
    private static let retryDelay = Duration.milliseconds(500)
    private static let schema = DeltaSchema([
        DeltaField("movie_id", .long, nullable: false), DeltaField("title", .string, nullable: false),
        DeltaField("genres", .string, nullable: false),
    ])

    let lake: Lake
    let ingest: ServiceClient
    let logger: Logger
    let counters: Counters

    /// Tries until it is written, and then waits for graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            while !Task.isCancelled {
                do {
                    return try await write()
                } catch is CancellationError {
                    return
                } catch {
                    if !isFailing { logger.warning("no movies yet", metadata: ["error": "\(error)"]) }
                    isFailing = true
                    try? await Task.sleep(for: Self.retryDelay)
                }
            }
        }
        // A service that ends before takes the others with it.
        try? await gracefulShutdown()
    }

    private func write() async throws {
        var lines: [[UInt8]] = []
        for movie in try await ingest.getJSON("/v1/movies?limit=100000", limit: 1 << 27)["movies"].elements {
            guard let id = movie["id"].int, let title = movie["title"].string else { continue }
            let genres = movie["genres"].elements.compactMap(\.string).joined(separator: "|")
            let row: JSONValue = ["movie_id": JSONValue(id), "title": .string(title), "genres": .string(genres)]
            lines.append(row.encoded)
        }
        guard !lines.isEmpty else { throw CommandFailure("ingest has no movies") }
        try await lake.prepare()
        let table = lake.tables.table(lake.movies)
        do throws(DeltaError) {
            try await table.create(Self.schema)
        } catch {
            guard error.code == .alreadyExists else { throw error }
        }
        let stored = try await table.texts(
            "SELECT CAST(to_json(m) AS VARCHAR) FROM (\(try await table.query(try await table.snapshot()))) m")
        let known = Set(stored.map { JSONText(($0.first ?? nil) ?? "") })
        if known != Set(lines.map { JSONText(String(decoding: $0, as: UTF8.self)) }) {
            let version = try await table.overwrite(.jsonLines(Array(lines.joined(separator: [0x0A])))).version
            logger.info("movies written", metadata: ["count": "\(lines.count)", "version": "\(version)"])
        }
        counters.set("movies", Double(lines.count))
    }

    /// A row, however its members are ordered.
    private struct JSONText: Hashable {
        let value: JSONValue?

        init(_ text: String) { value = try? JSONParser.parse(text) }
    }
}
