// SPDX-License-Identifier: Apache-2.0

/// Why a text is not the CSV that was asked for.
package struct CSVError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong.
    package let reason: String
    /// The line where the record starts, from 1.
    package let line: Int

    package var description: String { "line \(line): \(reason)" }
}

/// A bounded, strict reader of comma-separated values (RFC 4180): quoted fields, doubled quotes, CRLF or LF, an
/// optional UTF-8 byte-order mark. Blank lines are skipped.
package struct CSVReader {
    /// Bounds on what is accepted.
    package struct Limits: Sendable {
        /// The most fields of one record.
        package var fields = 256
        /// The most bytes of one record.
        package var recordBytes = 1 << 20

        /// The default bounds: 256 fields, 1 MiB a record.
        package init() {}
    }

    private struct Field {
        var start: Int
        var end: Int
        var hasDoubledQuotes: Bool
    }

    private let bytes: [UInt8]
    private let limits: Limits
    private var index = 0
    private var fields: [Field] = []
    private var nextLine = 1
    /// The line where the current record starts, from 1.
    package private(set) var line = 1

    /// Reads from `bytes`.
    package init(_ bytes: [UInt8], limits: Limits = Limits()) {
        self.bytes = bytes
        self.limits = limits
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    /// Moves to the next record; false at the end.
    package mutating func next() throws(CSVError) -> Bool {
        skipBlankLines()
        guard index < bytes.count else { return false }
        line = nextLine
        fields.removeAll(keepingCapacity: true)
        let start = index
        while true {
            guard fields.count < limits.fields else { throw fail("more than \(limits.fields) fields") }
            try readField()
            guard index - start <= limits.recordBytes else { throw fail("longer than \(limits.recordBytes) bytes") }
            guard index < bytes.count else { return true }
            let separator = bytes[index]
            index += 1
            if separator == UInt8(ascii: ",") { continue }
            if separator == UInt8(ascii: "\r") {
                guard index < bytes.count, bytes[index] == UInt8(ascii: "\n") else {
                    throw fail("a carriage return outside quotes must be followed by a line feed")
                }
                index += 1
            }
            nextLine += 1
            return true
        }
    }

    private mutating func skipBlankLines() {
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\n") {
                index += 1
            } else if bytes[index] == UInt8(ascii: "\r"), index + 1 < bytes.count,
                bytes[index + 1] == UInt8(ascii: "\n")
            {
                index += 2
            } else {
                return
            }
            nextLine += 1
        }
    }

    private mutating func readField() throws(CSVError) {
        if index < bytes.count, bytes[index] == UInt8(ascii: "\"") { return try readQuotedField() }
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: ","), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                fields.append(Field(start: start, end: index, hasDoubledQuotes: false))
                return
            case UInt8(ascii: "\""):
                throw fail("a quote inside an unquoted field; quote the whole field and double the quote")
            default: index += 1
            }
        }
        fields.append(Field(start: start, end: index, hasDoubledQuotes: false))
    }

    private mutating func readQuotedField() throws(CSVError) {
        index += 1
        let start = index
        var hasDoubledQuotes = false
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "\n") { nextLine += 1 }
            guard index - start <= limits.recordBytes else { throw fail("longer than \(limits.recordBytes) bytes") }
            guard byte == UInt8(ascii: "\"") else { continue }
            if index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
                hasDoubledQuotes = true
                index += 1
                continue
            }
            fields.append(Field(start: start, end: index - 1, hasDoubledQuotes: hasDoubledQuotes))
            guard index == bytes.count || [0x2C, 0x0A, 0x0D].contains(bytes[index]) else {
                throw fail("text after a closing quote")
            }
            return
        }
        throw fail("a quoted field without an end")
    }

    private func fail(_ reason: String) -> CSVError { CSVError(reason: reason, line: line) }

    /// The text of field `position` of the current record.
    package func string(_ position: Int) throws(CSVError) -> String {
        let field = try field(position)
        var text = bytes[field.start..<field.end]
        if field.hasDoubledQuotes {
            var kept: ArraySlice<UInt8> = []
            var skipsQuote = false
            for byte in text {
                if byte == UInt8(ascii: "\""), skipsQuote {
                    skipsQuote = false
                    continue
                }
                skipsQuote = byte == UInt8(ascii: "\"")
                kept.append(byte)
            }
            text = kept
        }
        guard let string = String(validating: text, as: UTF8.self) else {
            throw fail("field \(position + 1) is not UTF-8")
        }
        return string
    }

    /// Field `position` of the current record as a decimal integer of at most 18 digits.
    package func integer(_ position: Int) throws(CSVError) -> Int64 {
        let field = try field(position)
        var index = field.start
        let isNegative = index < field.end && bytes[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        var value: Int64 = 0
        guard index < field.end, field.end - index <= 18 else { throw notA("whole number", position) }
        while index < field.end {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw notA("whole number", position) }
            value = value * 10 + Int64(digit)
            index += 1
        }
        return isNegative ? -value : value
    }

    /// Field `position` of the current record as a finite number.
    package func number(_ position: Int) throws(CSVError) -> Double {
        let field = try field(position)
        // Ratings are nearly always "4" or "3.5".
        let length = field.end - field.start
        let first = length > 0 ? bytes[field.start] &- UInt8(ascii: "0") : 255
        if length == 1, first <= 9 { return Double(first) }
        if length == 3, first <= 9, bytes[field.start + 1] == UInt8(ascii: ".") {
            let tenths = bytes[field.start + 2] &- UInt8(ascii: "0")
            if tenths <= 9 { return Double(Int(first) * 10 + Int(tenths)) / 10 }
        }
        guard let value = Double(String(decoding: bytes[field.start..<field.end], as: UTF8.self)), value.isFinite
        else { throw notA("number", position) }
        return value
    }

    private func field(_ position: Int) throws(CSVError) -> Field {
        guard fields.indices.contains(position) else {
            throw fail("expected at least \(position + 1) fields, found \(fields.count)")
        }
        return fields[position]
    }

    private func notA(_ kind: String, _ position: Int) -> CSVError {
        let field = fields[position]
        let text = String(decoding: bytes[field.start..<min(field.end, field.start + 40)], as: UTF8.self)
        return fail("field \(position + 1) is \"\(text)\", expected a \(kind)")
    }

    /// Every field of the current record.
    package func strings() throws(CSVError) -> [String] {
        var texts: [String] = []
        for position in fields.indices { texts.append(try string(position)) }
        return texts
    }
}

/// Writes comma-separated values (RFC 4180, LF line ends).
package enum CSVWriter {
    /// `field` as it stands in a record: quoted when it must be.
    package static func field(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else { return text }
        var quoted = "\""
        for character in text.unicodeScalars {
            if character == "\"" { quoted.unicodeScalars.append("\"") }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "\""
    }
}
