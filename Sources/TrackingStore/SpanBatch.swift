// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
import TrackingModel

/// Spans of one trace that came together, and what the trace takes over from them.
struct SpanBatch: Sendable {
    let trace: String
    private let spans: [SpanIntake]
    /// Milliseconds since 1970.
    private let begin: Int64
    private let end: Int64
    /// `OK` or `ERROR`, by the root; nil without one.
    private let state: String?
    private let session: String?
    private let user: String?
    private var name: String?
    private var tags: [String: String]

    /// - Throws: INVALID_PARAMETER_VALUE for names that are too long.
    init(_ trace: String, _ spans: [SpanIntake]) throws(TrackingError) {
        self.trace = trace
        // The last one of a span that came twice.
        var last: [Int64: Int] = [:]
        for (index, span) in spans.enumerated() { last[span.record.spanID] = index }
        self.spans = spans.enumerated().filter { last[$1.record.spanID] == $0 }.map(\.element)
        begin = (spans.map(\.record.start).min() ?? 0) / 1_000_000
        end = (spans.map(\.record.end).max() ?? 0) / 1_000_000
        let root = spans.last(where: \.isRoot)
        state = spans.first(where: \.isRoot).map { $0.record.status == "ERROR" ? "ERROR" : "OK" }
        session = try Self.first(["session.id", "gen_ai.conversation.id"], spans).map { text throws(TrackingError) in
            try TraceLimits.session(text)
        }
        user = Self.first(["user.id"], spans)
        tags = Self.tags(of: spans.first { !$0.resource.isEmpty }?.resource ?? [])
        for (key, text) in root?.attributes ?? [] where key.hasPrefix(TraceKey.tagPrefix) {
            let value = AttributeValue(text: text)?.string ?? text
            let key = String(key.dropFirst(TraceKey.tagPrefix.count))
            guard let checked = Self.checked(key, value) else { continue }
            if key == TraceKey.name { name = try TraceLimits.name(checked) } else { tags[key] = checked }
        }
        tags[TraceKey.spansLocation] = TraceKey.trackingStore
    }

    private static func first(_ keys: [String], _ spans: [SpanIntake]) -> String? {
        for span in spans {
            for key in keys {
                guard let text = span.attributes.first(where: { $0.key == key })?.text else { continue }
                let value = AttributeValue(text: text)?.string ?? text
                if !value.isEmpty { return value }
            }
        }
        return nil
    }

    /// A resource's attributes as tags, but OpenTelemetry's of itself and those of MLflow's names.
    private static func tags(of resource: [Attribute]) -> [String: String] {
        var tags: [String: String] = [:]
        for attribute in resource {
            guard !attribute.key.hasPrefix("telemetry.sdk."), !attribute.key.hasPrefix("mlflow.") else { continue }
            let value = attribute.value.string ?? AttributeText.of(attribute.value)
            tags[attribute.key] = checked(attribute.key, value)
        }
        return tags
    }

    /// The value as it is kept; nil where the key is none of a tag.
    private static func checked(_ key: String, _ value: String) -> String? {
        guard (try? Validation.key(key, "key")) != nil, (try? TraceLimits.check("key", key, 250)) != nil else {
            return nil
        }
        return TraceLimits.value(value)
    }

    /// What ``apply(_:_:_:)`` has to know of the trace.
    static let query = """
        SELECT t.id, t.experiment, t.time, t.duration, t.state, t.request, t.response, t.session,
        t.input_tokens IS NOT NULL OR t.output_tokens IS NOT NULL OR t.total_tokens IS NOT NULL,
        t.input_cost IS NOT NULL OR t.output_cost IS NOT NULL OR t.total_cost IS NOT NULL,
        EXISTS (SELECT 1 FROM trace_metadata m WHERE m.trace = t.id AND m.key = '\(TraceKey.isFinal)')
        FROM traces t WHERE t.trace = ?
        """

    private static let rows = Rows(
        """
        INSERT INTO spans (trace, span, parent, name, type, status, begun, ended, content, model, provider, input_cost,
        output_cost, total_cost)
        """, width: 14,
        """
        ON CONFLICT (trace, span) DO UPDATE SET parent = excluded.parent, name = excluded.name, type = excluded.type,
        status = excluded.status, begun = excluded.begun, ended = excluded.ended, content = excluded.content,
        model = excluded.model, provider = excluded.provider, input_cost = excluded.input_cost,
        output_cost = excluded.output_cost, total_cost = excluded.total_cost
        """)

    /// - Parameters:
    ///   - found: the trace's row by ``query``; nil where it is new.
    ///   - owner: the experiment of a new trace.
    ///   - session: of a write.
    /// - Throws: what the database throws.
    func apply(_ found: SQLRow?, _ owner: Experiment?, _ session: any SQLSession) throws {
        var changes: [(column: String, value: SQLValue)] = []
        var tags = tags
        let number: Int64
        if let found {
            number = found.integer(0)
            if !found.bool(10) {
                let time = min(found.integer(2), begin)
                let old = found.integerIfAny(3).map { found.integer(2) + $0 } ?? 0
                changes += [("time", .integer(time)), ("duration", .integer(max(old, end) - time))]
            }
            if let state, [TraceInfo.inProgress, TraceInfo.unspecified].contains(found.text(4)) {
                changes.append(("state", .text(state)))
            }
        } else {
            guard let owner else { return }
            var info = TraceInfo()
            info.id = trace
            info.time = begin
            info.duration = end > 0 ? end - begin : nil
            info.state = state ?? TraceInfo.inProgress
            number = try TrackingStore.insertTrace(info, nil, owner, session)
            tags[TraceKey.artifactLocation] = TrackingStore.artifactLocation(trace, owner)
        }
        try insert(number, session)
        if let root = spans.last(where: \.isRoot) {
            func text(_ key: String) -> String? { root.attributes.first { $0.key == key }?.text }
            if found?.textIfAny(5) == nil, let inputs = text("mlflow.spanInputs") {
                changes.append(("request", .text(TracePreview.of(inputs, role: "user"))))
            }
            if found?.textIfAny(6) == nil, let outputs = text("mlflow.spanOutputs") {
                changes.append(("response", .text(TracePreview.of(outputs, role: "assistant"))))
            }
        }
        if let name { changes.append(("name", .text(name))) }
        if let said = self.session, found?.textIfAny(7) == nil { changes.append(("session", .text(said))) }
        // What a client summed up itself stays.
        let isFinal = found?.bool(10) ?? false
        if !(isFinal && found?.bool(8) == true) {
            changes += try sums(
                "mlflow.chat.tokenUsage", SpanUsage.tokenKeys, SpanUsage.cacheKeys, number, found != nil, session
            ).map { ($0, SQLValue(Int64(exactly: $1.rounded()))) }
        }
        if !(isFinal && found?.bool(9) == true) {
            changes += try sums("mlflow.llm.cost", SpanUsage.costKeys, [], number, found != nil, session)
                .map { ($0, $1.isFinite ? .real($1) : .null) }
        }
        if !changes.isEmpty {
            let assignments = changes.map { "\($0.column) = ?" }.joined(separator: ", ")
            try session.run(
                "UPDATE traces SET \(assignments) WHERE id = ?", changes.map(\.value) + [.integer(number)])
        }
        if let user {
            try session.run(
                "INSERT INTO trace_metadata (trace, key, value) VALUES (?, ?, ?) ON CONFLICT (trace, key) DO NOTHING",
                [.integer(number), .text(TraceKey.user), .text(user)])
        }
        try TrackingStore.setTags(tags, number, session)
    }

    private func insert(_ number: Int64, _ session: any SQLSession) throws {
        try session.insert(
            Self.rows,
            spans.flatMap { span in
                let record = span.record
                let cost = span.value("mlflow.llm.cost")
                return [
                    .integer(number), .integer(record.spanID), SQLValue(record.parentID), .text(record.name),
                    SQLValue(record.type), .text(record.status), .integer(record.start), .integer(record.end),
                    .text(record.content), Self.dimension(span.value("mlflow.llm.model")),
                    Self.dimension(span.value("mlflow.llm.provider")), TraceAmounts.amount(cost?["input_cost"]),
                    TraceAmounts.amount(cost?["output_cost"]), TraceAmounts.amount(cost?["total_cost"]),
                ] as [SQLValue]
            })
    }

    private static func dimension(_ value: AttributeValue?) -> SQLValue {
        SQLValue(value?.string.map { String($0.unicodeScalars.prefix(500)) })
    }

    /// Sums over the trace: those spans that came and those that were there.
    private func sums(
        _ attribute: String, _ keys: [String], _ others: [String], _ number: Int64, _ isKnown: Bool,
        _ session: any SQLSession
    ) throws -> [(String, Double)] {
        var usages = spans.map {
            SpanUsage(spanID: $0.record.spanID, parentID: $0.record.parentID, value: $0.value(attribute))
        }
        guard usages.contains(where: { $0.amounts != nil }) else { return [] }
        if isKnown {
            let came = Set(spans.map(\.record.spanID))
            let rows = try session.rows("SELECT span, parent, content FROM spans WHERE trace = ?", [.integer(number)])
            for row in rows where !came.contains(row.integer(0)) {
                let text = AttributeValue(text: row.text(2))?["attributes"]?[attribute]?.string
                usages.append(
                    SpanUsage(
                        spanID: row.integer(0), parentID: row.integerIfAny(1),
                        value: text.flatMap { AttributeValue(text: $0) }))
            }
        }
        return (SpanUsage.sum(usages, keys: keys, others: others) ?? [:]).sorted { $0.key < $1.key }
            .map { ($0.key, $0.value) }
    }
}
