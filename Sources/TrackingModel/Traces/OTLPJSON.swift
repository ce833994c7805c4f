// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import ByteCodes

/// Reads OTLP's JSON form: protobuf's JSON with camelCase names, but ids as hexadecimal digits; integers of 64 bits may be
/// texts. Fields that are not known are passed over.
package struct OTLPJSON {
    private var limits: OTLPLimits

    private init(_ limits: OTLPLimits) { self.limits = limits }

    /// - Throws: ``OTLPError`` where the document is no such request, or holds more than the limits.
    package static func request(_ json: JSONValue, limits: OTLPLimits = OTLPLimits()) throws(OTLPError) -> OTLPRequest {
        guard json.object != nil else { throw OTLPError("the request is no object") }
        var parser = OTLPJSON(limits)
        var request = OTLPRequest()
        for resourceSpans in try list(json, "resourceSpans") {
            try parser.limits.takeItem()
            let index = request.resources.count
            request.resources.append(try parser.attributes(resourceSpans["resource"]))
            for scope in try list(resourceSpans, "scopeSpans") {
                for element in try list(scope, "spans") {
                    var span = try parser.span(element)
                    span.resource = index
                    request.spans.append(span)
                }
            }
        }
        return request
    }

    private mutating func span(_ json: JSONValue) throws(OTLPError) -> OTLPSpan {
        try limits.takeItem()
        var span = OTLPSpan()
        span.traceID = try Self.id(json, "traceId")
        span.spanID = try Self.id(json, "spanId")
        span.parentID = try Self.id(json, "parentSpanId")
        span.name = try Self.string(json, "name")
        span.start = try Self.time(json, "startTimeUnixNano")
        span.end = try Self.time(json, "endTimeUnixNano")
        span.attributes = try attributes(json)
        for element in try Self.list(json, "events") {
            try limits.takeItem()
            var event = OTLPSpan.Event()
            event.name = try Self.string(element, "name")
            event.time = try Self.time(element, "timeUnixNano")
            event.attributes = try attributes(element)
            span.events.append(event)
        }
        for element in try Self.list(json, "links") {
            try limits.takeItem()
            var link = OTLPSpan.Link()
            link.traceID = try Self.id(element, "traceId")
            link.spanID = try Self.id(element, "spanId")
            link.attributes = try attributes(element)
            span.links.append(link)
        }
        span.statusMessage = try Self.string(json["status"], "message")
        switch json["status"]["code"] {
        case .int(let code): span.status = OTLPSpan.Status(code: code)
        case "STATUS_CODE_OK": span.status = .ok
        case "STATUS_CODE_ERROR": span.status = .error
        case .null, "STATUS_CODE_UNSET": span.status = .unset
        default: throw OTLPError("status.code is no number and no name of a status")
        }
        return span
    }

    private mutating func attributes(_ json: JSONValue) throws(OTLPError) -> [Attribute] {
        var attributes: [Attribute] = []
        for element in try Self.list(json, "attributes") { attributes.append(try attribute(element, depth: 0)) }
        return attributes
    }

    private mutating func attribute(_ json: JSONValue, depth: Int) throws(OTLPError) -> Attribute {
        Attribute(try Self.string(json, "key"), try value(json["value"], depth: depth + 1))
    }

    private mutating func value(_ json: JSONValue, depth: Int) throws(OTLPError) -> AttributeValue {
        try limits.takeValue()
        guard depth <= limits.depth else { throw OTLPError("values are nested deeper than \(limits.depth) levels") }
        if case .null = json { return .none }
        guard let members = json.object else { throw OTLPError("a value is no object") }
        guard let (name, content) = members.first(where: { Self.names.contains($0.key) }) else { return .none }
        switch (name, content) {
        case ("stringValue", .string(let text)): return .string(text)
        case ("boolValue", .bool(let value)): return .bool(value)
        case ("intValue", _): return .int(try Self.integer(content, name))
        case ("doubleValue", .string("NaN")): return .double(.nan)
        case ("doubleValue", .string("Infinity")): return .double(.infinity)
        case ("doubleValue", .string("-Infinity")): return .double(-.infinity)
        case ("doubleValue", _):
            if let number = content.double { return .double(number) }
        case ("bytesValue", .string(let text)):
            if let bytes = Base64Text.decode(text) { return .bytes(bytes) }
        case ("arrayValue", .object):
            var elements: [AttributeValue] = []
            for element in try Self.list(content, "values") { elements.append(try value(element, depth: depth + 1)) }
            return .array(elements)
        case ("kvlistValue", .object):
            var entries: [Attribute] = []
            for element in try Self.list(content, "values") { entries.append(try attribute(element, depth: depth)) }
            return .map(entries)
        default: break
        }
        throw OTLPError("\(name) has the wrong type: \(content.typeName)")
    }

    private static let names: Set<String> = [
        "stringValue", "boolValue", "intValue", "doubleValue", "bytesValue", "arrayValue", "kvlistValue",
    ]

    private static func list(_ json: JSONValue, _ name: String) throws(OTLPError) -> [JSONValue] {
        switch json[name] {
        case .null: return []
        case .array(let elements): return elements
        case let other: throw OTLPError("\(name) must be an array, not a \(other.typeName)")
        }
    }

    private static func string(_ json: JSONValue, _ name: String) throws(OTLPError) -> String {
        switch json[name] {
        case .null: return ""
        case .string(let text): return text
        case let other: throw OTLPError("\(name) must be a string, not a \(other.typeName)")
        }
    }

    private static func integer(_ json: JSONValue, _ name: String) throws(OTLPError) -> Int64 {
        switch json {
        case .int(let value): return value
        case .string(let text):
            if let value = Int64(text) { return value }
        case .double(let value):
            if let value = Int64(exactly: value) { return value }
        default: break
        }
        throw OTLPError("\(name) must be an integer of 64 bits")
    }

    private static func time(_ json: JSONValue, _ name: String) throws(OTLPError) -> UInt64 {
        switch json[name] {
        case .null: return 0
        case .string(let text):
            if let value = UInt64(text) { return value }
        case let other:
            if let value = UInt64(exactly: try integer(other, name)) { return value }
        }
        throw OTLPError("\(name) must be nanoseconds since 1970")
    }

    private static func id(_ json: JSONValue, _ name: String) throws(OTLPError) -> [UInt8] {
        let digits = Array(try string(json, name).utf8)
        guard digits.count % 2 == 0 else { throw OTLPError("\(name) must be pairs of hexadecimal digits") }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Character(Unicode.Scalar(digits[start])).hexDigitValue,
                let low = Character(Unicode.Scalar(digits[start + 1])).hexDigitValue
            else { throw OTLPError("\(name) must be pairs of hexadecimal digits") }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }
}
