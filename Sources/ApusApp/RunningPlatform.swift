// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import Foundation
import KubeAPI
import KubeClient
import Logging

/// The platform that runs, or ran, on a data folder, seen from another process.
package struct RunningPlatform: Sendable {
    /// What was found, and whether all is well.
    package struct Report: Sendable {
        package var text: String
        package var isReady: Bool
    }

    private let dataDir: String

    package init(dataDir: String) { self.dataDir = dataDir }

    /// Stops the platform and everything that it started; what is left after `limit` is killed.
    package func stop(within limit: Duration) async throws -> Report {
        let state = RunState.live(in: dataDir)
        if let state {
            kill(state.pid, SIGTERM)
            let deadline = ContinuousClock.now + limit
            while state.isAlive, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
            if state.isAlive { kill(state.pid, SIGKILL) }
        }
        let left = await killContainers()
        RunState.remove(from: dataDir)
        switch (state, left) {
        case (nil, 0): return Report(text: "apus is not running on \(dataDir).", isReady: true)
        case (nil, _): return Report(text: "apus was not running; ended \(left) containers it had left.", isReady: true)
        default: return Report(text: "apus is down; data stay in \(dataDir).", isReady: true)
        }
    }

    /// Ends containers that outlived the node agent, and says how many there were.
    private func killContainers() async -> Int {
        let root = Platform.runtimeDir(dataDir: dataDir)
        guard FileManager.default.fileExists(atPath: root) else { return 0 }
        let runtime = ProcessRuntime(root: root, shimCommand: [], cgroupParent: nil, logger: Logger(label: "apus"))
        let running = await runtime.containers().filter { record in
            if case .running = record.state { true } else { false }
        }
        for record in running { await runtime.kill(record.spec.id) }
        return running.count
    }

    /// What runs now.
    package func status() async throws -> Report {
        guard let state = RunState.live(in: dataDir) else {
            return Report(text: "apus is not running on \(dataDir): start it with 'apus up'.", isReady: false)
        }
        let transport = try HTTPTransport(try Kubeconfig.load(path: state.kubeconfig))
        let client = KubeClient(transport: transport, userAgent: "apus-status")
        let report: Report
        do {
            report = try await ask(client, state)
        } catch {
            report = Report(
                text: "apus runs as pid \(state.pid) but its API server does not answer: \(error)", isReady: false)
        }
        try await transport.shutdown()
        return report
    }

    private func ask(_ client: KubeClient, _ state: RunState) async throws -> Report {
        let ready = String(decoding: try await client.raw("/readyz", accept: "*/*"), as: UTF8.self)
        let nodes = try await client.list(.nodes).items
        let pods = try await client.list(.pods).items
        let readyNodes = nodes.filter { Conditions.isTrue("Ready", in: $0.status) }.count
        let phases = Dictionary(grouping: pods) { $0.status["phase"].string ?? "Unknown" }
        let summary = phases.map { "\($1.count) \($0)" }.sorted().joined(separator: ", ")
        let table = PlatformSummary(
            state, dataDir: dataDir,
            extra: [
                ("readyz", ready), ("nodes", "\(readyNodes) of \(nodes.count) ready"),
                ("pods", pods.isEmpty ? "none" : summary),
            ])
        return Report(text: table.text, isReady: ready == "ok" && readyNodes == nodes.count && readyNodes > 0)
    }
}
