// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What somebody or something thinks of a trace, or expects of it (MLflow's `Assessment`).
package struct Assessment: Sendable, Hashable {
    package enum Kind: String, Sendable { case feedback, expectation, issue }

    /// Why there is no value.
    package struct Fault: Sendable, Hashable {
        package var code: String
        package var message: String?
        package var trace: String?

        package init(code: String, message: String?, trace: String?) {
            self.code = code
            self.message = message
            self.trace = trace
        }
    }

    /// Empty until the store gives one.
    package var id = ""
    package var name = ""
    package var traceID = ""
    package var spanID: String?
    package var sourceType = "SOURCE_TYPE_UNSPECIFIED"
    package var sourceID: String?
    /// Milliseconds since 1970.
    package var created: Int64 = 0
    /// Milliseconds since 1970.
    package var updated: Int64 = 0
    package var kind = Kind.feedback
    /// JSON, as Python writes it.
    package var value = "null"
    package var fault: Fault?
    package var rationale: String?
    package var metadata: [String: String] = [:]
    /// The id of the assessment that this one takes the place of.
    package var overrides: String?
    package var isValid = true

    package init() {}

    /// - Parameter fields: of a message `Assessment`, in snake case.
    /// - Throws: INVALID_PARAMETER_VALUE where it is neither feedback nor expectation nor issue.
    package init(_ fields: JSONValue) throws(TrackingError) {
        if let feedback = fields["feedback"].object {
            kind = .feedback
            value = Self.text(feedback["value"] ?? .null)
            fault = Self.fault(feedback["error"] ?? .null)
        } else if let expectation = fields["expectation"].object {
            kind = .expectation
            value = try Self.expected(.object(expectation))
        } else if let issue = fields["issue"].object {
            kind = .issue
            value = Self.text(["issue_name": issue["issue_name"] ?? ""])
        } else {
            throw .invalid("Unknown assessment type: None")
        }
        id = fields["assessment_id"].string ?? ""
        name = fields["assessment_name"].string ?? ""
        traceID = fields["trace_id"].string ?? ""
        spanID = Self.some(fields["span_id"])
        sourceType = fields["source"]["source_type"].string ?? sourceType
        sourceID = Self.some(fields["source"]["source_id"])
        created = fields["create_time"].string.flatMap { ProtoTime.milliseconds(moment: $0) } ?? 0
        updated = fields["last_update_time"].string.flatMap { ProtoTime.milliseconds(moment: $0) } ?? 0
        // Expectations have none.
        rationale = kind == .expectation ? nil : Self.some(fields["rationale"])
        metadata = fields["metadata"].stringMembers
        overrides = kind == .feedback ? Self.some(fields["overrides"]) : nil
    }

    /// The value of an expectation, as JSON text.
    package static func expected(_ fields: JSONValue) throws(TrackingError) -> String {
        guard let serialized = fields["serialized_value"].object else {
            guard !fields["value"].isNull else { throw .invalid("The `value` field must be specified.") }
            return text(fields["value"])
        }
        let format = serialized["serialization_format"]?.string ?? ""
        guard format == jsonFormat else {
            throw .invalid("Unknown serialization format: \(format.prefix(100)). Only JSON_FORMAT is supported.")
        }
        guard let value = AttributeValue(text: serialized["value"]?.string ?? "") else {
            throw .invalid("the expectation's serialized value is not JSON")
        }
        return AttributeText.of(value)
    }

    /// The value of a feedback, as JSON text, and why there is none.
    package static func feedback(_ fields: JSONValue) -> (value: String, fault: Fault?) {
        (text(fields["value"]), fault(fields["error"]))
    }

    private static let jsonFormat = "JSON_FORMAT"

    private static func some(_ value: JSONValue) -> String? { value.string.flatMap { $0.isEmpty ? nil : $0 } }

    /// As protobuf's `Value` keeps it, which knows floating-point numbers only.
    private static func text(_ value: JSONValue) -> String { AttributeText.of(attribute(value)) }

    private static func attribute(_ value: JSONValue) -> AttributeValue {
        switch value {
        case .null: .none
        case .bool(let flag): .bool(flag)
        case .int(let number): .double(Double(number))
        case .double(let number): .double(number)
        case .string(let text): .string(text)
        case .array(let elements): .array(elements.map(attribute))
        case .object(let members):
            .map(members.sorted { $0.key < $1.key }.map { Attribute($0.key, attribute($0.value)) })
        }
    }

    private static func fault(_ fields: JSONValue) -> Fault? {
        guard fields.object != nil else { return nil }
        return Fault(
            code: fields["error_code"].string ?? "", message: some(fields["error_message"]),
            trace: some(fields["stack_trace"]))
    }

    /// What is added up for charts: numbers, booleans, yes and no.
    package var aggregate: (value: Double?, isNumber: Bool) {
        switch AttributeValue(text: value) {
        case .bool(let flag)?: (flag ? 1 : 0, false)
        case .int(let number)?: (Double(number), true)
        case .double(let number)? where number.isFinite: (number, true)
        case .string(let text)?:
            switch text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ") {
            case "yes": (1, false)
            case "no": (0, false)
            default: (nil, false)
            }
        default: (nil, false)
        }
    }

    /// As `Assessment`.
    package var json: JSONValue {
        var json: [String: JSONValue] = [
            "assessment_id": .string(id), "assessment_name": .string(name), "trace_id": .string(traceID),
            "create_time": .string(ProtoTime.moment(created)),
            "last_update_time": .string(ProtoTime.moment(updated)), "valid": .bool(isValid),
        ]
        var source: [String: JSONValue] = ["source_type": .string(sourceType)]
        if let sourceID { source["source_id"] = .string(sourceID) }
        json["source"] = .object(source)
        let parsed = (try? JSONParser.parse(value)) ?? .null
        switch kind {
        case .feedback:
            var feedback: [String: JSONValue] = ["value": parsed]
            if let fault { feedback["error"] = fault.json }
            json["feedback"] = .object(feedback)
        case .expectation:
            switch parsed {
            case .array, .object, .null:
                json["expectation"] = [
                    "serialized_value": ["serialization_format": .string(Self.jsonFormat), "value": .string(value)]
                ]
            default: json["expectation"] = ["value": parsed]
            }
        case .issue: json["issue"] = ["issue_name": parsed["issue_name"]]
        }
        if let spanID { json["span_id"] = .string(spanID) }
        if let rationale { json["rationale"] = .string(rationale) }
        if let overrides { json["overrides"] = .string(overrides) }
        if !metadata.isEmpty { json["metadata"] = .object(metadata.mapValues { .string($0) }) }
        return .object(json)
    }
}

extension Assessment.Fault {
    /// A stack's trace is cut at its beginning, in characters.
    private static let maximumTrace = 10_000
    private static let cut = "[Stack trace is truncated]\n...\n"

    package var json: JSONValue {
        var shown = trace
        if let trace, trace.count > Self.maximumTrace {
            shown = Self.cut + trace.suffix(Self.maximumTrace - Self.cut.count)
        }
        return [
            "error_code": .string(code), "error_message": message.map { .string($0) } ?? .null,
            "stack_trace": shown.map { .string($0) } ?? .null,
        ]
    }
}
