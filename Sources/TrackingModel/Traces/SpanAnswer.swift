// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import ByteCodes

extension SpanRecord {
    /// The span as MLflow's client keeps it in a trace's file: JSON of its own schema 3, ids in base64.
    package var fileText: String {
        var text = "{\"trace_id\": \"\(Base64Text.encode(traceBytes))\""
        text += ", \"span_id\": \"\(Base64Text.encode(Self.bytes(spanID)))\", \"parent_span_id\": "
        text += parentID.map { "\"\(Base64Text.encode(Self.bytes($0)))\"" } ?? "null"
        text += ", \"start_time_unix_nano\": \(start), \"end_time_unix_nano\": \(end), "
        // The content ends with the attributes: theirs, and then the object's own brace.
        text += content.dropFirst().dropLast(2)
        if !content.hasSuffix("{}}") { text += ", " }
        text += "\"\(SpanIntake.traceKey)\": \"\\\"\(traceID)\\\"\"}}"
        return text
    }

    /// The span as protobuf's JSON shows OTLP's `Span`.
    package var otlpJSON: JSONValue {
        let content = AttributeValue(text: content) ?? .map([])
        var json: [String: JSONValue] = [
            "trace_id": .string(Base64Text.encode(traceBytes)),
            "span_id": .string(Base64Text.encode(Self.bytes(spanID))),
            "name": .string(name), "start_time_unix_nano": .int(start),
        ]
        if let parentID { json["parent_span_id"] = .string(Base64Text.encode(Self.bytes(parentID))) }
        if end != 0 { json["end_time_unix_nano"] = .int(end) }
        let said = content["attributes"]?.members ?? []
        var attributes = said.map { member in
            Attribute(member.key, member.value.string.flatMap { AttributeValue(text: $0) } ?? member.value)
        }
        attributes.append(Attribute(SpanIntake.traceKey, .string(traceID)))
        json["attributes"] = .array(attributes.map(\.otlpJSON))
        let events = content["events"]?.elements ?? []
        if !events.isEmpty { json["events"] = .array(events.map(Self.event)) }
        let links = content["links"]?.elements ?? []
        if !links.isEmpty { json["links"] = .array(links.map(Self.link)) }
        let status = content["status"]
        let code = status?["code"]?.string ?? ""
        json["status"] = [
            // protobuf shows no defaults.
            "code": code == "STATUS_CODE_UNSET" || code.isEmpty ? .null : .string(code),
            "message": status?["message"]?.string.flatMap { $0.isEmpty ? nil : .string($0) } ?? .null,
        ]
        return .object(json)
    }

    private static func event(_ event: AttributeValue) -> JSONValue {
        var json: [String: JSONValue] = ["name": .string(event["name"]?.string ?? "")]
        if case .int(let time)? = event["time_unix_nano"] { json["time_unix_nano"] = .int(time) }
        let attributes = event["attributes"]?.members ?? []
        if !attributes.isEmpty { json["attributes"] = .array(attributes.map(\.otlpJSON)) }
        return .object(json)
    }

    private static func link(_ link: AttributeValue) -> JSONValue {
        func base64(_ key: String) -> JSONValue {
            let text = link[key]?.string ?? ""
            let record = SpanRecord(
                traceID: text, spanID: 0, parentID: nil, name: "", type: nil, status: "", start: 0, end: 0, content: "")
            return .string(Base64Text.encode(record.traceBytes))
        }
        var json: [String: JSONValue] = ["trace_id": base64("trace_id"), "span_id": base64("span_id")]
        let attributes = link["attributes"]?.members ?? []
        if !attributes.isEmpty { json["attributes"] = .array(attributes.map(\.otlpJSON)) }
        return .object(json)
    }
}
