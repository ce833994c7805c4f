// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ModelKit

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct ALSModelTests {
    /// Two tastes: even users like even items, odd users odd ones.
    private static let interactions: [Interaction] = {
        var interactions: [Interaction] = []
        for user in Int64(1)...40 {
            for item in Int64(1)...30 where (user * 7 + item * 3) % 4 != 0 {
                let value: Float = user % 2 == item % 2 ? 5 : 1
                interactions.append(Interaction(user: user, item: item * 10, value: value, timestamp: 0))
            }
        }
        return interactions
    }()

    private func model(_ feedback: ALSConfiguration.Feedback = .explicit) throws -> ALSModel {
        var configuration = ALSConfiguration()
        configuration.factors = 6
        configuration.feedback = feedback
        configuration.regularization = 0.05
        var model = try ALSModel.train(
            on: Self.interactions, test: Array(Self.interactions.prefix(20)), configuration: configuration)
        model.info.datasetVersion = "v1"
        model.info.trainedAt = 1_700_000_000
        return model
    }

    @Test func tellsTheHeldOutErrorAfterEachIteration() throws {
        var configuration = ALSConfiguration()
        configuration.factors = 6
        configuration.iterations = 4
        var reports: [ALSProgress] = []
        let model = try ALSModel.train(
            on: Array(Self.interactions.dropFirst(20)), test: Array(Self.interactions.prefix(20)),
            configuration: configuration
        ) { progress in
            reports.append(progress)
            return true
        }
        #expect(reports.map(\.iteration) == [1, 2, 3, 4])
        #expect(Set(reports.map(\.holdOut)).count == 4)
        let last = try #require(reports.last?.holdOut)
        #expect(abs(last - (try #require(model.info.rmse))) < 1e-6)
        configuration.feedback = .implicit(alpha: 1)
        var measured: [Double?] = []
        _ = try ALSModel.train(on: Self.interactions, test: [], configuration: configuration) { progress in
            measured.append(progress.holdOut)
            return true
        }
        #expect(measured == [nil, nil, nil, nil])
    }

    @Test func recommendsTheUsersTasteAndNothingSeen() throws {
        let model = try model()
        for user in [Int64(1), 2] {
            let seen = model.seenItems(of: user)
            let vector = try #require(model.vector(of: user))
            let recommended = model.recommend(vector, count: 3, excluding: seen)
            #expect(recommended.count == 3)
            for scored in recommended {
                #expect(!seen.contains(scored.item))
                #expect((scored.item / 10) % 2 == user % 2)
            }
            #expect(recommended.map(\.score) == recommended.map(\.score).sorted(by: >))
            #expect(model.recommend(vector, count: 1000, excluding: seen).count == 30 - seen.count)
        }
    }

    @Test(arguments: [ALSConfiguration.Feedback.explicit, .implicit(alpha: 4)])
    func newRatingsChangeRecommendationsAtOnce(_ feedback: ALSConfiguration.Feedback) throws {
        let model = try model(feedback)
        func favourite(_ liked: [Int64], _ disliked: [Int64]) -> Int64? {
            var ratings = liked.map { (item: $0, value: Float(5)) }
            if feedback == .explicit { ratings += disliked.map { (item: $0, value: Float(1)) } }
            let vector = model.foldIn(ratings + [(item: 424_242, value: 5)])
            return model.recommend(vector, count: 1, excluding: Set(liked + disliked)).first?.item
        }
        let even = try #require(favourite([20, 40, 60], [10, 30, 50]))
        let odd = try #require(favourite([10, 30, 50], [20, 40, 60]))
        #expect((even / 10) % 2 == 0)
        #expect((odd / 10) % 2 == 1)
    }

    @Test func foldInAgreesWithTraining() throws {
        let model = try model()
        let ratings = Self.interactions.filter { $0.user == 3 }.map { (item: $0.item, value: $0.value) }
        let folded = model.foldIn(ratings)
        let trained = try #require(model.vector(of: 3))
        for item in stride(from: Int64(10), through: 300, by: 10) {
            let (a, b) = (
                try #require(model.predict(folded, item: item)), try #require(model.predict(trained, item: item))
            )
            #expect(abs(a - b) < 0.1)
        }
    }

    @Test func similarItemsShareTheirAudience() throws {
        let model = try model()
        let similar = try #require(model.similar(to: 20, count: 5))
        #expect(similar.count == 5)
        #expect(similar.allSatisfy { ($0.item / 10) % 2 == 0 && $0.score <= 1 })
        #expect(model.similar(to: 20, count: 5, support: 1000) == [])
        #expect(model.similar(to: 7, count: 5) == nil)
    }

    @Test func strangersGetTheMeanTaste() throws {
        let model = try model()
        #expect(model.vector(of: 999) == nil)
        #expect(model.seenItems(of: 999).isEmpty)
        #expect(model.recommend(model.foldIn([]), count: 2, excluding: []).count == 2)
        #expect(model.predict(model.foldIn([]), item: 7) == nil)
        let prediction = try #require(model.predict(model.foldIn([(item: 20, value: .nan)]), item: 20))
        #expect((1...5).contains(prediction))
    }

    @Test(arguments: [ALSConfiguration.Feedback.explicit, .implicit(alpha: 4)])
    func fileReadsBack(_ feedback: ALSConfiguration.Feedback) throws {
        let model = try model(feedback)
        let read = try ALSModelFile.decode(ALSModelFile.encode(model))
        #expect(read.factors == model.factors)
        #expect(read.users == model.users)
        #expect(read.items == model.items)
        #expect(read.seen.columns == model.seen.columns)
        #expect(read.info.datasetVersion == "v1")
        #expect(read.info.rmse == model.info.rmse)
        #expect(read.info.recallAt10 == model.info.recallAt10)
        #expect(read.info.configuration.feedback == feedback)
        let vector = model.foldIn([(item: 20, value: 5)])
        #expect(read.foldIn([(item: 20, value: 5)]) == vector)
        #expect(read.recommend(vector, count: 9, excluding: []) == model.recommend(vector, count: 9, excluding: []))
    }

    @Test func damagedFilesAreRefused() throws {
        let bytes = ALSModelFile.encode(try model())
        for length in [0, 7, 8, 12, 16, 19, 20, 100, bytes.count / 2, bytes.count - 1] {
            #expect(throws: ALSError.self) { try ALSModelFile.decode(Array(bytes.prefix(length))) }
        }
        #expect(throws: ALSError.self) { try ALSModelFile.decode(bytes + [0]) }
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<200 {
            var damaged = bytes
            damaged[generator.index(below: bytes.count)] ^= UInt8(1 << generator.index(below: 8))
            #expect(throws: ALSError.self) { try ALSModelFile.decode(damaged) }
        }
    }

    @Test func rightChecksumDoesNotExcuseWrongContent() throws {
        let bytes = ALSModelFile.encode(try model())
        var generator = SeededGenerator(seed: 2)
        var refused = 0
        for _ in 0..<300 {
            var damaged = Array(bytes.dropLast(4))
            damaged[12 + generator.index(below: 600)] = UInt8(truncatingIfNeeded: generator.next())
            let checksum = CRC32.checksum(damaged)
            damaged += (0..<4).map { UInt8(truncatingIfNeeded: checksum >> ($0 * 8)) }
            // Whatever is let through must be a whole model that can answer.
            do {
                let read = try ALSModelFile.decode(damaged)
                _ = read.recommend(read.foldIn([]), count: 5, excluding: [])
            } catch {
                #expect(error.code == .invalidFile)
                refused += 1
            }
        }
        #expect(refused > 50)
    }

    @Test func fileIsReplacedAtomically() throws {
        var template = Array("/tmp/modelkit-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        let path = "\(folder)/a"
        try BinaryFile.write(Array(repeating: 7, count: 100_000), to: path)
        try BinaryFile.write([1, 2, 3], to: path)
        #expect(try BinaryFile.read(path) == [1, 2, 3])
        let error = #expect(throws: FileError.self) { try BinaryFile.write([1], to: "\(folder)/missing/a") }
        #expect(error?.description.contains("missing") == true)
        #expect(throws: FileError.self) { try BinaryFile.read(path, limit: 2) }
        #expect(throws: FileError.self) { try BinaryFile.read(folder) }
        unlink(path)
        #expect(rmdir(folder) == 0)
    }

    @Test func checksumIsThatOfZlib() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
    }
}
