// SPDX-License-Identifier: Apache-2.0
import GRDB
import KafkaClient
import ModelKit

/// The events that were read, on disk, with how far each partition was read: both change in one transaction, so that
/// no event is lost or counted twice whenever the service or the broker ends.
struct EventArchive: Sendable {
    private let queue: DatabaseQueue

    /// Opens or creates the database at `path`.
    init(path: String) throws {
        var configuration = Configuration()
        configuration.prepareDatabase {
            try $0.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        }
        queue = try DatabaseQueue(path: path, configuration: configuration)
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE event (
                        seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, user INTEGER NOT NULL, movie INTEGER NOT NULL,
                        rating REAL NOT NULL, timestamp INTEGER NOT NULL);
                    CREATE TABLE progress (
                        cluster TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
                        PRIMARY KEY (cluster, topic, partition)) WITHOUT ROWID;
                    """)
        }
        try migrator.migrate(queue)
    }

    /// Stores events, those that are there already excepted, and the offsets to go on from.
    func add(_ events: [UserEvent], next: [TopicPartition: Int64], of cluster: String) async throws {
        try await queue.write { database in
            let insert = try database.cachedStatement(
                sql: """
                    INSERT OR IGNORE INTO event (seq, kind, user, movie, rating, timestamp) VALUES (?, ?, ?, ?, ?, ?)
                    """)
            for event in events {
                try insert.execute(
                    arguments: [
                        event.sequence, event.kind.rawValue, event.user, event.movie, Double(event.rating),
                        event.timestamp,
                    ])
            }
            for (place, offset) in next {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO progress (cluster, topic, partition, next) VALUES (?, ?, ?, ?)",
                    arguments: [cluster, place.topic, place.partition, offset])
            }
        }
    }

    /// The offsets to go on from; partitions that were never read are left out.
    func next(of cluster: String) async throws -> [TopicPartition: Int64] {
        try await queue.read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT topic, partition, next FROM progress WHERE cluster = ?", arguments: [cluster])
            let offsets = rows.map { row -> (TopicPartition, Int64) in
                (TopicPartition(row["topic"], row["partition"]), row["next"])
            }
            return Dictionary(offsets) { $1 }
        }
    }

    /// Up to `limit` events after `sequence`, in order.
    func events(after sequence: Int64, limit: Int) async throws -> [UserEvent] {
        try await queue.read { database in
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

    /// Closes the database.
    func close() throws { try queue.close() }
}
