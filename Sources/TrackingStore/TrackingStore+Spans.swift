// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
package import TrackingModel

/// A trace with its spans.
package struct Trace: Sendable {
    package let info: TraceInfo
    /// Roots first, then by their begin.
    package let spans: [SpanRecord]
}

/// Spans (MLflow, `SqlAlchemyStore.log_spans`).
extension TrackingStore {
    /// Takes spans in: traces that are not there yet are made, others take over what their spans say.
    /// - Parameters:
    ///   - spans: of any traces; a span that is there is replaced.
    ///   - experiment: of new traces.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func logSpans(_ spans: [SpanIntake], experiment: String) async throws {
        var order: [String] = []
        var byTrace: [String: [SpanIntake]] = [:]
        for span in spans {
            if byTrace[span.record.traceID] == nil { order.append(span.record.traceID) }
            byTrace[span.record.traceID, default: []].append(span)
        }
        var batches: [SpanBatch] = []
        for trace in order { batches.append(try SpanBatch(trace, byTrace[trace] ?? [])) }
        try await database.write { [batches] session in
            var owner: Experiment?
            for batch in batches {
                let found = try session.row(SpanBatch.query, [.text(batch.trace)])
                if found == nil, owner == nil { owner = try session.experimentRow(experiment) }
                try batch.apply(found, owner, session)
            }
        }
    }

    /// A trace with its spans.
    /// - Parameters:
    ///   - id: the trace's.
    ///   - isPartial: whether a trace whose spans are not all there is good.
    /// - Returns: nil where not all spans are there yet.
    /// - Throws: RESOURCE_DOES_NOT_EXIST; INTERNAL_ERROR where its spans are elsewhere, as MLflow has it.
    package func traceWithSpans(_ id: String, isPartial: Bool) async throws -> Trace? {
        try await database.read { session in
            guard let row = try TraceRows.row(id, session) else {
                throw TrackingError.missing("Trace with ID \(id) is not found.")
            }
            return try Self.complete([row], session, isPartial: isPartial).first
        }
    }

    /// Those traces that are there with all their spans, in the order of their ids.
    /// - Throws: INVALID_PARAMETER_VALUE; INTERNAL_ERROR where the spans of one are elsewhere, as MLflow has it.
    package func tracesWithSpans(_ ids: [String], experiments: [String]?) async throws -> [Trace] {
        let known = try Self.numbers(experiments)
        return try await database.read { session in
            try Self.complete(try Self.traceRows(ids, known, session), session, isPartial: false)
        }
    }

    /// Adds the spans; traces that lack some are left out.
    private static func complete(
        _ rows: [SQLRow], _ session: any SQLSession, isPartial: Bool
    ) throws -> [Trace] {
        let infos = try TraceRows.traces(rows, session)
        for info in infos where info.tags[TraceKey.spansLocation] != TraceKey.trackingStore {
            throw TrackingError(.internalError, "Trace data not stored in tracking store")
        }
        var spans: [String: [SpanRecord]] = [:]
        let ids = Dictionary(uniqueKeysWithValues: rows.map { ($0.integer(0), $0.text(1)) })
        try session.each(rows.map { $0.integer(0) }) { numbers, marks in
            let found = try session.rows(
                """
                SELECT trace, span, parent, name, type, status, begun, ended, content FROM spans
                WHERE trace IN (\(marks))
                """, numbers)
            for row in found {
                guard let id = ids[row.integer(0)] else { continue }
                spans[id, default: []].append(
                    SpanRecord(
                        traceID: id, spanID: row.integer(1), parentID: row.integerIfAny(2), name: row.text(3),
                        type: row.textIfAny(4), status: row.text(5), start: row.integer(6), end: row.integer(7),
                        content: row.text(8)))
            }
        }
        return infos.compactMap { info in
            let found = (spans[info.id] ?? []).sorted { left, right in
                (left.parentID == nil ? 0 : 1, left.start, left.spanID)
                    < (right.parentID == nil ? 0 : 1, right.start, right.spanID)
            }
            if !isPartial {
                let expected = info.metadata[TraceKey.sizeStatistics].flatMap { AttributeValue(text: $0) }?["num_spans"]
                guard !found.isEmpty, found.count >= Int(expected?.number ?? 0) else { return nil }
            }
            return Trace(info: info, spans: found)
        }
    }
}
