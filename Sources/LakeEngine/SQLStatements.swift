// SPDX-License-Identifier: Apache-2.0

/// SQL text cut into statements at the semicolons that are not inside quotes, comments or dollar quotes.
package struct SQLStatements {
    /// Statements that ended with a semicolon, without it and without blanks around them; empty ones are left out.
    package private(set) var complete: [String] = []
    /// What follows the last semicolon.
    package private(set) var rest = ""

    package init(_ text: String) {
        let bytes = Array(text.utf8)
        var start = 0
        var place = 0
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: ";"):
                add(bytes[start..<place])
                place += 1
                start = place
            default: place = Self.end(ofPassage: bytes, place)
            }
        }
        rest = Self.trimmed(bytes[start...])
    }

    /// All statements, the last one with or without its semicolon.
    package var all: [String] { Self.isBlank(rest) ? complete : complete + [rest] }

    /// Whether nothing of a statement follows the last semicolon.
    package var isComplete: Bool { Self.isBlank(rest) }

    private mutating func add(_ bytes: ArraySlice<UInt8>) {
        let text = Self.trimmed(bytes)
        if !Self.isBlank(text) { complete.append(text) }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        let front = bytes.drop { $0 <= 0x20 }
        let end = front.lastIndex { $0 > 0x20 }
        return end.map { String(decoding: front[...$0], as: UTF8.self) } ?? ""
    }

    /// Blanks and comments only.
    private static func isBlank(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var place = 0
        while place < bytes.count {
            if bytes[place] <= 0x20 {
                place += 1
            } else if bytes[place...].starts(with: Array("--".utf8)) {
                while place < bytes.count, bytes[place] != 0x0A { place += 1 }
            } else if bytes[place...].starts(with: Array("/*".utf8)) {
                place = end(ofComment: bytes, place + 2)
            } else {
                return false
            }
        }
        return true
    }

    /// After the quotes or the comment that starts at a place, or after its byte where none does.
    static func end(ofPassage bytes: [UInt8], _ start: Int) -> Int {
        var place = start
        switch bytes[place] {
        case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"):
            return end(ofQuote: bytes[place], bytes, place + 1)
        case UInt8(ascii: "-") where place + 1 < bytes.count && bytes[place + 1] == UInt8(ascii: "-"):
            while place < bytes.count, bytes[place] != 0x0A { place += 1 }
            return place
        case UInt8(ascii: "/") where place + 1 < bytes.count && bytes[place + 1] == UInt8(ascii: "*"):
            return end(ofComment: bytes, place + 2)
        case UInt8(ascii: "$"): return end(ofDollars: bytes, place)
        default: return place + 1
        }
    }

    /// After the closing quote; a doubled quote goes on as a new one.
    private static func end(ofQuote quote: UInt8, _ bytes: [UInt8], _ start: Int) -> Int {
        (bytes[start...].firstIndex(of: quote) ?? bytes.count - 1) + 1
    }

    private static func end(ofComment bytes: [UInt8], _ start: Int) -> Int {
        var place = start
        while place + 1 < bytes.count {
            if bytes[place] == UInt8(ascii: "*"), bytes[place + 1] == UInt8(ascii: "/") { return place + 2 }
            place += 1
        }
        return bytes.count
    }

    /// After `$tag$ … $tag$`; a dollar that opens nothing is passed over.
    private static func end(ofDollars bytes: [UInt8], _ start: Int) -> Int {
        var place = start + 1
        while place < bytes.count, isTag(bytes[place]) { place += 1 }
        guard place < bytes.count, bytes[place] == UInt8(ascii: "$") else { return start + 1 }
        let tag = bytes[start...place]
        place += 1
        while place + tag.count <= bytes.count {
            if bytes[place..<place + tag.count].elementsEqual(tag) { return place + tag.count }
            place += 1
        }
        return bytes.count
    }

    private static func isTag(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "_")
    }
}
