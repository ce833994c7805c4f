// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ModelKit

@Suite struct MovieLensTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

    /// Folders that are there: the 100K set that scripts/fetch-movielens makes, and the small latest one.
    private static let folders = [
        ("\(root)/.cache/movielens-100k", 0.91, 100_000), ("\(root)/../shared/data/ml-latest-small", 0.88, 100_004),
    ].filter { BinaryFile.exists("\($0.0)/ratings.csv") }

    @Test(.enabled(if: !folders.isEmpty, "run scripts/fetch-movielens first"), arguments: folders)
    func heldOutErrorOnRealRatings(_ folder: String, _ limit: Double, _ count: Int) throws {
        let data = try MovieLens(folder: folder)
        #expect(data.ratings.count == count)
        let (train, test) = HeldOut.tenth(of: data.ratings)
        let model = try ALSModel.train(on: train, test: test, configuration: ALSConfiguration())
        let rmse = try #require(model.info.rmse)
        #expect(rmse <= limit)
        #expect(rmse > 0.5)
        let recall = try #require(model.info.recallAt10)
        #expect(recall > 0.01)
        for user in data.ratings.map(\.user).prefix(50) {
            let seen = Set(data.ratings.filter { $0.user == user }.map(\.item))
            let vector = try #require(model.vector(of: user))
            let recommended = model.recommend(vector, count: 100, excluding: model.seenItems(of: user))
            #expect(seen.isDisjoint(with: recommended.map(\.item)))
        }
    }

    @Test(.enabled(if: !folders.isEmpty, "run scripts/fetch-movielens first"))
    func implicitFindsMoreThanChance() throws {
        let data = try MovieLens(folder: try #require(Self.folders.first).0)
        let (train, test) = HeldOut.tenth(of: data.ratings)
        var configuration = ALSConfiguration()
        configuration.feedback = .implicit(alpha: 1)
        configuration.regularization = 5
        configuration.factors = 32
        let model = try ALSModel.train(on: train, test: test, configuration: configuration)
        #expect(model.info.rmse == nil)
        #expect(try #require(model.info.recallAt10) > 0.15)
    }

    @Test func missingFolderIsNamed() {
        let error = #expect(throws: MovieLensError.self) { try MovieLens(folder: "/nonexistent") }
        #expect(error?.description.contains("/nonexistent/ratings.csv") == true)
    }
}

/// A tenth of the ratings, chosen at random, apart from the rest.
enum HeldOut {
    static func tenth(of ratings: [Interaction]) -> (train: [Interaction], test: [Interaction]) {
        var generator = SeededGenerator(seed: 42)
        var shuffled = ratings
        for position in shuffled.indices {
            shuffled.swapAt(position, position + generator.index(below: shuffled.count - position))
        }
        let count = ratings.count / 10
        return (Array(shuffled.dropFirst(count)), Array(shuffled.prefix(count)))
    }
}
