// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol

/// Reads `config.pbtxt`: a ModelConfig in protobuf's text format (protobuf.dev, "Text Format Language
/// Specification"), into the JSON that ``ModelConfig`` is read of. Pure.
struct ConfigText {
    /// Fields of a ModelConfig that are lists even where they are given once.
    private static let lists: Set<String> = [
        "input", "output", "dims", "instance_group", "model_warmup", "step", "preferred_batch_size", "versions", "gpus",
        "profile", "batch_input", "batch_output", "reshape_shape", "shape",
    ]
    /// Fields that are maps: `{ key: …, value: … }`, once an entry.
    private static let maps: Set<String> = [
        "parameters", "inputs", "input_map", "output_map", "metric_tags", "cc_model_filenames", "priority_queue_policy",
    ]
    private static let maximumBytes = 1 << 20
    private static let maximumDepth = 32

    private let bytes: [UInt8]
    private var place = 0
    private var line = 1

    static func parse(_ bytes: [UInt8]) throws(InferenceFault) -> JSONValue {
        guard bytes.count <= maximumBytes else {
            throw InferenceFault(.invalid, "config.pbtxt has \(bytes.count) bytes, \(maximumBytes) at most are read")
        }
        var parser = ConfigText(bytes: bytes)
        return try parser.message(until: nil, depth: 0)
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func fault(_ reason: String) -> InferenceFault {
        InferenceFault(.invalid, "config.pbtxt, line \(line): \(reason)")
    }

    // MARK: Characters

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipSpace() {
        while let byte = next {
            if byte == UInt8(ascii: "#") {
                while let byte = next, byte != UInt8(ascii: "\n") {
                    _ = byte
                    place += 1
                }
                continue
            }
            guard byte == 0x20 || (0x09...0x0d).contains(byte) else { return }
            if byte == UInt8(ascii: "\n") { line += 1 }
            place += 1
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard next == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    // MARK: Messages

    private mutating func message(until end: Unicode.Scalar?, depth: Int) throws(InferenceFault) -> JSONValue {
        guard depth < Self.maximumDepth else { throw fault("messages are nested too deep") }
        var members: [String: JSONValue] = [:]
        while true {
            skipSpace()
            if let end, take(end) { break }
            guard next != nil else {
                guard end == nil else { throw fault("a message has no end") }
                break
            }
            let name = try word()
            let hasColon = take(":")
            skipSpace()
            let value: JSONValue
            switch next {
            case UInt8(ascii: "{"), UInt8(ascii: "<"): value = try nested(depth)
            case UInt8(ascii: "[") where hasColon || Self.lists.contains(name) || Self.maps.contains(name):
                value = try list(depth)
            case nil: throw fault("'\(name)' has no value")
            default:
                guard hasColon else { throw fault("after '\(name)' a colon or a message is expected") }
                value = try scalar()
            }
            add(value, name, to: &members)
            _ = take(",") || take(";")
        }
        return .object(members)
    }

    private mutating func nested(_ depth: Int) throws(InferenceFault) -> JSONValue {
        let isAngle = next == UInt8(ascii: "<")
        place += 1
        return try message(until: isAngle ? ">" : "}", depth: depth + 1)
    }

    private mutating func list(_ depth: Int) throws(InferenceFault) -> JSONValue {
        place += 1
        var elements: [JSONValue] = []
        if take("]") { return .array([]) }
        while true {
            skipSpace()
            switch next {
            case UInt8(ascii: "{"), UInt8(ascii: "<"): elements.append(try nested(depth))
            case nil: throw fault("a list has no end")
            default: elements.append(try scalar())
            }
            if take("]") { return .array(elements) }
            guard take(",") else { throw fault("in a list a comma or ] is expected") }
        }
    }

    private func add(_ value: JSONValue, _ name: String, to members: inout [String: JSONValue]) {
        if Self.maps.contains(name) {
            var map = members[name]?.members ?? [:]
            for entry in value.array ?? [value] {
                if let key = entry["key"].string { map[key] = entry["value"] }
            }
            members[name] = .object(map)
        } else if Self.lists.contains(name) || members[name] != nil {
            let old = members[name].map { $0.array ?? [$0] } ?? []
            members[name] = .array(old + (value.array ?? [value]))
        } else {
            members[name] = value
        }
    }

    // MARK: Words

    private mutating func word() throws(InferenceFault) -> String {
        let start = place
        while let byte = next, Self.isWord(byte) { place += 1 }
        guard place > start else {
            throw fault("a field's name is expected, not '\(Character(Unicode.Scalar(next ?? 0x20)))'")
        }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "+"):
            true
        default: false
        }
    }

    private mutating func scalar() throws(InferenceFault) -> JSONValue {
        skipSpace()
        if next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") {
            var text: [UInt8] = []
            // Texts one behind the other are one.
            while next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") {
                text += try quoted()
                skipSpace()
            }
            guard let value = String(validating: text, as: UTF8.self) else { throw fault("a text is not UTF-8") }
            return .string(value)
        }
        let word = try word()
        switch word {
        case "true": return .bool(true)
        case "false": return .bool(false)
        default: break
        }
        if let number = Int64(word) { return .int(number) }
        if word.hasPrefix("0x"), let number = Int64(word.dropFirst(2), radix: 16) { return .int(number) }
        if let number = Double(word.hasSuffix("f") ? String(word.dropLast()) : word), number.isFinite {
            return .double(number)
        }
        // The name of an enum's value.
        return .string(word)
    }

    private mutating func quoted() throws(InferenceFault) -> [UInt8] {
        let quote = bytes[place]
        place += 1
        var text: [UInt8] = []
        while let byte = next, byte != UInt8(ascii: "\n") {
            place += 1
            if byte == quote { return text }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escaped = next else { break }
            place += 1
            switch escaped {
            case UInt8(ascii: "n"): text.append(0x0a)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "r"): text.append(0x0d)
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                var value = Int(escaped - UInt8(ascii: "0"))
                for _ in 0..<2 {
                    guard let digit = next, (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { break }
                    value = value * 8 + Int(digit - UInt8(ascii: "0"))
                    place += 1
                }
                text.append(UInt8(truncatingIfNeeded: value))
            default: text.append(escaped)
            }
        }
        throw fault("a text has no end")
    }
}
