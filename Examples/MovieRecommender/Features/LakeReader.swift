// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import DeltaProtocol
import DeltaTables
import LakeEngine

/// Runs queries over versions of the tables.
struct LakeReader: Sendable {
    /// Which version of each table; all the latest where none is said.
    struct Versions: Sendable {
        let ratings: DeltaSnapshot
        let movies: DeltaSnapshot
    }

    /// How long a query may take, and how many rows it may give.
    private static let limits = LakeLimits(time: .seconds(120), rows: 50_000_000)

    private let lake: Lake
    private let ratings: DeltaTable
    private let movies: DeltaTable

    init(_ lake: Lake) {
        self.lake = lake
        ratings = lake.table(Lake.ratings)
        movies = lake.table(Lake.movies)
    }

    /// The latest version of the ratings.
    func latestRatings() async throws(DeltaError) -> DeltaSnapshot { try await ratings.snapshot() }

    /// The latest versions, or an older one of the ratings.
    func versions(ratings version: Int64? = nil) async throws(DeltaError) -> Versions {
        let rated = if let version { try await ratings.snapshot(at: version) } else { try await ratings.snapshot() }
        return Versions(ratings: rated, movies: try await movies.snapshot())
    }

    /// Runs a query over `ratings` and `movies`, and gives its rows to `read`. A statement of its own: nothing that one
    /// query does is seen by another.
    func run<Value: Sendable>(
        _ sql: String, over versions: Versions, _ read: (LakeResult) async throws -> Value
    ) async throws -> Value {
        let connection = try await lake.database.connect()
        let result: Result<Value, any Error>
        do {
            for (name, table, snapshot) in [
                (Lake.ratings, ratings, versions.ratings), (Lake.movies, movies, versions.movies),
            ] {
                try await connection.execute("CREATE TEMP VIEW \(name) AS \(try await table.query(snapshot))")
            }
            result = .success(try await read(try await connection.query(sql, limits: Self.limits)))
        } catch {
            result = .failure(error)
        }
        await connection.close()
        return try result.get()
    }

    /// Deletes copies of files that have left the tables.
    func dropCopies(notIn versions: Versions) async throws {
        try await lake.dropCopies(of: Lake.ratings, notIn: versions.ratings)
        try await lake.dropCopies(of: Lake.movies, notIn: versions.movies)
    }
}
