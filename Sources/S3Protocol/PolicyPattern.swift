// SPDX-License-Identifier: Apache-2.0

/// A text with `*` (any characters), `?` (one character) and variables (`${aws:username}`), as policies have them.
struct PolicyPattern: Sendable, Hashable {
    enum Part: Sendable, Hashable {
        case byte(UInt8)
        case one
        case any
        /// A key of the request's context, and what stands for it where there is none.
        case variable(String, fallback: String?)
    }

    /// The text as it was written.
    let text: String
    private let parts: [Part]
    private let hasVariables: Bool

    /// - `hasWildcards`: whether `*` and `?` are more than themselves.
    /// - `hasVariables`: whether `${…}` is more than itself (from version 2012-10-17 on).
    /// - Throws: `MalformedPolicy` for a variable that has no end or no known name.
    init(_ text: String, hasWildcards: Bool, hasVariables: Bool) throws(S3Error) {
        self.text = text
        var parts: [Part] = []
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "*") where hasWildcards: if parts.last != .any { parts.append(.any) }
            case UInt8(ascii: "?") where hasWildcards: parts.append(.one)
            case UInt8(ascii: "$") where hasVariables && index < bytes.count && bytes[index] == UInt8(ascii: "{"):
                guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "}")) else {
                    throw .malformedPolicy("the variable in \(text) has no }")
                }
                let name = String(decoding: bytes[(index + 1)..<end], as: UTF8.self)
                index = end + 1
                if name == "*" || name == "?" || name == "$" {
                    parts += name.utf8.map { .byte($0) }
                } else {
                    let pieces = name.split(separator: ",", maxSplits: 1)
                    let key = String(pieces.first ?? "").trimmed.lowercased()
                    guard PolicyConditions.isKnown(key) else {
                        throw .malformedPolicy("the variable ${\(name)} is not known")
                    }
                    let fallback = pieces.count > 1 ? String(pieces[1]).trimmed : nil
                    parts.append(
                        .variable(key, fallback: fallback.map { $0.filter { $0 != "'" } }))
                }
            default: parts.append(.byte(byte))
            }
        }
        self.parts = parts
        self.hasVariables = parts.contains { part in
            if case .variable = part { true } else { false }
        }
    }

    /// Whether the whole of `value` is of this form; a variable without a value matches nothing.
    func matches(_ value: String, _ context: [String: [String]] = [:], ignoresCase: Bool = false) -> Bool {
        var value = value
        guard let parts = resolved(context) else { return false }
        return value.withUTF8 { Self.match(parts, $0, ignoresCase: ignoresCase) }
    }

    private func resolved(_ context: [String: [String]]) -> [Part]? {
        guard hasVariables else { return parts }
        var result: [Part] = []
        for part in parts {
            guard case .variable(let key, let fallback) = part else {
                result.append(part)
                continue
            }
            guard let values = context[key], values.count == 1 else {
                guard let fallback else { return nil }
                result += fallback.utf8.map { .byte($0) }
                continue
            }
            result += values[0].utf8.map { .byte($0) }
        }
        return result
    }

    /// Goes back only to the last `*`: at most as many steps as the lengths' product.
    private static func match(_ parts: [Part], _ value: UnsafeBufferPointer<UInt8>, ignoresCase: Bool) -> Bool {
        var part = 0
        var index = 0
        var retry: (part: Int, index: Int)?
        while index < value.count {
            if part < parts.count {
                switch parts[part] {
                case .any:
                    retry = (part + 1, index)
                    part += 1
                    continue
                case .one:
                    index += characterLength(value[index])
                    part += 1
                    continue
                case .byte(let byte) where same(byte, value[index], ignoresCase):
                    index += 1
                    part += 1
                    continue
                default: break
                }
            }
            guard let last = retry else { return false }
            part = last.part
            index = last.index + 1
            retry = (part, index)
        }
        while part < parts.count, parts[part] == .any { part += 1 }
        return part == parts.count && index == value.count
    }

    private static func same(_ left: UInt8, _ right: UInt8, _ ignoresCase: Bool) -> Bool {
        left == right || (ignoresCase && lower(left) == lower(right))
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func characterLength(_ byte: UInt8) -> Int {
        switch byte {
        case 0xC0...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...: 4
        default: 1
        }
    }
}

extension String {
    var trimmed: String {
        let start = utf8.firstIndex { $0 != 0x20 } ?? utf8.endIndex
        let end = utf8.lastIndex { $0 != 0x20 }.map { utf8.index(after: $0) } ?? utf8.endIndex
        return start < end ? String(self[start..<end]) : ""
    }
}

extension S3Error {
    static func malformedPolicy(_ reason: String) -> S3Error {
        S3Error(.malformedPolicy, "Policies must be valid: \(reason).")
    }
}
