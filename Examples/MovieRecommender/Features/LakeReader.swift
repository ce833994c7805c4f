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

    init(_ lake: Lake) { self.lake = lake }

    /// The latest version of the ratings.
    func latestRatings() async throws(DeltaError) -> DeltaSnapshot { try await lake.tables.snapshot(lake.ratings) }

    /// The latest versions, or an older one of the ratings.
    func versions(ratings version: Int64? = nil) async throws(DeltaError) -> Versions {
        let ratings = lake.tables.table(lake.ratings)
        let rated = if let version { try await ratings.snapshot(at: version) } else { try await ratings.snapshot() }
        return Versions(ratings: rated, movies: try await lake.tables.snapshot(lake.movies))
    }

    /// Runs a query over `ratings` and `movies`, and gives its rows to `read`. A connection of its own: nothing that one
    /// query does is seen by another.
    func run<Value: Sendable>(
        _ sql: String, over versions: Versions, _ read: (LakeResult) async throws -> Value
    ) async throws -> Value {
        let connection = try await lake.database.connect()
        // The copies of the tables' files stay until the rows are read.
        let lease = lake.tables.lease()
        let result: Result<Value, any Error>
        do {
            for (name, snapshot) in [(lake.ratings, versions.ratings), (lake.movies, versions.movies)] {
                let rows = try await lake.tables.query(name, snapshot, lease)
                try await connection.execute("CREATE TEMP VIEW \(name) AS \(rows)")
            }
            result = .success(try await read(try await connection.query(sql, limits: Self.limits)))
        } catch {
            result = .failure(error)
        }
        await connection.close()
        return try withExtendedLifetime(lease) { try result.get() }
    }
}
