// SPDX-License-Identifier: Apache-2.0
import KubeClient
import UnixSignals

/// What operators have in common that run alone in the foreground.
enum ForegroundOperator {
    /// Works on a Kubernetes API until SIGTERM or SIGINT.
    /// - Parameters:
    ///   - kubeconfig: where the API is; it has to answer.
    ///   - userAgent: by which it knows the operator.
    ///   - work: ends when it is cancelled.
    /// - Throws: what the API or the work fails with.
    static func run(
        _ kubeconfig: Kubeconfig, userAgent: String, _ work: @escaping @Sendable (KubeClient) async throws -> Void
    ) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let transport = try HTTPTransport(kubeconfig)
        let result: Result<Void, any Error>
        do {
            let client = KubeClient(transport: transport, userAgent: userAgent)
            _ = try await client.raw("/version")
            result = .success(
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { for await _ in signals { return } }
                    group.addTask { try await work(client) }
                    try await group.next()
                    group.cancelAll()
                })
        } catch is CancellationError {
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await transport.shutdown()
        try result.get()
    }
}
