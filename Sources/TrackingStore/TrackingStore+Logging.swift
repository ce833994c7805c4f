// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// Metrics and params of runs (MLflow, `SqlAlchemyStore`).
extension TrackingStore {
    /// Adds a point to a metric; the same point again is none.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST; BAD_REQUEST where it names a model that is not there.
    package func logMetric(_ id: String, _ metric: Metric) async throws {
        try Validation.metric(metric)
        try await log(id, metrics: [metric], params: [], tags: []) { _, _ in }
    }

    /// Sets a param that has no other value yet.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func logParam(_ id: String, _ param: Param) async throws {
        let param = try Validation.param(param)
        try await log(id, metrics: [], params: [param], tags: []) { changes, _ in
            guard let change = changes.first else { return }
            throw TrackingError.invalid(
                "Changing param values is not allowed. Param with key='\(change.key)' was already logged with"
                    + " value='\(change.old)' for run ID='\(id)'. Attempted logging new value '\(change.new)'.")
        }
    }

    /// Logs all, or nothing.
    /// - Throws: as ``logMetric(_:_:)`` and ``logParam(_:_:)``.
    package func logBatch(_ id: String, metrics: [Metric], params: [Param], tags: [Tag]) async throws {
        try Validation.runID(id)
        for (index, metric) in metrics.enumerated() where !Validation.isSurelyGood(metric) {
            try Validation.metric(metric, path: "metrics[\(index)]")
        }
        let params = try params.enumerated().map { try Validation.param($1, path: "params[\($0)]") }
        let tags = try tags.enumerated().map { try Validation.tag($1, path: "tags[\($0)]") }
        try Validation.batch(metrics: metrics.count, params: params.count, tags: tags.count)
        try Validation.uniqueKeys(params)
        try await log(id, metrics: metrics, params: params, tags: tags) { changes, _ in
            guard !changes.isEmpty else { return }
            let texts = changes.map { change in
                "{'key': \(PythonText.repr(change.key)), 'old_value': \(PythonText.repr(change.old)), "
                    + "'new_value': \(PythonText.repr(change.new))}"
            }
            throw TrackingError.invalid(
                "Changing param values is not allowed. Params were already logged='[\(texts.joined(separator: ", "))]'"
                    + " for run ID='\(id)'.")
        }
    }

    /// A param that has another value than is asked for.
    private struct Change {
        let key: String
        let old: String
        let new: String
    }

    private func log(
        _ id: String, metrics: [Metric], params: [Param], tags: [Tag],
        refuse: @escaping @Sendable ([Change], RunRow) throws -> Void
    ) async throws {
        let points = KeyedMetrics(metrics)
        let known = metricKeys.known(points.keys)
        let made = try await database.write { session -> [String: Int64] in
            let run = try session.activeRun(id)
            let changes = try Self.log(params, run.id, session)
            if !changes.isEmpty { try refuse(changes, run) }
            var keys = known
            let made = try MetricKeys.make(points.keys.filter { keys[$0] == nil }, session)
            keys.merge(made) { $1 }
            try Self.log(points, keys, run.id, session)
            try Self.logModels(metrics, keys, run.id, session)
            try Self.set(tags, ofRun: run.id, session)
            return made
        }
        metricKeys.remember(made)
    }

    // MARK: Params

    private static let paramRows = Rows(
        "INSERT INTO params (run, key, value)", width: 3, "ON CONFLICT (run, key) DO NOTHING")

    /// Inserts what is new.
    /// - Returns: params that have another value.
    private static func log(_ params: [Param], _ run: Int64, _ session: any SQLSession) throws -> [Change] {
        guard !params.isEmpty else { return [] }
        let values = params.flatMap { [.integer(run), .text($0.key), .text($0.value)] as [SQLValue] }
        // What is there is mostly nothing, so that this is all.
        if try session.insert(paramRows, values) == params.count { return [] }
        let found = try session.rows("SELECT key, value FROM params WHERE run = ?", [.integer(run)])
        let old = Dictionary(found.map { ($0.text(0), $0.text(1)) }, uniquingKeysWith: { $1 })
        return params.compactMap { param in
            guard let value = old[param.key], value != param.value else { return nil }
            return Change(key: param.key, old: value, new: param.value)
        }
    }

    // MARK: Metrics

    private static let metricRows = Rows(
        "INSERT INTO metrics (run, key, step, time, value)", width: 5, "ON CONFLICT DO NOTHING")

    private static let latestRows = Rows(
        "INSERT INTO latest_metrics (run, key, value, is_nan, step, time)", width: 6,
        """
        ON CONFLICT (run, key) DO UPDATE SET value = excluded.value, is_nan = excluded.is_nan, step = excluded.step,
        time = excluded.time WHERE (excluded.step, excluded.time, excluded.value) >
        (latest_metrics.step, latest_metrics.time, latest_metrics.value)
        """)

    private static func log(
        _ points: KeyedMetrics, _ keys: [String: Int64], _ run: Int64, _ session: any SQLSession
    ) throws {
        guard !points.metrics.isEmpty else { return }
        var values: [SQLValue] = []
        values.reserveCapacity(points.metrics.count * metricRows.width)
        var latest: [(key: Int64, metric: Metric)] = []
        // In the order of the table's key: neighbours are written together. And two servers on one database lock rows in
        // the same order.
        for (key, metrics) in points.byKey(keys) {
            var last = metrics[0]
            for metric in metrics {
                values.append(.integer(run))
                values.append(.integer(key))
                values.append(.integer(metric.step))
                values.append(.integer(metric.timestamp))
                values.append(MetricValue.sql(metric.value, session.dialect))
                if metric.isLater(than: last) { last = metric }
            }
            latest.append((key, last))
        }
        try session.insert(metricRows, values)
        values.removeAll(keepingCapacity: true)
        for (key, metric) in latest {
            values.append(.integer(run))
            values.append(.integer(key))
            values.append(.real(metric.comparedValue))
            values.append(.integer(metric.value.isNaN ? 1 : 0))
            values.append(.integer(metric.step))
            values.append(.integer(metric.timestamp))
        }
        try session.insert(latestRows, values)
    }

    private static let modelRows = Rows(
        "INSERT INTO model_metrics (model, key, time, step, run, value, dataset_name, dataset_digest)", width: 8,
        "ON CONFLICT DO NOTHING")

    /// Points that name a logged model are its points, too.
    private static func logModels(
        _ metrics: [Metric], _ keys: [String: Int64], _ run: Int64, _ session: any SQLSession
    ) throws {
        let models = Set(metrics.lazy.map(\.modelID).filter { !$0.isEmpty })
        guard !models.isEmpty else { return }
        try LoggedModelRows.require(models, session)
        let values = metrics.filter { !$0.modelID.isEmpty }.flatMap { metric -> [SQLValue] in
            [
                .text(metric.modelID), .integer(keys[metric.key] ?? 0), .integer(metric.timestamp),
                .integer(metric.step), .integer(run), .real(metric.comparedValue), .text(metric.datasetName),
                .text(metric.datasetDigest),
            ]
        }
        try session.insert(modelRows, values)
    }
}
