// SPDX-License-Identifier: Apache-2.0
import ServiceHTTP
import Synchronization

/// What the endpoint counts.
final class SQLMetrics: Sendable {
    /// How a statement ended.
    enum Outcome: String, CaseIterable, Sendable {
        case ok, failed, cancelled, refused, rejected
    }

    private struct State {
        var statements: [Outcome: Int] = [:]
        var rows = 0
        var bytes = 0
        var buckets: [Int] = Array(repeating: 0, count: SQLMetrics.bounds.count)
        var seconds = 0.0
        var count = 0
    }

    private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    private let state = Mutex(State())

    /// A statement is over. Rejected ones, for which there was no place, have no duration.
    func add(_ outcome: Outcome, _ duration: Duration?, rows: Int = 0, bytes: Int = 0) {
        state.withLock { state in
            state.statements[outcome, default: 0] += 1
            state.rows += rows
            state.bytes += bytes
            guard let duration else { return }
            let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
            state.seconds += seconds
            state.count += 1
            for (index, bound) in Self.bounds.enumerated() where seconds <= bound { state.buckets[index] += 1 }
        }
    }

    func text(running: Int, waiting: Int) -> String {
        let state = state.withLock { $0 }
        var text = MetricsText()
        text.family("apus_sql_statements_total", .counter, "Statements by how they ended.")
        for outcome in Outcome.allCases {
            text.sample("apus_sql_statements_total", [("outcome", outcome.rawValue)], state.statements[outcome] ?? 0)
        }
        text.family("apus_sql_statement_seconds", .histogram, "Time from a statement's arrival to its last byte.")
        for (index, bound) in Self.bounds.enumerated() {
            text.sample("apus_sql_statement_seconds_bucket", [("le", "\(bound)")], state.buckets[index])
        }
        text.sample("apus_sql_statement_seconds_bucket", [("le", "+Inf")], state.count)
        text.sample("apus_sql_statement_seconds_sum", [], state.seconds)
        text.sample("apus_sql_statement_seconds_count", [], state.count)
        text.family("apus_sql_rows_total", .counter, "Rows sent.")
        text.sample("apus_sql_rows_total", [], state.rows)
        text.family("apus_sql_result_bytes_total", .counter, "Bytes of results sent.")
        text.sample("apus_sql_result_bytes_total", [], state.bytes)
        text.family("apus_sql_statements_running", .gauge, "Statements that run.")
        text.sample("apus_sql_statements_running", [], running)
        text.family("apus_sql_statements_waiting", .gauge, "Statements that wait for their turn.")
        text.sample("apus_sql_statements_waiting", [], waiting)
        return text.text
    }
}
