// SPDX-License-Identifier: Apache-2.0

/// HTML text that is safe by construction: whatever is interpolated into a literal is escaped, unless it is HTML
/// itself.
struct HTML: ExpressibleByStringInterpolation, Sendable {
    /// The markup.
    let text: String

    private init(text: String) { self.text = text }

    init(stringLiteral value: String) { text = value }

    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    /// The pieces one after the other.
    init(_ pieces: some Sequence<HTML>) { text = pieces.map(\.text).joined(separator: "\n") }

    /// Nothing.
    static let empty = HTML(text: "")

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ value: String) { text += HTML.escape(value) }
        mutating func appendInterpolation(_ value: some BinaryInteger) { text += String(value) }
        mutating func appendInterpolation(_ value: HTML) { text += value.text }
    }

    /// `text` with the characters that mean something in markup and in quoted attributes replaced.
    static func escape(_ text: String) -> String {
        var escaped = ""
        escaped.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
