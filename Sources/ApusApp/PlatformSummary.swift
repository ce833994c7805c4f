// SPDX-License-Identifier: Apache-2.0

/// What runs where, as a short table.
package struct PlatformSummary: Sendable {
    /// URL of the API server.
    package var server: String
    private let rows: [(String, String)]

    package init(_ state: RunState, dataDir: String, extra: [(String, String)] = []) {
        server = state.server
        rows =
            [
                ("API server", state.server), ("process", "pid \(state.pid)"), ("data", dataDir),
                ("kubeconfig", state.kubeconfig),
            ] + extra + [("try", "export KUBECONFIG=\(state.kubeconfig); kubectl get nodes")]
    }

    /// One line a row.
    package var text: String {
        rows.map { name, value in
            "  " + name + String(repeating: " ", count: max(1, 14 - name.count)) + value
        }.joined(separator: "\n")
    }
}
