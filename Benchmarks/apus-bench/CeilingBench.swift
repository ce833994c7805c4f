// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Foundation
import KubeStore
import Logging

/// What this machine's disk allows: the store alone, no HTTP, no TLS, no API machinery.
struct CeilingBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ceiling", abstract: "Commits per second of the store alone, on the disk of a folder.")

    @Option(help: "Folder on the disk to measure.") var folder: String
    @Option(help: "Writers at a time.") var clients = 8
    @Option(help: "Seconds.") var seconds = 5

    func run() async throws {
        let directory = "\(folder)/ceiling-\(RandomID.suffix())"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = try KubeStore(
            directory: directory, configuration: StoreConfiguration(), logger: Logger(label: "store"))
        let payload = Array(String(repeating: "x", count: 1400).utf8)
        let commits = try await Measurement.run(clients: clients, duration: .seconds(seconds)) { worker, number in
            let key = StoreKey(resource: "configmaps", namespace: "default", name: "c\(worker)-\(number)")
            _ = try await store.commit(.create(key, StoreValue(labels: [:], fields: [:]) { _ in payload }))
        }
        await store.close()
        print((["clients": JSONValue(clients), "commits": commits.json] as JSONValue).text)
    }
}
