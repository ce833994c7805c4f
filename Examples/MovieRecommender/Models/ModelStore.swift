// SPDX-License-Identifier: Apache-2.0
import Logging
import ModelKit
import S3Client

/// Numbered models, of which the newest is used: als-000001, als-000002, …
protocol ModelStore: Sendable {
    /// The numbers of the models that are whole and greater than `number`, ascending.
    func numbers(after number: Int) async throws -> [Int]
    /// The model of a number. Throws where it is damaged or gone.
    func read(_ number: Int) async throws -> ALSModel
    /// Makes a model the newest, whole or not at all; its number.
    func publish(_ model: ALSModel) async throws -> Int
    /// For people.
    func name(_ number: Int) -> String
    /// Lets connections go.
    func close() async
}

/// Opens the place of models.
enum ModelPlace {
    static func open(_ place: StoragePlace, logger: Logger) throws(CommandFailure) -> any ModelStore {
        switch place {
        case .folder(let path): FolderModels(path: path)
        case .bucket(let bucket, let prefix):
            BucketModels(try S3Client.ofEnvironment(logger), bucket: bucket, prefix: prefix)
        }
    }

    /// `als-000001`.
    static func name(_ number: Int) -> String {
        let digits = String(number)
        return "als-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    /// The number in a name; nil for other names.
    static func number(_ name: some StringProtocol) -> Int? {
        guard name.hasPrefix("als-"), let number = Int(name.dropFirst(4)), number > 0, Self.name(number) == name else {
            return nil
        }
        return number
    }
}
