// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import KubeClient
import Synchronization

/// Load generators for the benchmarks in `Benchmarks/run.py`; each prints one JSON object.
@main
struct ApusBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-bench", abstract: "Load generators for Apus's benchmarks.",
        subcommands: [
            APIBench.self, SchedulerBench.self, CeilingBench.self, ObjectsBench.self, ResponderBench.self,
            DeltaBench.self, SQLBench.self,
        ])
}

/// Which server to load.
struct ServerOptions: ParsableArguments {
    @Option(help: "Kubeconfig of the server.") var kubeconfig: String

    /// Runs `body` with a client of that server.
    func withClient<Result: Sendable>(_ body: (KubeClient) async throws -> Result) async throws -> Result {
        let transport = try HTTPTransport(try Kubeconfig.load(path: kubeconfig))
        do {
            let result = try await body(KubeClient(transport: transport, userAgent: "apus-bench"))
            try await transport.shutdown()
            return result
        } catch {
            try await transport.shutdown()
            throw error
        }
    }
}

/// Latencies of one kind of request.
struct Measurement: Sendable {
    private(set) var latencies: [Duration] = []
    let elapsed: Duration

    /// Runs `operation` over and over in `clients` tasks until `duration` has passed.
    static func run(
        clients: Int, duration: Duration,
        operation: @escaping @Sendable (_ client: Int, _ number: Int) async throws -> Void
    ) async throws -> Measurement {
        let clock = ContinuousClock()
        let start = clock.now
        let all = try await withThrowingTaskGroup(of: [Duration].self) { group in
            for client in 0..<clients {
                group.addTask {
                    var latencies: [Duration] = []
                    var number = 0
                    while clock.now - start < duration {
                        latencies.append(try await clock.measure { try await operation(client, number) })
                        number += 1
                    }
                    return latencies
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        return Measurement(latencies: all.sorted(), elapsed: clock.now - start)
    }

    /// Requests per second.
    var rate: Double { Double(latencies.count) / elapsed.inSeconds }

    private func percentile(_ share: Double) -> Double {
        guard !latencies.isEmpty else { return 0 }
        return latencies[min(latencies.count - 1, Int(Double(latencies.count) * share))].inSeconds * 1000
    }

    /// Rate, and latencies in milliseconds.
    var json: JSONValue {
        [
            "perSecond": JSONValue(rate.rounded()), "p50Ms": JSONValue(percentile(0.5)),
            "p99Ms": JSONValue(percentile(0.99)), "requests": JSONValue(latencies.count),
        ]
    }
}
