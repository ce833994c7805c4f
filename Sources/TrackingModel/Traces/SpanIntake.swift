// SPDX-License-Identifier: Apache-2.0

/// A span that came in: what is kept of it, and what its trace takes over from it.
package struct SpanIntake: Sendable {
    package var record: SpanRecord
    /// Keys and values, the values as JSON.
    package var attributes: [(key: String, text: String)]
    /// What the producer says of itself.
    package var resource: [Attribute]

    /// The attribute with the trace's id, which is kept once a trace and not once a span.
    static let traceKey = "mlflow.traceRequestId"

    /// - Throws: ``OTLPError`` where ids are missing or longer than OpenTelemetry's.
    package init(_ span: OTLPSpan, resource: [Attribute]) throws(OTLPError) {
        guard !span.traceID.isEmpty, span.traceID.count <= 16 else { throw OTLPError("trace_id must be 16 bytes") }
        guard !span.spanID.isEmpty, span.spanID.count <= 8 else { throw OTLPError("span_id must be 8 bytes") }
        guard span.parentID.count <= 8 else { throw OTLPError("parent_span_id must be 8 bytes or none") }
        guard let start = Int64(exactly: span.start), let end = Int64(exactly: span.end) else {
            throw OTLPError("times must be before the year 2262")
        }
        var attributes: [(key: String, text: String)] = []
        var places: [String: Int] = [:]
        for attribute in span.attributes where attribute.key != Self.traceKey {
            let text = Self.once(attribute.value)
            if let place = places[attribute.key] {
                attributes[place].text = text
            } else {
                places[attribute.key] = attributes.count
                attributes.append((attribute.key, text))
            }
        }
        if span.parentID.isEmpty, let name = Self.serviceName(resource), places["service.name"] == nil {
            attributes.append(("service.name", AttributeText.of(name)))
        }
        SpanConventions.translate(&attributes)
        self.attributes = attributes
        self.resource = resource
        record = SpanRecord(
            traceID: SpanRecord.traceID(span.traceID), spanID: SpanRecord.number(span.spanID),
            parentID: span.parentID.isEmpty ? nil : SpanRecord.number(span.parentID), name: span.name,
            type: Self.value("mlflow.spanType", attributes)?.string, status: span.status.rawValue, start: start,
            end: end, content: Self.content(span, attributes))
    }

    /// Whether the span has none above it.
    package var isRoot: Bool { record.parentID == nil }

    /// An attribute's value.
    package func value(_ key: String) -> AttributeValue? { Self.value(key, attributes) }

    static func value(_ key: String, _ attributes: [(key: String, text: String)]) -> AttributeValue? {
        attributes.first { $0.key == key }.flatMap { AttributeValue(text: $0.text) }
    }

    /// A value as JSON. A text that is itself the JSON of a text, an object or an array was written twice, and stays as it
    /// is.
    private static func once(_ value: AttributeValue) -> String {
        if case .string(let text) = value, let first = text.utf8.first(where: { $0 != 0x20 }),
            "\"{[".utf8.contains(first), let inner = AttributeValue(text: text)
        {
            switch inner {
            case .string, .map, .array: return text
            default: break
            }
        }
        return AttributeText.of(value)
    }

    /// Producers whose name is shown at a trace's root.
    private static func serviceName(_ resource: [Attribute]) -> String? {
        let known: Set = ["claude-code", "codex_cli_rs", "codex_vscode", "gemini-cli", "qwen-code"]
        guard let name = resource.first(where: { $0.key == "service.name" })?.value.string else { return nil }
        return known.contains(name) ? name : nil
    }

    private static func content(_ span: OTLPSpan, _ attributes: [(key: String, text: String)]) -> String {
        var writer = AttributeText()
        writer.append(raw: "{\"name\": ")
        writer.append(string: span.name)
        writer.append(raw: ", \"events\": [")
        for (index, event) in span.events.enumerated() {
            if index > 0 { writer.append(raw: ", ") }
            writer.append([
                Attribute("name", .string(event.name)),
                Attribute("time_unix_nano", .int(Int64(clamping: event.time))),
                Attribute("attributes", .map(event.attributes)),
            ])
        }
        writer.append(raw: "], \"status\": ")
        writer.append([
            Attribute("code", .string("STATUS_CODE_" + span.status.rawValue)),
            // OpenTelemetry keeps a description for errors only.
            Attribute("message", .string(span.status == .error ? span.statusMessage : "")),
        ])
        writer.append(raw: ", \"links\": [")
        for (index, link) in span.links.enumerated() {
            if index > 0 { writer.append(raw: ", ") }
            writer.append([
                Attribute("trace_id", .string(SpanRecord.traceID(link.traceID))),
                Attribute("span_id", .string(SpanRecord.hexadecimal(link.spanID, count: 8))),
                Attribute("attributes", link.attributes.isEmpty ? .none : .map(link.attributes)),
            ])
        }
        writer.append(raw: "], \"attributes\": {")
        for (index, attribute) in attributes.enumerated() {
            if index > 0 { writer.append(raw: ", ") }
            writer.append(string: attribute.key)
            writer.append(raw: ": ")
            writer.append(string: attribute.text)
        }
        writer.append(raw: "}}")
        return writer.text
    }
}
