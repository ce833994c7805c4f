// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTPTypes
import ModelKit

/// The queries over the tables: those of `queries/`, which are in the program, or those of another folder.
struct QueryLibrary: Sendable {
    /// By name, the file's without `.sql`.
    let queries: [String: FeatureQuery]

    /// The most bytes of a query.
    private static let limit = 1 << 20

    /// Those of the folder at `path`. Blocks.
    init(folder path: String) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".sql") }
        guard !names.isEmpty else { throw CommandFailure("there are no .sql files in \(path)") }
        var texts: [String: [UInt8]] = [:]
        for name in names {
            texts[String(name.dropLast(4))] = try BinaryFile.read("\(path)/\(name)", limit: Self.limit)
        }
        self.init(texts)
    }

    /// Those that are in the program.
    init() {
        self.init([
            "latest_ratings": PackageResources.latest_ratings_sql,
            "liked_together": PackageResources.liked_together_sql,
            "movie_features": PackageResources.movie_features_sql,
            "point_in_time": PackageResources.point_in_time_sql,
            "popular": PackageResources.popular_sql,
            "split_random": PackageResources.split_random_sql,
            "split_time": PackageResources.split_time_sql,
            "user_features": PackageResources.user_features_sql,
            "user_genres": PackageResources.user_genres_sql,
            "user_sessions": PackageResources.user_sessions_sql,
        ])
    }

    private init(_ texts: [String: [UInt8]]) {
        queries = texts.reduce(into: [:]) { queries, text in
            queries[text.key] = FeatureQuery(name: text.key, sql: String(decoding: text.value, as: UTF8.self))
        }
    }

    /// - Throws: `RequestError`, 404, for a name that is none.
    subscript(name: String) -> FeatureQuery {
        get throws {
            guard let query = queries[name] else {
                throw RequestError(
                    .notFound,
                    "there is no query \(name.prefix(100)); there are \(queries.keys.sorted().joined(separator: ", "))")
            }
            return query
        }
    }
}
