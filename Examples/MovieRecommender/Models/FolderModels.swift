// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import ModelKit

/// Models in a folder, a file each: `als-000001.model`.
struct FolderModels: ModelStore {
    let path: String
    private static let suffix = ".model"

    func numbers(after number: Int) async throws -> [Int] {
        try await DedicatedThreads.run { try numbers() }.filter { $0 > number }
    }

    private func numbers() throws -> [Int] {
        try FileManager.default.contentsOfDirectory(atPath: path).compactMap { name in
            name.hasSuffix(Self.suffix) ? ModelPlace.number(name.dropLast(Self.suffix.count)) : nil
        }.sorted()
    }

    func read(_ number: Int) async throws -> ALSModel {
        try await DedicatedThreads.run { try ALSModelFile.read("\(path)/\(name(number))") }
    }

    func publish(_ model: ALSModel) async throws -> Int {
        try await DedicatedThreads.run {
            try BinaryFile.makeFolder(path)
            BinaryFile.removeLeftovers(in: path)
            let number = (try numbers().last ?? 0) + 1
            try ALSModelFile.write(model, to: "\(path)/\(name(number))")
            return number
        }
    }

    func name(_ number: Int) -> String { ModelPlace.name(number) + Self.suffix }

    func close() async {}
}
