// SPDX-License-Identifier: Apache-2.0

/// Reads JSON (RFC 8259) from its bytes, piece by piece, without making values of what it passes.
///
/// Whoever makes one keeps the bytes alive. Faults are `invalid` and say where.
struct JSONScanner {
    let base: UnsafePointer<UInt8>
    let end: Int
    let limits: RequestLimits
    var index = 0

    /// A string, without its quotes.
    struct Text {
        var start: Int
        var end: Int
        var hasEscapes: Bool
    }

    /// Bytes of the longest number that is read: more digits say nothing that a double can hold.
    static let longestNumber = 4096

    init(_ bytes: UnsafeRawBufferPointer, limits: RequestLimits) throws(InferenceFault) {
        guard let start = bytes.baseAddress, bytes.count > 0 else {
            throw InferenceFault(.invalid, "the request's body is empty: send a JSON object")
        }
        base = start.assumingMemoryBound(to: UInt8.self)
        end = bytes.count
        self.limits = limits
    }

    @inline(never)
    func fault(_ reason: String) -> InferenceFault {
        InferenceFault(.invalid, "the request's JSON cannot be read at byte \(index): \(reason)")
    }

    /// The next byte that is no white space, without passing it; 0 at the end.
    @inline(__always)
    mutating func peek() -> UInt8 {
        while index < end {
            let byte = base[index]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            index += 1
        }
        return 0
    }

    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte, index < end else { return false }
        index += 1
        return true
    }

    mutating func expect(_ byte: UInt8, _ what: StaticString) throws(InferenceFault) {
        guard take(byte) else { throw fault("expected \(what)") }
    }

    /// Nothing but white space may come.
    mutating func finish() throws(InferenceFault) {
        _ = peek()
        guard index == end else { throw fault("unexpected bytes after the document") }
    }

    // MARK: Strings

    /// A string that comes next.
    @inline(__always)
    mutating func text() throws(InferenceFault) -> Text {
        guard take(UInt8(ascii: "\"")) else { throw fault("expected a string") }
        let start = index
        var hasEscapes = false
        while index < end {
            let byte = base[index]
            if byte == UInt8(ascii: "\"") {
                index += 1
                return Text(start: start, end: index - 1, hasEscapes: hasEscapes)
            }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                index += 1
            } else if byte < 0x20 {
                throw fault("control character in a string")
            }
            index += 1
        }
        index = end
        throw fault("string without an end")
    }

    @inline(__always)
    func equals(_ text: Text, _ other: StaticString) -> Bool {
        let count = other.utf8CodeUnitCount
        guard text.end - text.start == count, !text.hasEscapes else { return false }
        let start = other.utf8Start
        for offset in 0..<count where base[text.start + offset] != start[offset] { return false }
        return true
    }

    /// A string's value, of at most `limits.nameBytes`.
    func string(_ text: Text) throws(InferenceFault) -> String {
        guard text.end - text.start <= limits.nameBytes else {
            throw fault("a text of \(text.end - text.start) bytes, at most \(limits.nameBytes) are taken here")
        }
        if !text.hasEscapes {
            let bytes = UnsafeBufferPointer(start: base + text.start, count: text.end - text.start)
            guard let string = String(validating: bytes, as: UTF8.self) else { throw fault("a string is not UTF-8") }
            return string
        }
        var bytes: [UInt8] = []
        try appendBytes(of: text, to: &bytes)
        guard let string = String(validating: bytes, as: UTF8.self) else { throw fault("a string is not UTF-8") }
        return string
    }

    /// A string's bytes with its escapes resolved; they are UTF-8 if the text is.
    func appendBytes(of text: Text, to bytes: inout [UInt8]) throws(InferenceFault) {
        guard text.hasEscapes else {
            bytes.append(contentsOf: UnsafeBufferPointer(start: base + text.start, count: text.end - text.start))
            return
        }
        var place = text.start
        while place < text.end {
            let byte = base[place]
            place += 1
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            try appendEscape(at: &place, before: text.end, to: &bytes)
        }
    }

    private func appendEscape(at place: inout Int, before end: Int, to bytes: inout [UInt8]) throws(InferenceFault) {
        guard place < end else { throw fault("an escape without an end") }
        let byte = base[place]
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexQuad(at: &place, before: end)
            if code & 0xFC00 == 0xD800 {
                guard place + 1 < end, base[place] == UInt8(ascii: "\\"), base[place + 1] == UInt8(ascii: "u") else {
                    throw fault("lone surrogate")
                }
                place += 2
                let low = try hexQuad(at: &place, before: end)
                guard low & 0xFC00 == 0xDC00 else { throw fault("lone surrogate") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault("lone surrogate") }
            bytes.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
        default: throw fault("unknown escape")
        }
    }

    private func hexQuad(at place: inout Int, before end: Int) throws(InferenceFault) -> UInt32 {
        guard place + 4 <= end else { throw fault("an escape without an end") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            let byte = base[place]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw fault("expected four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            place += 1
        }
        return code
    }

    // MARK: Numbers

    /// A number that comes next, by JSON's grammar.
    @inline(__always)
    mutating func number() throws(InferenceFault) -> DecimalNumber {
        var number = DecimalNumber()
        var byte = peek()
        number.start = index
        if byte == UInt8(ascii: "-") {
            number.isNegative = true
            index += 1
            byte = index < end ? base[index] : 0
        }
        guard byte &- UInt8(ascii: "0") <= 9 else { throw notANumber(byte) }
        var digits = 0
        var mantissa: UInt64 = 0
        if byte == UInt8(ascii: "0") {
            index += 1
            if index < end, base[index] &- UInt8(ascii: "0") <= 9 { throw fault("number with a leading zero") }
        } else {
            let first = index
            takeDigits(&mantissa)
            digits = index - first
        }
        var exponent = 0
        if index < end, base[index] == UInt8(ascii: ".") {
            index += 1
            let first = index
            if digits == 0 { while index < end, base[index] == UInt8(ascii: "0") { index += 1 } }
            let counted = index
            takeDigits(&mantissa)
            guard index > first else { throw fault("expected a digit") }
            digits += index - counted
            exponent = first - index
        }
        if index < end, base[index] | 0x20 == UInt8(ascii: "e") { exponent += try exponentPart() }
        number.mantissa = mantissa
        number.exponent = exponent
        number.end = index
        // More digits have overflowed the mantissa, which is not used then.
        number.isCut = digits > 19
        guard number.end - number.start <= Self.longestNumber else {
            throw fault("a number of \(number.end - number.start) characters")
        }
        return number
    }

    @inline(__always)
    private mutating func takeDigits(_ mantissa: inout UInt64) {
        while index + 8 <= end {
            let word = UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)
            // All eight bytes are digits: high halves are 3, and adding 6 does not carry into them.
            let isDigits =
                (word & 0xF0F0_F0F0_F0F0_F0F0) | ((word &+ 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0) >> 4
            guard isDigits == 0x3333_3333_3333_3333 else { break }
            var value = word &- 0x3030_3030_3030_3030
            value = (value &* 10) &+ (value >> 8)
            value =
                ((value & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
                    &+ ((value >> 16) & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001) >> 32
            mantissa = mantissa &* 100_000_000 &+ value
            index += 8
        }
        while index < end {
            let digit = base[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return }
            mantissa = mantissa &* 10 &+ UInt64(digit)
            index += 1
        }
    }

    @inline(never)
    private mutating func exponentPart() throws(InferenceFault) -> Int {
        index += 1
        var isNegative = false
        if index < end, base[index] == UInt8(ascii: "-") || base[index] == UInt8(ascii: "+") {
            isNegative = base[index] == UInt8(ascii: "-")
            index += 1
        }
        let first = index
        var value = 0
        while index < end {
            let digit = base[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            value = min(value * 10 + Int(digit), 100_000)
            index += 1
        }
        guard index > first else { throw fault("expected a digit") }
        return isNegative ? -value : value
    }

    @inline(never)
    private func notANumber(_ byte: UInt8) -> InferenceFault {
        switch byte {
        case UInt8(ascii: "N"), UInt8(ascii: "I"):
            fault("NaN and Infinity are no JSON: send this input in binary")
        case UInt8(ascii: "n"): fault("expected a number, got null")
        case UInt8(ascii: "\""): fault("expected a number, got a string")
        case UInt8(ascii: "t"), UInt8(ascii: "f"): fault("expected a number, got a boolean")
        case UInt8(ascii: "{"): fault("expected a number, got an object")
        default: fault("expected a number")
        }
    }

    /// An integer that comes next, exact.
    @inline(__always)
    mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) throws(InferenceFault) -> Integer {
        let start = index
        let number = try number()
        guard number.exponent == 0 else {
            index = start
            throw fault("expected an integer of \(Integer.bitWidth) bits, got a number with a fraction or an exponent")
        }
        if !number.isCut {
            if number.isNegative {
                let magnitude = number.mantissa
                if Integer.isSigned, magnitude <= UInt64(Int64.max) + 1 {
                    let value = Int64(truncatingIfNeeded: 0 &- magnitude)
                    if let exact = Integer(exactly: value) { return exact }
                } else if magnitude == 0 {
                    return 0
                }
            } else if let exact = Integer(exactly: number.mantissa) {
                return exact
            }
        } else if let exact = Integer(
            String(
                decoding: UnsafeBufferPointer(start: base + number.start, count: number.end - number.start),
                as: UTF8.self))
        {
            return exact
        }
        index = start
        throw fault(
            "a number is out of the range of an \(Integer.isSigned ? "" : "unsigned ")integer of \(Integer.bitWidth) bits"
        )
    }

    @inline(__always)
    mutating func floating<Number: DecimalConvertible>(_ type: Number.Type) throws(InferenceFault) -> Number {
        let value = try number().value(as: type, of: base)
        guard value.isFinite else {
            throw fault("a number is out of the range of \(type == Float.self ? "FP32" : "FP64")")
        }
        return value
    }

    /// true or false; 1 and 0 are taken, too.
    @inline(__always)
    mutating func boolean() throws(InferenceFault) -> UInt8 {
        switch peek() {
        case UInt8(ascii: "t"):
            try literal("true")
            return 1
        case UInt8(ascii: "f"):
            try literal("false")
            return 0
        case UInt8(ascii: "0"), UInt8(ascii: "1"):
            let value = base[index] - UInt8(ascii: "0")
            index += 1
            if index < end {
                switch base[index] {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
                    throw fault("expected true, false, 0 or 1")
                default: break
                }
            }
            return value
        default: throw fault("expected true or false")
        }
    }

    mutating func literal(_ word: StaticString) throws(InferenceFault) {
        let count = word.utf8CodeUnitCount
        let start = word.utf8Start
        guard index + count <= end else { throw fault("unexpected end") }
        for offset in 0..<count where base[index + offset] != start[offset] { throw fault("expected \(word)") }
        index += count
    }

    // MARK: Passing over

    /// Passes a value over, which has to be JSON.
    mutating func skip(depth: Int = 0) throws(InferenceFault) {
        guard depth <= limits.depth else { throw fault("nested deeper than \(limits.depth) levels") }
        switch peek() {
        case UInt8(ascii: "{"):
            index += 1
            if take(UInt8(ascii: "}")) { return }
            repeat {
                _ = try text()
                try expect(UInt8(ascii: ":"), "':'")
                try skip(depth: depth + 1)
            } while take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "}"), "',' or '}'")
        case UInt8(ascii: "["):
            index += 1
            if take(UInt8(ascii: "]")) { return }
            repeat { try skip(depth: depth + 1) } while take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "]"), "',' or ']'")
        case UInt8(ascii: "\""): _ = try text()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case 0 where index == end: throw fault("unexpected end")
        default: _ = try number()
        }
    }

    /// The members of an object that comes next: for each, the key is given and the value has to be read.
    @inline(__always)
    mutating func members(
        _ what: StaticString, _ member: (inout JSONScanner, Text) throws(InferenceFault) -> Void
    ) throws(InferenceFault) {
        guard take(UInt8(ascii: "{")) else { throw fault("\(what) has to be an object") }
        if take(UInt8(ascii: "}")) { return }
        repeat {
            let key = try text()
            try expect(UInt8(ascii: ":"), "':'")
            try member(&self, key)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"), "',' or '}'")
    }

    /// The elements of an array that comes next; each has to be read.
    @inline(__always)
    mutating func elements(
        _ what: StaticString, _ element: (inout JSONScanner) throws(InferenceFault) -> Void
    ) throws(InferenceFault) {
        guard take(UInt8(ascii: "[")) else { throw fault("\(what) has to be an array") }
        if take(UInt8(ascii: "]")) { return }
        repeat { try element(&self) } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"), "',' or ']'")
    }
}
