// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import ModelKit

@Suite struct FeatureQueryTests {
    private let query = FeatureQuery(
        name: "split",
        sql: """
            -- A comment.
            WITH parameters AS (SELECT CAST(0.1 AS DOUBLE) AS holdout, CAST(42 AS BIGINT) AS seed),
            other AS (SELECT CAST(7 AS BIGINT) AS late)
            SELECT CAST(1 AS BIGINT) AS seed FROM ratings
            """)

    @Test func parametersGetOtherValues() throws {
        let sql = try query.sql(with: ["holdout": .double(0.25), "seed": .bigint(.max)])
        #expect(sql.contains("CAST(0.25 AS DOUBLE) AS holdout, CAST(9223372036854775807 AS BIGINT) AS seed)"))
        #expect(sql.contains("SELECT CAST(1 AS BIGINT) AS seed FROM ratings"))
        #expect(try query.sql(with: [:]) == query.sql)
        #expect(try query.sql(with: ["holdout": .double(0.1), "seed": .bigint(42)]) == query.sql)
    }

    @Test(
        arguments: [
            ("late", .bigint(1)), ("hold", .double(1)), ("", .double(1)), ("holdout", .bigint(1)), ("seed", .double(1)),
            ("holdout", .double(.nan)), ("holdout", .double(.infinity)),
        ] as [(String, FeatureQuery.Value)])
    func whatIsNoParameterIsRefused(_ name: String, _ value: FeatureQuery.Value) {
        #expect(throws: FeatureQueryError.self) { try query.sql(with: [name: value]) }
        #expect(throws: FeatureQueryError.self) {
            try FeatureQuery(name: "plain", sql: "SELECT 1").sql(with: [name: value])
        }
    }

    /// The queries of the recommender are files with one statement each; those that divide have parameters.
    @Test func queriesOfTheRecommender() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Examples/MovieRecommender/queries").standardized
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".sql") }
        #expect(files.count >= 10)
        for file in files {
            let sql = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
            let query = FeatureQuery(name: String(file.dropLast(4)), sql: sql)
            let statement = sql.split(separator: "\n").filter { !$0.hasPrefix("--") }.joined(separator: "\n")
            #expect(!statement.contains { ";\"".contains($0) } && statement.contains("ORDER BY"), "\(file)")
            if query.name.hasPrefix("split_") {
                #expect(try query.sql(with: ["holdout": .double(0.2)]).contains("CAST(0.2 AS DOUBLE) AS holdout"))
            }
        }
    }
}

@Suite struct DatasetNameTests {
    @Test(arguments: [
        DatasetName(version: 17, split: .random(fraction: 0.1, seed: 42)),
        DatasetName(version: 0, split: .time(fraction: 0)), DatasetName(version: .max, split: .time(fraction: 0.9)),
        DatasetName(version: 1, split: .random(fraction: 0.001, seed: .max)),
    ])
    func namesReadBack(_ name: DatasetName) { #expect(DatasetName("\(name)") == name) }

    @Test(arguments: [
        "", "v", "v1", "v1-time", "v1-time-", "v1-time-0.95", "v1-time--0.1", "v-1-time-0.1", "x1-time-0.1",
        "v1-other-0.1", "v1-random-0.1", "v1-random-0.1-x", "v1-time-0.1-4", "v01-time-0.1", "v1-time-0.10",
        "v1-time-nan", "v99999999999999999999-time-0.1", "../../etc",
    ])
    func othersAreNone(_ text: String) { #expect(DatasetName(text) == nil) }
}
