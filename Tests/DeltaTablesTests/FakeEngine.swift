// SPDX-License-Identifier: Apache-2.0
import DeltaProtocol
import Foundation
import Synchronization

@testable import DeltaTables

/// Stands in for DuckDB: a "Parquet file" is a text with the number of its rows, or a checkpoint's lines. Queries for
/// rows are `rows(N)`; every predicate holds for all rows of files that have more than one row.
final class FakeEngine: DeltaParquet {
    let failing = Mutex<String?>(nil)

    private func quoted(_ sql: Substring) -> String {
        String(sql.drop { $0 != "'" }.dropFirst().prefix { $0 != "'" })
    }

    private func content(_ path: String) throws(DeltaError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw DeltaError(.engine, "there is no file \(path)")
        }
        return String(decoding: data, as: UTF8.self)
    }

    private func after(_ text: String, in sql: String) -> Substring {
        sql.range(of: text).map { sql[$0.upperBound...] } ?? ""
    }

    /// All files of a statement.
    private func files(_ sql: String) -> [String] {
        sql.components(separatedBy: "'").enumerated().filter { $0.offset % 2 == 1 && $0.element.hasSuffix(".parquet") }
            .map(\.element)
    }

    func texts(_ sql: String) async throws(DeltaError) -> [[String?]] {
        if let part = failing.withLock({ $0 }), sql.contains(part) { throw DeltaError(.engine, "as was asked for") }
        if sql.hasPrefix("COPY") {
            let target = quoted(after(" TO ", in: sql))
            let text: String
            if sql.contains("read_json") {
                text = try content(quoted(after("read_json(", in: sql)))
            } else if let range = sql.range(of: "rows(") {
                text = String(sql[range.upperBound...].prefix { $0.isNumber })
            } else {
                var rows = 0
                for file in files(sql) where file != target { rows += Int(try content(file)) ?? 0 }
                text = sql.contains("IS NOT TRUE") ? "0" : "\(rows)"
            }
            guard FileManager.default.createFile(atPath: target, contents: Data(text.utf8)) else {
                throw DeltaError(.engine, "cannot write \(target)")
            }
            return []
        }
        if sql.contains("parquet_metadata(") { return [["100"]] }
        if sql.contains("(DESCRIBE") { return [["a", "BIGINT"]] }
        if sql.contains("GROUP BY \(DeltaRelation.fileColumn)") {
            var rows: [[String?]] = []
            for file in files(sql) {
                let count = try content(file)
                rows.append([file, count, count == "1" ? "0" : count])
            }
            return rows
        }
        if sql.hasPrefix("SELECT CAST(count(*) AS VARCHAR),") {
            let rows = try content(quoted(after("read_parquet(", in: sql)))
            return [
                [rows]
                    + Array(repeating: rows, count: sql.components(separatedBy: "min(").count - 1).flatMap {
                        [$0, "1", "9"]
                    }
            ]
        }
        throw DeltaError(.engine, "not known to the stand-in: \(sql)")
    }

    func checkpoint(_ path: String, local: String) async throws(DeltaError) -> [DeltaAction] {
        try DeltaCommit.actions(Array(try content(local).utf8), of: path)
    }
}

/// A folder of a test, which goes with it.
final class TestFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "apus-delta-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func files(_ folder: String = "") -> [String] {
        ((try? FileManager.default.subpathsOfDirectory(atPath: "\(path)/\(folder)")) ?? []).sorted()
    }
}
