// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import InferenceProtocol

/// Numbers: what is read is the nearest, and what is written reads as the same.
@Suite struct NumberTests {
    private func read<Number: DecimalConvertible>(_ text: String, _ type: Number.Type) throws -> Number {
        var bytes = Array(text.utf8)
        return try bytes.withUnsafeMutableBytes { bytes in
            var scanner = try JSONScanner(UnsafeRawBufferPointer(bytes), limits: RequestLimits())
            let value = try scanner.number().value(as: type, of: scanner.base)
            try scanner.finish()
            return value
        }
    }

    /// splitmix64, so that a failure can be repeated.
    private struct Words: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
    }

    @Test func everyFloatComesBack() throws {
        var words = Words(state: 7)
        // A million, written together as an answer is, and read together as a request is.
        let count = 1_000_000
        let storage = TensorStorage(byteCount: 4 * count)
        let floats = storage.bytes.bindMemory(to: Float.self)
        for index in 0..<count {
            var value = Float(bitPattern: UInt32(truncatingIfNeeded: words.next()))
            while !value.isFinite { value = Float(bitPattern: UInt32(truncatingIfNeeded: words.next())) }
            // Every fourth is one of everyday size.
            floats[index] = index % 4 == 0 ? Float(Int32(truncatingIfNeeded: words.next()) / 1000) / 1000 : value
        }
        var text = JSONText(ByteBuffer())
        let tensor = Tensor(name: "X", type: .fp32, shape: [count], storage: storage)
        try text.data(tensor)
        let back = try text.buffer.withUnsafeReadableBytes { bytes in
            var scanner = try JSONScanner(bytes, limits: RequestLimits())
            return try scanner.tensor("X", .fp32, [count], count: count)
        }
        let wrong = back.withBytes { bytes in
            let read = bytes.bindMemory(to: Float.self)
            return (0..<count).first { read[$0].bitPattern != floats[$0].bitPattern }
        }
        #expect(wrong == nil, "\(wrong.map { "\(floats[$0])" } ?? "")")
    }

    @Test func everyDoubleComesBack() throws {
        var words = Words(state: 11)
        for index in 0..<200_000 {
            var value = Double(bitPattern: words.next())
            if index % 2 == 0 { value = Double(Int64(truncatingIfNeeded: words.next() >> 20)) / 1e9 }
            guard value.isFinite else { continue }
            var text = [UInt8](repeating: 0, count: NumberText.longest)
            let written = text.withUnsafeMutableBufferPointer { room -> String in
                guard let start = room.baseAddress else { return "" }
                var place = start
                NumberText.write(value, to: &place)
                return String(decoding: UnsafeBufferPointer(start: start, count: place - start), as: UTF8.self)
            }
            #expect(try read(written, Double.self).bitPattern == value.bitPattern, "\(value) \(written)")
        }
    }

    /// What Python writes for a FLOAT32 that became a double: 17 digits. The C library has the last word.
    @Test func digitsOfOtherWritersAreRoundedOnce() throws {
        var words = Words(state: 13)
        for _ in 0..<200_000 {
            let digits = words.next() % 10_000_000_000_000_000_000
            let exponent = Int(words.next() % 90) - 60
            let text = "\(digits)e\(exponent)"
            let expected = text.withCString { (Float.parse($0), Double.parse($0)) }
            #expect(try read(text, Float.self).bitPattern == expected.0.bitPattern, "\(text)")
            #expect(try read(text, Double.self).bitPattern == expected.1.bitPattern, "\(text)")
        }
    }

    @Test(arguments: [
        ("0", 0), ("-0", -0.0), ("0.1", 0.1), ("1e22", 1e22), ("1E+2", 100),
        ("9007199254740993", 9_007_199_254_740_992),
        ("9007199254740992.5", 9_007_199_254_740_992),
        ("123456789012345678901234567890", 123_456_789_012_345_678_901_234_567_890),
        ("2.2250738585072011e-308", 2.2250738585072011e-308), ("4.9e-324", 4.9e-324), ("1e-400", 0),
        ("0.000000000000000000000000000000000000000000000000000000000000000001", 1e-66),
        ("1.7976931348623157e308", 1.7976931348623157e308), ("8.5070597e37", 8.5070597e37),
        ("0.50000000000000005551115123125782702118158340454101562499", 0.5),
    ])
    func doubles(_ text: String, _ expected: Double) throws {
        #expect(try read(text, Double.self).bitPattern == expected.bitPattern)
    }

    @Test(arguments: [
        "", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x1", "1,", "NaN", "Infinity", "-Infinity", "1 2", "--1",
    ])
    func whatIsNoNumber(_ text: String) { #expect(throws: InferenceFault.self) { try read(text, Double.self) } }

    @Test func integersAreExact() throws {
        func integer<Integer: FixedWidthInteger>(_ text: String, _ type: Integer.Type) throws -> Integer {
            var bytes = Array(text.utf8)
            return try bytes.withUnsafeMutableBytes { bytes in
                var scanner = try JSONScanner(UnsafeRawBufferPointer(bytes), limits: RequestLimits())
                return try scanner.integer(type)
            }
        }
        #expect(try integer("9223372036854775807", Int64.self) == .max)
        #expect(try integer("-9223372036854775808", Int64.self) == .min)
        #expect(try integer("18446744073709551615", UInt64.self) == .max)
        #expect(try integer("-0", UInt8.self) == 0)
        #expect(try integer("-128", Int8.self) == -128)
        for text in ["128", "-129", "1.0", "1e2", "300", "99999999999999999999999"] {
            #expect(throws: InferenceFault.self) { try integer(text, Int8.self) }
        }
        #expect(throws: InferenceFault.self) { try integer("18446744073709551616", UInt64.self) }
        #expect(throws: InferenceFault.self) { try integer("-9223372036854775809", Int64.self) }
        #expect(throws: InferenceFault.self) { try integer("-1", UInt64.self) }
    }

    @Test func whatJSONDoesNotHaveIsNull() throws {
        let storage = TensorStorage(byteCount: 16)
        let floats = storage.bytes.bindMemory(to: Float.self)
        (floats[0], floats[1], floats[2], floats[3]) = (.nan, .infinity, -.infinity, -0.0)
        var text = JSONText(ByteBuffer())
        try text.data(Tensor(name: "X", type: .fp32, shape: [4], storage: storage))
        #expect(String(buffer: text.buffer) == "[null,null,null,-0.0]")
    }

    @Test func brainFloatsAreRoundedToEven() {
        #expect(BrainFloat.value(BrainFloat.bits(1)) == 1)
        #expect(BrainFloat.bits(Float(bitPattern: 0x3F80_8000)) == 0x3F80)
        #expect(BrainFloat.bits(Float(bitPattern: 0x3F81_8000)) == 0x3F82)
        #expect(BrainFloat.value(BrainFloat.bits(.nan)).isNaN)
        #expect(BrainFloat.value(BrainFloat.bits(.infinity)) == .infinity)
    }
}
