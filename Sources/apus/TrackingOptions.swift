// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Foundation
import TrackingClient

/// Which tracking server the commands ask, and how they print.
struct TrackingOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

    @Option(
        help: """
            Address of the tracking server: apus serve tracking, or MLflow's. Who asks is in MLFLOW_TRACKING_TOKEN, or in \
            MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. (default: $MLFLOW_TRACKING_URI, else \
            http://127.0.0.1:5000)
            """)
    var tracking: String?

    @Option(help: "table, or json: one object a line.") var format: Format = .table

    /// Runs `body` with a client, and turns its errors into one sentence and exit code 1.
    func withClient(_ body: (TrackingClient) async throws -> Void) async throws {
        var configuration = TrackingClientConfiguration(
            environment: ProcessInfo.processInfo.environment, address: try Settings().value("tracking", tracking))
        // Somebody waits for the answer.
        configuration.retries.attempts = 4
        let client: TrackingClient
        do {
            client = try TrackingClient(configuration)
        } catch {
            throw ValidationError(error.message)
        }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(client))
        } catch {
            result = .failure(error)
        }
        await client.shutdown()
        do {
            try result.get()
        } catch let error as TrackingClientError {
            throw fail(error.description)
        }
    }

    /// Prints records, as rows under `head` or as the server gave them.
    func show<Record: TrackingRecord>(
        _ records: [Record], none: String, head: [String], _ row: (Record) -> [String]
    ) {
        switch format {
        case .json: for record in records { print(record.json.text) }
        case .table:
            guard !records.isEmpty else { return FileHandle.standardError.write(Data("\(none)\n".utf8)) }
            print(TextTable.render([head] + records.map(row)))
        }
    }
}

extension TrackingClient {
    /// Pages until there are `limit` records, or no more.
    func collect<Record: TrackingRecord>(
        limit: Int, pageSize: Int = 1000,
        _ page: (_ maximum: Int, _ token: String?) async throws(TrackingClientError) -> TrackingPage<Record>
    ) async throws(TrackingClientError) -> [Record] {
        var records: [Record] = []
        var token: String?
        repeat {
            let next = try await page(min(limit - records.count, pageSize), token)
            records += next.records
            token = next.next
        } while token != nil && records.count < limit
        return records
    }
}

/// Texts of cells.
enum TrackingText {
    /// `2026-01-02T03:04:05Z`.
    static func time(_ milliseconds: Int64?) -> String {
        milliseconds.map { Timestamp(seconds: $0 / 1000).rfc3339 } ?? "-"
    }

    /// `4.2s`, `3m05s`, `2h03m`.
    static func duration(_ start: Int64?, _ end: Int64?) -> String {
        guard let start, let end, end >= start else { return "-" }
        let seconds = (end - start) / 1000
        if seconds < 60 { return String(format: "%.1fs", Double(end - start) / 1000) }
        if seconds < 3600 { return String(format: "%dm%02ds", seconds / 60, seconds % 60) }
        return String(format: "%dh%02dm", seconds / 3600, seconds / 60 % 60)
    }

    static func number(_ value: Double?) -> String { value.map { String(format: "%.6g", $0) } ?? "-" }

    /// `rmse=0.907 …`: all but those of the system, the first few.
    static func metrics(_ metrics: [String: Double]) -> String {
        let shown = metrics.filter { !$0.key.hasPrefix("system/") }.sorted { $0.key < $1.key }
        let text = shown.prefix(6).map { "\($0.key)=\(number($0.value))" }.joined(separator: " ")
        return shown.isEmpty ? "-" : shown.count > 6 ? text + " …" : text
    }

    /// One line without what moves a terminal's cursor.
    static func line(_ text: String, _ length: Int = 60) -> String {
        let clean = String(
            text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 32 || $0.value == 127 } ? " " : $0 })
        if clean.isEmpty { return "-" }
        return clean.count > length ? clean.prefix(length - 1) + "…" : clean
    }
}
