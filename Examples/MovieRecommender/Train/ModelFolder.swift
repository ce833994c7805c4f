// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import ModelKit

/// A folder of numbered models: `als-000001.model`, `als-000002.model`, …
struct ModelFolder: Sendable {
    let path: String

    /// The numbers of the models that are there, ascending.
    func numbers() throws -> [Int] {
        try FileManager.default.contentsOfDirectory(atPath: path).compactMap(Self.number).sorted()
    }

    /// The number in a model file's name; nil for other files.
    static func number(_ name: String) -> Int? {
        guard name.hasPrefix("als-"), name.hasSuffix(".model") else { return nil }
        return Int(name.dropFirst(4).dropLast(6))
    }

    /// The name of model `number`.
    static func name(_ number: Int) -> String {
        let digits = String(number)
        return "als-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".model"
    }

    /// Writes `model` under the next number and gives its name. Blocks.
    func publish(_ model: ALSModel) throws -> String {
        try BinaryFile.makeFolder(path)
        BinaryFile.removeLeftovers(in: path)
        let name = Self.name((try numbers().last ?? 0) + 1)
        try ALSModelFile.write(model, to: "\(path)/\(name)")
        return name
    }
}
