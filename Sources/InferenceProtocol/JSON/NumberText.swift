// SPDX-License-Identifier: Apache-2.0

/// Numbers as JSON, written to memory that has room for the longest.
enum NumberText {
    /// Bytes of the longest number, with a comma.
    static let longest = 32

    /// The shortest text that reads as the same number; null for what JSON does not have.
    @inline(__always)
    static func write(_ value: Float, to place: inout UnsafeMutablePointer<UInt8>) {
        let integral = Int32(truncatingIfNeeded: Int64(exactlyOrZero: value))
        if Float(integral) == value, integral != 0 || value.sign == .plus {
            return integralText(Int64(integral), &place)
        }
        value.isFinite ? copy(value.description, &place) : null(&place)
    }

    @inline(__always)
    static func write(_ value: Double, to place: inout UnsafeMutablePointer<UInt8>) {
        value.isFinite ? copy(value.description, &place) : null(&place)
    }

    @inline(__always)
    static func write(_ value: Bool, to place: inout UnsafeMutablePointer<UInt8>) {
        copy(value ? "true" : "false", &place)
    }

    @inline(__always)
    static func write<Integer: FixedWidthInteger>(_ value: Integer, to place: inout UnsafeMutablePointer<UInt8>) {
        var magnitude = UInt64(truncatingIfNeeded: value.magnitude)
        if value < 0 { put(UInt8(ascii: "-"), &place) }
        guard magnitude >= 10 else { return put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude), &place) }
        var count = 0
        var rest = magnitude
        while rest > 0 {
            count += 1
            rest /= 10
        }
        var end = place + count
        place = end
        while magnitude > 0 {
            end -= 1
            end.pointee = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10)
            magnitude /= 10
        }
    }

    /// A whole number as other numbers with a fraction are written: `2.0`.
    @inline(__always)
    private static func integralText(_ value: Int64, _ place: inout UnsafeMutablePointer<UInt8>) {
        write(value, to: &place)
        put(UInt8(ascii: "."), &place)
        put(UInt8(ascii: "0"), &place)
    }

    @inline(__always)
    private static func put(_ byte: UInt8, _ place: inout UnsafeMutablePointer<UInt8>) {
        place.pointee = byte
        place += 1
    }

    @inline(__always)
    private static func copy(_ text: String, _ place: inout UnsafeMutablePointer<UInt8>) {
        var text = text
        text.withUTF8 { bytes in
            guard let start = bytes.baseAddress else { return }
            place.update(from: start, count: bytes.count)
            place += bytes.count
        }
    }

    private static func null(_ place: inout UnsafeMutablePointer<UInt8>) { copy("null", &place) }
}

extension Int64 {
    /// The number's whole value where it is one and small; else 0.
    @inline(__always)
    fileprivate init(exactlyOrZero value: Float) {
        self = abs(value) < 8_388_608 ? Int64(value) : 0
    }
}
