// SPDX-License-Identifier: Apache-2.0
import CYaml
import Yams

/// The events of libyaml, one by one. It bounds nesting to 1,000 itself.
struct YAMLEvents: ~Copyable {
    enum Kind {
        case streamStart
        case streamEnd
        case alias
        case scalar
        case sequence
        case mapping
        /// Of a sequence or mapping.
        case end
        /// Document marks.
        case other
    }

    struct Event {
        var kind: Kind
        /// From 1.
        var line: Int
        var anchor = ""
        var text = ""
        /// Whether a scalar stands without quotes and tag, so that its text decides its type.
        var isPlain = false
    }

    private let parser: UnsafeMutablePointer<yaml_parser_t>

    /// - Parameter input: must outlive this.
    /// - Throws: when there is no memory.
    init(_ input: UnsafeBufferPointer<UInt8>) throws(YAMLDocumentError) {
        parser = .allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            throw YAMLDocumentError(description: "yaml: out of memory")
        }
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    /// Frees the parser; nothing may be called after it.
    mutating func end() {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    mutating func next() throws(YAMLDocumentError) -> Event {
        var raw = yaml_event_t()
        guard yaml_parser_parse(parser, &raw) == 1 else {
            let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not valid"
            throw YAMLDocumentError(description: "yaml: line \(parser.pointee.problem_mark.line + 1): \(problem)")
        }
        defer { yaml_event_delete(&raw) }
        var event = Event(kind: .other, line: Int(raw.start_mark.line) + 1)
        switch raw.type {
        case YAML_STREAM_START_EVENT: event.kind = .streamStart
        case YAML_STREAM_END_EVENT, YAML_NO_EVENT: event.kind = .streamEnd
        case YAML_ALIAS_EVENT:
            event.kind = .alias
            event.anchor = Self.text(raw.data.alias.anchor)
        case YAML_SCALAR_EVENT:
            event.kind = .scalar
            let scalar = raw.data.scalar
            event.anchor = Self.text(scalar.anchor)
            event.isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE && scalar.plain_implicit != 0
            if let value = scalar.value {
                event.text = String(decoding: UnsafeBufferPointer(start: value, count: scalar.length), as: UTF8.self)
            }
        case YAML_SEQUENCE_START_EVENT:
            event.kind = .sequence
            event.anchor = Self.text(raw.data.sequence_start.anchor)
        case YAML_MAPPING_START_EVENT:
            event.kind = .mapping
            event.anchor = Self.text(raw.data.mapping_start.anchor)
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: event.kind = .end
        default: event.kind = .other
        }
        return event
    }

    private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String {
        pointer.map { String(cString: $0) } ?? ""
    }
}
