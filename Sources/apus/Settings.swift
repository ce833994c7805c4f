// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Foundation
import KubeClient
import YAMLFormat

/// Finds the value of an option: command line, else `APUS_…` in the environment, else the configuration file.
struct Settings {
    private let environment: [String: String]
    private let file: JSONValue

    /// - Throws: `ValidationError` when the configuration file cannot be read.
    init() throws {
        environment = ProcessInfo.processInfo.environment
        let named = environment["APUS_CONFIG"]
        let path = named ?? "\(HomeFolder.path)/.apus/config.yaml"
        guard let data = FileManager.default.contents(atPath: path) else {
            guard named == nil else { throw ValidationError("the configuration file \(path) cannot be read") }
            file = [:]
            return
        }
        do {
            file = try YAMLDocuments.parse(String(decoding: data, as: UTF8.self)).first ?? [:]
        } catch {
            throw ValidationError("the configuration file \(path) is not valid YAML: \(error)")
        }
    }

    /// The value of `--name`, or nil when it is given nowhere.
    func value(_ name: String, _ given: String?) -> String? {
        if let given { return given }
        let variable = "APUS_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
        if let value = environment[variable] { return value }
        switch file[name] {
        case .string(let value): return value
        case .int(let value): return String(value)
        case .double(let value): return String(value)
        case .bool(let value): return String(value)
        default: return nil
        }
    }

    /// The integer value of `--name`.
    /// - Throws: `ValidationError` when it is not an integer.
    func integer(_ name: String, _ given: Int?) throws -> Int? {
        guard let text = value(name, given.map { String($0) }) else { return nil }
        guard let number = Int(text) else { throw ValidationError("--\(name) must be an integer, not '\(text)'") }
        return number
    }
}
