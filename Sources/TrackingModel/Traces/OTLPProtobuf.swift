// SPDX-License-Identifier: Apache-2.0
import ProtobufFormat

/// Reads OTLP's binary form: fields by their numbers in `trace_service.proto`, `trace.proto`, `common.proto`. Fields that
/// are not known are passed over; those of the wrong wire type are refused.
package struct OTLPProtobuf {
    private var limits: OTLPLimits

    private init(_ limits: OTLPLimits) { self.limits = limits }

    /// - Throws: ``OTLPError`` where the bytes are no such message, or hold more than the limits.
    package static func request(_ bytes: [UInt8], limits: OTLPLimits = OTLPLimits()) throws(OTLPError) -> OTLPRequest {
        var parser = OTLPProtobuf(limits)
        var request = OTLPRequest()
        var fields = Fields(bytes[...])
        while let field = try fields.next() {
            if field.number == 1 { try parser.resourceSpans(try field.bytes, into: &request) }
        }
        return request
    }

    private mutating func resourceSpans(_ bytes: ArraySlice<UInt8>, into request: inout OTLPRequest) throws(OTLPError) {
        try limits.takeItem()
        let index = request.resources.count
        request.resources.append([])
        var fields = Fields(bytes)
        while let field = try fields.next() {
            switch field.number {
            case 1:
                var resource = Fields(try field.bytes)
                while let field = try resource.next() {
                    if field.number == 1 { request.resources[index].append(try attribute(try field.bytes, depth: 0)) }
                }
            case 2:
                var scope = Fields(try field.bytes)
                while let field = try scope.next() {
                    guard field.number == 2 else { continue }
                    var span = try self.span(try field.bytes)
                    span.resource = index
                    request.spans.append(span)
                }
            default: continue
            }
        }
    }

    private mutating func span(_ bytes: ArraySlice<UInt8>) throws(OTLPError) -> OTLPSpan {
        try limits.takeItem()
        var span = OTLPSpan()
        var fields = Fields(bytes)
        while let field = try fields.next() {
            switch field.number {
            case 1: span.traceID = Array(try field.bytes)
            case 2: span.spanID = Array(try field.bytes)
            case 4: span.parentID = Array(try field.bytes)
            case 5: span.name = try field.string
            case 7: span.start = try field.fixed64
            case 8: span.end = try field.fixed64
            case 9: span.attributes.append(try attribute(try field.bytes, depth: 0))
            case 11: span.events.append(try event(try field.bytes))
            case 13: span.links.append(try link(try field.bytes))
            case 15: try status(try field.bytes, of: &span)
            default: continue
            }
        }
        return span
    }

    private func status(_ bytes: ArraySlice<UInt8>, of span: inout OTLPSpan) throws(OTLPError) {
        var fields = Fields(bytes)
        while let field = try fields.next() {
            if field.number == 2 { span.statusMessage = try field.string }
            if field.number == 3 { span.status = OTLPSpan.Status(code: Int64(truncatingIfNeeded: try field.varint)) }
        }
    }

    private mutating func event(_ bytes: ArraySlice<UInt8>) throws(OTLPError) -> OTLPSpan.Event {
        try limits.takeItem()
        var event = OTLPSpan.Event()
        var fields = Fields(bytes)
        while let field = try fields.next() {
            switch field.number {
            case 1: event.time = try field.fixed64
            case 2: event.name = try field.string
            case 3: event.attributes.append(try attribute(try field.bytes, depth: 0))
            default: continue
            }
        }
        return event
    }

    private mutating func link(_ bytes: ArraySlice<UInt8>) throws(OTLPError) -> OTLPSpan.Link {
        try limits.takeItem()
        var link = OTLPSpan.Link()
        var fields = Fields(bytes)
        while let field = try fields.next() {
            switch field.number {
            case 1: link.traceID = Array(try field.bytes)
            case 2: link.spanID = Array(try field.bytes)
            case 4: link.attributes.append(try attribute(try field.bytes, depth: 0))
            default: continue
            }
        }
        return link
    }

    private mutating func attribute(_ bytes: ArraySlice<UInt8>, depth: Int) throws(OTLPError) -> Attribute {
        var attribute = Attribute("", .none)
        var fields = Fields(bytes)
        while let field = try fields.next() {
            if field.number == 1 { attribute.key = try field.string }
            if field.number == 2 { attribute.value = try value(try field.bytes, depth: depth + 1) }
        }
        return attribute
    }

    private mutating func value(_ bytes: ArraySlice<UInt8>, depth: Int) throws(OTLPError) -> AttributeValue {
        try limits.takeValue()
        guard depth <= limits.depth else { throw OTLPError("values are nested deeper than \(limits.depth) levels") }
        var value = AttributeValue.none
        var fields = Fields(bytes)
        while let field = try fields.next() {
            switch field.number {
            case 1: value = .string(try field.string)
            case 2: value = .bool(try field.varint != 0)
            case 3: value = .int(Int64(bitPattern: try field.varint))
            case 4: value = .double(Double(bitPattern: try field.fixed64))
            case 5:
                var elements: [AttributeValue] = []
                var array = Fields(try field.bytes)
                while let field = try array.next() {
                    if field.number == 1 { elements.append(try self.value(try field.bytes, depth: depth + 1)) }
                }
                value = .array(elements)
            case 6:
                var members: [Attribute] = []
                var list = Fields(try field.bytes)
                while let field = try list.next() {
                    if field.number == 1 { members.append(try attribute(try field.bytes, depth: depth)) }
                }
                value = .map(members)
            case 7: value = .bytes(Array(try field.bytes))
            default: continue
            }
        }
        return value
    }
}

/// The fields of one message, one after the other.
private struct Fields {
    private var reader: ProtobufReader

    init(_ bytes: ArraySlice<UInt8>) { reader = ProtobufReader(bytes) }

    mutating func next() throws(OTLPError) -> Field? {
        do throws(ProtobufError) {
            guard let (number, payload) = try reader.next() else { return nil }
            return Field(number: number, payload: payload)
        } catch {
            throw OTLPError(error.description)
        }
    }
}

private struct Field {
    let number: Int
    let payload: ProtobufReader.Payload

    private var wrongType: OTLPError { OTLPError("field \(number) has the wrong wire type") }

    var bytes: ArraySlice<UInt8> {
        get throws(OTLPError) {
            guard case .bytes(let bytes) = payload else { throw wrongType }
            return bytes
        }
    }

    var string: String {
        get throws(OTLPError) {
            guard let text = String(validating: try bytes, as: UTF8.self) else {
                throw OTLPError("field \(number) is not UTF-8")
            }
            return text
        }
    }

    var varint: UInt64 {
        get throws(OTLPError) {
            guard case .varint(let value) = payload else { throw wrongType }
            return value
        }
    }

    var fixed64: UInt64 {
        get throws(OTLPError) {
            guard case .fixed64(let value) = payload else { throw wrongType }
            return value
        }
    }
}
