// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DeltaProtocol
import DeltaTables
import ModelKit

/// The tables of ratings and views: batches of events go in exactly once, as each commit has rows and how far every
/// partition was read, and is refused where the table says something else than what the batch began with.
///
/// Views are committed first. When this ends in between, the same views come again, and are known by their numbers.
struct EventTables: Sendable {
    typealias Batch = EventBatch<ContinuousClock.Instant>

    /// How far the tables are, by their own words.
    struct State: Sendable {
        /// Progress of the table of ratings, by application; this is where reading goes on.
        var ratings: [String: Int64]
        var views: [String: Int64]
        /// Events that the tables have.
        var seen: SequenceSet
    }

    /// The application that says up to which number the tables have all events.
    static let watermark = "movie-events"

    private static let properties = [
        "delta.targetFileSize": "32mb", "delta.logRetentionDuration": "interval 7 days",
    ]
    /// Small files that are put together.
    private static let compactedFiles = 32

    private let lake: Lake
    private let ratings: DeltaTable
    private let views: DeltaTable

    init(_ lake: Lake) {
        self.lake = lake
        ratings = lake.tables.table(lake.ratings)
        views = lake.tables.table(lake.views)
    }

    private static func schema(_ own: [DeltaField]) -> DeltaSchema {
        let ids = ["user_id", "movie_id"].map { DeltaField($0, .long, nullable: false) }
        let place = [
            DeltaField("sequence", .long, nullable: false), DeltaField("topic_partition", .integer, nullable: false),
            DeltaField("topic_offset", .long, nullable: false),
        ]
        return DeltaSchema(ids + own + place)
    }

    /// Makes the tables where they are not there.
    func prepare() async throws {
        try await lake.prepare()
        let stars = DeltaField("rating", .double, nullable: false)
        try await Self.make(ratings, Self.schema([stars, DeltaField("rated_at", .timestamp, nullable: false)]))
        try await Self.make(views, Self.schema([DeltaField("viewed_at", .timestamp, nullable: false)]))
    }

    private static func make(_ table: DeltaTable, _ schema: DeltaSchema) async throws {
        do throws(DeltaError) {
            try await table.create(schema, configuration: properties)
        } catch {
            guard error.code == .alreadyExists else { throw error }
        }
    }

    // MARK: Reading

    /// What the tables say.
    func state() async throws -> State {
        let (rated, viewed) = (try await ratings.snapshot(), try await views.snapshot())
        let watermark = rated.transactions[Self.watermark]?.version ?? 0
        var seen = SequenceSet(watermark: watermark)
        for (table, snapshot) in [(ratings, rated), (views, viewed)] {
            // Files say what they have at most; those below the watermark are not looked into.
            let files = snapshot.sortedFiles.filter { file in
                FileStatistics(text: file.stats)?.maxValues["sequence"].int.map { Int64($0) > watermark } ?? true
            }
            guard !files.isEmpty else { continue }
            let rows = try DeltaRelation(snapshot).sql(try await table.sources(files))
            let found = try await table.texts(
                "SELECT CAST(sequence AS VARCHAR) FROM (\(rows)) WHERE sequence > \(watermark)")
            for case .some(let sequence) in found.map({ $0.first.flatMap { $0 }.flatMap { Int64($0) } }) {
                _ = seen.insert(sequence)
            }
        }
        return State(
            ratings: rated.transactions.mapValues(\.version), views: viewed.transactions.mapValues(\.version),
            seen: seen)
    }

    // MARK: Writing

    /// Puts a batch into the tables. The application names a partition in them; the state is what they say, and what they
    /// say afterwards.
    /// - Throws: `DeltaError` with code `conflict` where somebody else wrote. Whatever it throws, the state has to be read
    ///   anew, as the commit may have been made.
    func commit(_ batch: Batch, _ application: (Int32) -> String, _ state: inout State) async throws {
        var next: [String: Int64] = [:]
        for (partition, offset) in batch.next { next[application(partition)] = offset }
        let viewed = batch.rows.filter { $0.event.kind == .view }
        if !viewed.isEmpty {
            try await views.append(
                .jsonLines(Self.lines(viewed)), progress: DeltaProgress(start: state.views, next: next))
            state.views.merge(next) { $1 }
        }
        next[Self.watermark] = batch.seen.watermark
        let rated = batch.rows.filter { $0.event.kind == .rating }
        try await ratings.append(
            rated.isEmpty ? nil : .jsonLines(Self.lines(rated)),
            progress: DeltaProgress(start: state.ratings, next: next))
        state.ratings.merge(next) { $1 }
        state.seen = batch.seen
    }

    private static func lines(_ rows: [Batch.Row]) -> [UInt8] {
        var lines = ""
        lines.reserveCapacity(rows.count * 140)
        for row in rows {
            let event = row.event
            let time = Timestamp(seconds: event.timestamp).rfc3339
            lines += "{\"user_id\":\(event.user),\"movie_id\":\(event.movie),"
            lines +=
                event.kind == .rating
                ? "\"rating\":\(Double(event.rating)),\"rated_at\":\"\(time)\"," : "\"viewed_at\":\"\(time)\","
            lines +=
                "\"sequence\":\(event.sequence),\"topic_partition\":\(row.partition),\"topic_offset\":\(row.offset)}\n"
        }
        return Array(lines.utf8)
    }

    // MARK: Looking after the tables

    /// Puts small files together where there are many.
    /// - Returns: how many files were put together.
    func compact() async throws -> Int {
        var count = 0
        for table in [ratings, views] {
            let snapshot = try await table.snapshot()
            let limit = snapshot.properties.targetFileSize() / 4 * 3
            guard snapshot.files.values.count(where: { $0.size < limit }) >= Self.compactedFiles else { continue }
            count += try await table.optimize().filesRemoved
        }
        try await lake.sweep()
        return count
    }

    /// Deletes files that no version of the last week needs.
    /// - Returns: how many.
    func vacuum() async throws -> Int {
        try await ratings.vacuum().count + (try await views.vacuum().count)
    }

    /// Rows, files and version of the table of ratings.
    func ratingsSnapshot() async throws -> DeltaSnapshot { try await ratings.snapshot() }
}
