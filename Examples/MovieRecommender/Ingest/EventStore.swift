// SPDX-License-Identifier: Apache-2.0
import ApusCore
import GRDB
import ModelKit

/// A movie as people see it in lists.
struct CatalogueMovie: Sendable {
    var movie: Movie
    /// How many users rated it.
    var ratingCount: Int
    /// The mean of their ratings in stars; nil without any.
    var mean: Double?

    var json: JSONValue {
        var value: JSONValue = [
            "id": .int(movie.id), "title": .string(movie.title), "genres": JSONValue(movie.genres),
            "ratings": JSONValue(ratingCount),
        ]
        if let mean { value["mean"] = .double((mean * 1000).rounded() / 1000) }
        return value
    }
}

/// The events and the catalogue in an SQLite database; what has been acknowledged is on disk.
struct EventStore: Sendable {
    private let pool: DatabasePool

    /// Opens or creates the database at `path`.
    init(path: String) throws {
        var configuration = Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        pool = try DatabasePool(path: path, configuration: configuration)
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE event (
                        seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, user INTEGER NOT NULL,
                        movie INTEGER NOT NULL, rating REAL NOT NULL, timestamp INTEGER NOT NULL);
                    CREATE TABLE rating (
                        user INTEGER NOT NULL, movie INTEGER NOT NULL, rating REAL NOT NULL,
                        timestamp INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (user, movie)) WITHOUT ROWID;
                    CREATE TABLE movie (
                        id INTEGER PRIMARY KEY, title TEXT NOT NULL, genres TEXT NOT NULL,
                        ratings INTEGER NOT NULL DEFAULT 0, stars REAL NOT NULL DEFAULT 0);
                    CREATE INDEX movie_ratings ON movie (ratings DESC, id);
                    CREATE TABLE user (
                        id INTEGER PRIMARY KEY, age INTEGER NOT NULL, gender TEXT NOT NULL, occupation TEXT NOT NULL);
                    """)
        }
        migrator.registerMigration("2") { database in
            try database.execute(
                sql: """
                    CREATE TABLE published (
                        cluster TEXT NOT NULL, topic TEXT NOT NULL, seq INTEGER NOT NULL,
                        PRIMARY KEY (cluster, topic)) WITHOUT ROWID;
                    """)
        }
        try migrator.migrate(pool)
    }

    /// Fills an empty database from a MovieLens folder; false when it has movies already. Blocks while reading files.
    func seed(from data: MovieLens) async throws -> Bool {
        try await pool.write { database in
            guard try Int.fetchOne(database, sql: "SELECT count(*) FROM movie") == 0 else { return false }
            for movie in data.movies {
                try database.execute(
                    sql: "INSERT INTO movie (id, title, genres) VALUES (?, ?, ?)",
                    arguments: [movie.id, movie.title, movie.genres.joined(separator: "|")])
            }
            for user in data.users {
                try database.execute(
                    sql: "INSERT INTO user (id, age, gender, occupation) VALUES (?, ?, ?, ?)",
                    arguments: [user.id, user.age, user.gender, user.occupation])
            }
            let events = data.ratings.map {
                UserEvent(
                    kind: .rating, user: $0.user, movie: $0.item, rating: $0.value, timestamp: $0.timestamp)
            }
            _ = try Self.insert(events, database)
            return true
        }
    }

    /// Stores `batches` in one transaction and gives each one's sequence numbers.
    func append(_ batches: [[UserEvent]]) async throws -> [ClosedRange<Int64>] {
        try await pool.write { database in try batches.map { try Self.insert($0, database) } }
    }

    private static func insert(_ events: [UserEvent], _ database: Database) throws -> ClosedRange<Int64> {
        let insertEvent = try database.cachedStatement(
            sql: "INSERT INTO event (kind, user, movie, rating, timestamp) VALUES (?, ?, ?, ?, ?)")
        let selectRating = try database.cachedStatement(sql: "SELECT rating FROM rating WHERE user = ? AND movie = ?")
        let replaceRating = try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO rating (user, movie, rating, timestamp, seq) VALUES (?, ?, ?, ?, ?)")
        let updateMovie = try database.cachedStatement(
            sql: "UPDATE movie SET ratings = ratings + ?, stars = stars + ? WHERE id = ?")
        var first: Int64?
        for event in events {
            try insertEvent.execute(
                arguments: [event.kind.rawValue, event.user, event.movie, Double(event.rating), event.timestamp])
            let sequence = database.lastInsertedRowID
            first = first ?? sequence
            guard event.kind == .rating else { continue }
            let previous = try Double.fetchOne(selectRating, arguments: [event.user, event.movie])
            try replaceRating.execute(
                arguments: [event.user, event.movie, Double(event.rating), event.timestamp, sequence])
            try updateMovie.execute(
                arguments: [previous == nil ? 1 : 0, Double(event.rating) - (previous ?? 0), event.movie])
        }
        let last = database.lastInsertedRowID
        return (first ?? last)...last
    }

    /// The first of `ids` that is not in the catalogue; nil when all are.
    func unknownMovie(among ids: Set<Int64>) async throws -> Int64? {
        try await pool.read { database in
            let statement = try database.cachedStatement(sql: "SELECT 1 FROM movie WHERE id = ?")
            return try ids.sorted().first { try Int.fetchOne(statement, arguments: [$0]) == nil }
        }
    }

    /// Up to `limit` events after `sequence`, in order.
    func events(after sequence: Int64, limit: Int) async throws -> [UserEvent] {
        try await pool.read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT seq, kind, user, movie, rating, timestamp FROM event WHERE seq > ? ORDER BY seq LIMIT ?",
                arguments: [sequence, limit]
            ).compactMap { row in
                let kind: String = row["kind"]
                return UserEvent.Kind(rawValue: kind).map {
                    UserEvent(
                        kind: $0, user: row["user"], movie: row["movie"], rating: row["rating"],
                        timestamp: row["timestamp"], sequence: row["seq"])
                }
            }
        }
    }

    /// The sequence number of the last event; 0 without any.
    func lastSequence() async throws -> Int64 {
        try await pool.read { try Int64.fetchOne($0, sql: "SELECT max(seq) FROM event") ?? 0 }
    }

    /// The last event that a topic of a cluster has for certain, with all before it; 0 for a new one.
    func published(to cluster: String, topic: String) async throws -> Int64 {
        try await pool.read { database in
            try Int64.fetchOne(
                database, sql: "SELECT seq FROM published WHERE cluster = ? AND topic = ?",
                arguments: [cluster, topic]) ?? 0
        }
    }

    /// Notes that a topic has all events up to `sequence`.
    func setPublished(_ sequence: Int64, to cluster: String, topic: String) async throws {
        try await pool.write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO published (cluster, topic, seq) VALUES (?, ?, ?)",
                arguments: [cluster, topic, sequence])
        }
    }

    /// The latest rating of each movie by `user`, newest first.
    func ratings(of user: Int64) async throws -> [UserEvent] {
        try await pool.read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT seq, movie, rating, timestamp FROM rating WHERE user = ? ORDER BY seq DESC",
                arguments: [user]
            ).map { row in
                UserEvent(
                    kind: .rating, user: user, movie: row["movie"], rating: row["rating"],
                    timestamp: row["timestamp"], sequence: row["seq"])
            }
        }
    }

    /// Movies whose title has every word of `query`, the most rated first, and how many there are in all.
    func movies(matching query: String, limit: Int, offset: Int) async throws -> (movies: [CatalogueMovie], total: Int)
    {
        let words = query.split(separator: " ").prefix(10).map { word in
            let escaped = word.flatMap { "%_\\".contains($0) ? "\\\($0)" : "\($0)" }
            return "%\(String(escaped))%"
        }
        let condition =
            words.isEmpty
            ? "1" : words.map { _ in "title LIKE ? ESCAPE '\\'" }.joined(separator: " AND ")
        return try await pool.read { database in
            let total = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM movie WHERE \(condition)", arguments: StatementArguments(words))
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT * FROM movie WHERE \(condition) ORDER BY ratings DESC, id LIMIT ? OFFSET ?",
                arguments: StatementArguments(words) + [limit, offset])
            return (rows.map(Self.movie), total ?? 0)
        }
    }

    /// The movies with these identifiers; unknown ones are left out.
    func movies(ids: [Int64]) async throws -> [CatalogueMovie] {
        try await pool.read { database in
            let statement = try database.cachedStatement(sql: "SELECT * FROM movie WHERE id = ?")
            return try ids.compactMap { try Row.fetchOne(statement, arguments: [$0]).map(Self.movie) }
        }
    }

    private static func movie(_ row: Row) -> CatalogueMovie {
        let (count, stars): (Int, Double) = (row["ratings"], row["stars"])
        let genres: String = row["genres"]
        return CatalogueMovie(
            movie: Movie(
                id: row["id"], title: row["title"], genres: genres.split(separator: "|").map(String.init)),
            ratingCount: count, mean: count == 0 ? nil : stars / Double(count))
    }

    /// What is known of `user`: the number of ratings, and where the data has them age, gender and occupation.
    func user(_ id: Int64) async throws -> JSONValue {
        try await pool.read { database in
            var value: JSONValue = ["id": .int(id)]
            let count = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM rating WHERE user = ?", arguments: [id])
            value["ratings"] = JSONValue(count ?? 0)
            if let row = try Row.fetchOne(database, sql: "SELECT * FROM user WHERE id = ?", arguments: [id]) {
                value["age"] = .int(row["age"])
                value["gender"] = .string(row["gender"])
                value["occupation"] = .string(row["occupation"])
            }
            return value
        }
    }

    /// The number of movies.
    func movieCount() async throws -> Int {
        try await pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM movie") ?? 0 }
    }

    /// Closes the database; requests after that fail.
    func close() throws { try pool.close() }
}
