// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// All points of metrics (MLflow, `SqlAlchemyStore`).
extension TrackingStore {
    /// Rows of a portion from which on it is quicker to leap from its beginning to the next one's.
    private static let leap = 16

    private static func isNotANumber(_ dialect: SQLDialect) -> String {
        dialect == .sqlite ? "typeof(value) = 'text'" : "value = 'NaN'"
    }

    /// Values are compared with 0 for what is no number.
    private static func compared(_ dialect: SQLDialect) -> String {
        "CASE WHEN \(isNotANumber(dialect)) THEN 0 ELSE value END"
    }

    /// Points of a metric of a run, by time, step and value; none where the run or the metric is not there.
    ///
    /// There are at most `limit` of them, from where a page begins.
    package func metricHistory(
        _ id: String, _ key: String, limit: Int? = nil, from start: HistoryToken = .start
    ) async throws -> [Metric] {
        try await database.read { session in
            guard let (run, number) = try Self.numbers(id, key, session) else { return [] }
            let order = "time, step, \(Self.compared(session.dialect)), value"
            var values: [SQLValue] = [.integer(run), .integer(number)]
            if let last = start.last {
                values += [
                    .integer(last.timestamp), .integer(last.step), .real(last.comparedValue),
                    MetricValue.sql(last.value, session.dialect),
                ]
            }
            values += [.integer(Int64(limit ?? .max)), .integer(Int64(start.last == nil ? start.offset : 0))]
            let rows = try session.rows(
                """
                SELECT time, step, value FROM metrics WHERE run = ? AND key = ?
                \(start.last == nil ? "" : "AND (\(order)) > (?, ?, ?, ?)") ORDER BY \(order) LIMIT ? OFFSET ?
                """, values)
            return rows.map { row in
                Metric(key: key, value: MetricValue.read(row[2]), timestamp: row.integer(0), step: row.integer(1))
            }
        }
    }

    /// Points of a metric of several runs, by the runs' ids, then time, step and value.
    package func metricHistory(ofRuns ids: [String], _ key: String, limit: Int) async throws -> [Metric] {
        try await database.read { session in
            var result: [Metric] = []
            for id in Set(ids).sorted() where result.count < limit {
                guard let (run, number) = try Self.numbers(id, key, session) else { continue }
                let rows = try session.rows(
                    """
                    SELECT time, step, value FROM metrics WHERE run = ? AND key = ?
                    ORDER BY time, step, \(Self.compared(session.dialect)), value LIMIT ?
                    """,
                    [.integer(run), .integer(number), .integer(Int64(limit - result.count))])
                for row in rows {
                    result.append(
                        Metric(
                            key: key, value: MetricValue.read(row[2]), timestamp: row.integer(0), step: row.integer(1),
                            runID: id))
                }
            }
            return result
        }
    }

    /// Points of a metric of each run, evenly chosen by step, time and value, with the first and the last one.
    ///
    /// The answer has the runs' order; `steps` are those that are looked at, nil for all; `limit` counts points of a run,
    /// 1 or more.
    package func sampledHistory(
        ofRuns ids: [String], _ key: String, steps: ClosedRange<Int64>?, limit: Int
    ) async throws -> [Metric] {
        try await database.read { session in
            var result: [Metric] = []
            for id in ids {
                guard let (run, number) = try Self.numbers(id, key, session) else { continue }
                result += try Self.sample(run, number, steps, limit, session).map { row in
                    Metric(
                        key: key, value: MetricValue.read(row[2]), timestamp: row.integer(1), step: row.integer(0),
                        runID: id)
                }
            }
            return result
        }
    }

    /// The first row of each of `limit` portions of equal size (SQL's NTILE), the last of the last one instead.
    private static func sample(
        _ run: Int64, _ key: Int64, _ steps: ClosedRange<Int64>?, _ limit: Int, _ session: any SQLSession
    ) throws -> [SQLRow] {
        let range = steps == nil ? "" : " AND step BETWEEN ? AND ?"
        var values: [SQLValue] = [.integer(run), .integer(key)]
        if let steps { values += [.integer(steps.lowerBound), .integer(steps.upperBound)] }
        let counts = try session.row(
            """
            SELECT count(*), count(CASE WHEN \(isNotANumber(session.dialect)) THEN 1 END) FROM metrics
            WHERE run = ? AND key = ?\(range)
            """, values)
        guard let counts, case let count = Int(counts.integer(0)), count > 0 else { return [] }
        let columns = "step, time, value"
        let order = "step, time, \(compared(session.dialect)), value"
        guard count > limit else {
            return try session.rows(
                "SELECT \(columns) FROM metrics WHERE run = ? AND key = ?\(range) ORDER BY \(order)", values)
        }
        // NTILE: the first count % limit portions have one row more.
        let places = portions(count, limit)
        // Where all are numbers, the table's key has their order.
        if places.size >= leap, counts.integer(1) == 0 {
            return try leaps(run, key, steps, count, limit, session)
        }
        let rows = try session.rows(
            """
            SELECT \(columns) FROM (
              SELECT \(columns), row_number() OVER (ORDER BY \(order)) - 1 AS place FROM metrics
              WHERE run = ? AND key = ?\(range)) AS numbered
            WHERE place = ? OR CASE WHEN place < ? THEN place % ? = 0 ELSE (place - ?) % ? = 0 END ORDER BY place
            """,
            values
                + [count - 1, places.larger, places.size + 1, places.larger, places.size].map { .integer(Int64($0)) })
        // The last one takes the place of that which begins the last portion.
        guard rows.count > limit else { return rows }
        return Array(rows.prefix(limit - 1)) + rows.suffix(1)
    }

    /// The same, by the table's key: from the first row of each portion to that of the next one.
    private static func leaps(
        _ run: Int64, _ key: Int64, _ steps: ClosedRange<Int64>?, _ count: Int, _ limit: Int,
        _ session: any SQLSession
    ) throws -> [SQLRow] {
        func row(_ order: String, from: [SQLValue], _ comparison: String, leavingOut: Int) throws -> SQLRow? {
            try session.row(
                """
                SELECT step, time, value FROM metrics WHERE run = ? AND key = ? AND (step, time, value) \(comparison) (?, ?, ?)
                ORDER BY step \(order), time \(order), value \(order) LIMIT 1 OFFSET ?
                """, [.integer(run), .integer(key)] + from + [.integer(Int64(leavingOut))])
        }
        let places = portions(count, limit)
        var rows: [SQLRow] = []
        var from: [SQLValue] = [.integer(steps?.lowerBound ?? .min), .integer(.min), .real(-.infinity)]
        var (place, step) = (0, 0)
        // The last portion's first row gives way to the last row of all.
        for _ in 1..<max(limit, 1) {
            guard let next = try row("", from: from, ">=", leavingOut: step) else { break }
            rows.append(next)
            from = (0..<3).map { next[$0] }
            step = place < places.larger ? places.size + 1 : places.size
            place += step
        }
        let last = try row(
            "DESC", from: [.integer(steps?.upperBound ?? .max), .integer(.max), .real(.infinity)], "<=", leavingOut: 0)
        return rows + (last.map { [$0] } ?? [])
    }

    /// How rows are shared out: portions of `size + 1` up to the row `larger`, and of `size` after it.
    private static func portions(_ count: Int, _ limit: Int) -> (size: Int, larger: Int) {
        let size = count / limit
        return (size, (count % limit) * (size + 1))
    }

    /// The numbers of a run and a metric's key; nil where one is not there.
    private static func numbers(
        _ id: String, _ key: String, _ session: any SQLSession
    ) throws -> (run: Int64, key: Int64)? {
        guard let run = try session.row("SELECT id FROM runs WHERE uuid = ?", [.text(id)])?.integer(0),
            let number = try MetricKeys.find(key, session)
        else { return nil }
        return (run, number)
    }
}
