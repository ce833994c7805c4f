// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat
import DeltaProtocol
import LakeEngine
import ModelKit

/// A query's rows in memory, found by the identifier in their first column: as Arrow's columns, so that a row costs what
/// its values do.
struct FeatureTable: Sendable {
    private let schema: ArrowSchemaInfo
    private let batches: [ArrowBatch]
    /// Where the rows of an identifier begin, and how many there are; rows of one follow each other.
    private let places: [Int64: (batch: Int32, row: Int32, count: Int32)]

    /// Reads a result to its end.
    init(_ result: LakeResult) async throws {
        schema = result.schema
        var batches: [ArrowBatch] = []
        var places: [Int64: (batch: Int32, row: Int32, count: Int32)] = [:]
        while let batch = try await result.next() {
            let ids = batch.column(0)
            for row in 0..<batch.rowCount {
                guard let id = ids.int64(row) else { continue }
                places[id, default: (Int32(batches.count), Int32(row), 0)].count += 1
            }
            batches.append(batch)
        }
        self.batches = batches
        self.places = places
    }

    /// How many identifiers there are.
    var count: Int { places.count }

    /// The rows of an identifier, in the query's order, without it.
    func rows(of id: Int64, limit: Int = .max) -> [JSONValue] {
        guard let place = places[id] else { return [] }
        var rows: [JSONValue] = []
        var (batch, row) = (Int(place.batch), Int(place.row))
        while rows.count < min(Int(place.count), limit), batch < batches.count {
            guard row < batches[batch].rowCount else {
                (batch, row) = (batch + 1, 0)
                continue
            }
            rows.append(Self.object(batches[batch], row))
            row += 1
        }
        return rows
    }

    /// All rows in the query's order, without their first column.
    func rows(limit: Int) -> [JSONValue] {
        var rows: [JSONValue] = []
        for batch in batches {
            for row in 0..<batch.rowCount {
                guard rows.count < limit else { return rows }
                rows.append(Self.object(batch, row))
            }
        }
        return rows
    }

    private static func object(_ batch: ArrowBatch, _ row: Int) -> JSONValue {
        var object: JSONValue = [:]
        for (index, field) in batch.schema.fields.enumerated().dropFirst() {
            object[field.name] = batch.column(index).value(row).json
        }
        return object
    }
}

/// What is looked up: features of users and movies of one version of the table of ratings.
///
/// A copy in memory answers in microseconds, and is made anew from the tables, whole, whenever they have changed: there is
/// nothing in it that could be lost, and nothing that could disagree with its version.
struct FeatureLookup: Sendable {
    /// Of the table of ratings.
    let version: Int64
    let users: FeatureTable
    let userGenres: FeatureTable
    let movies: FeatureTable
    let likedTogether: FeatureTable
    let popular: FeatureTable

    /// Runs the queries.
    init(_ reader: LakeReader, _ library: QueryLibrary, over versions: LakeReader.Versions) async throws {
        func table(_ name: String) async throws -> FeatureTable {
            try await reader.run(try library[name].sql, over: versions) { try await FeatureTable($0) }
        }
        version = versions.ratings.version
        users = try await table("user_features")
        userGenres = try await table("user_genres")
        movies = try await table("movie_features")
        likedTogether = try await table("liked_together")
        popular = try await table("popular")
    }

    /// A user's features; nil for one who has rated nothing.
    func user(_ id: Int64) -> JSONValue? {
        guard let features = users.rows(of: id).first else { return nil }
        return [
            "user": .int(id), "version": .int(version), "features": features,
            "genres": .array(userGenres.rows(of: id)),
        ]
    }

    /// A movie's features, and what those like who like it; nil for one that nobody has rated.
    func movie(_ id: Int64) -> JSONValue? {
        guard let features = movies.rows(of: id).first else { return nil }
        return [
            "movie": .int(id), "version": .int(version), "features": features,
            "likedTogether": .array(likedTogether.rows(of: id)),
        ]
    }

    /// The most popular movies.
    func popular(_ count: Int) -> JSONValue {
        ["version": .int(version), "movies": .array(popular.rows(limit: count))]
    }
}
