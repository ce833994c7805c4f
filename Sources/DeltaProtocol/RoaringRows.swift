// SPDX-License-Identifier: Apache-2.0

/// Little-endian numbers of a run of bytes, bounded.
struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    var remaining: Int { bytes.endIndex - position }

    mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) throws(DeltaError) -> T {
        let size = T.bitWidth / 8
        guard remaining >= size else { throw DeltaError(.corruptLog, "a deletion vector ends too early") }
        var value: T = 0
        for place in (0..<size).reversed() { value = value << 8 | T(bytes[position + place]) }
        position += size
        return value
    }

    mutating func skip(_ count: Int) throws(DeltaError) {
        guard count >= 0, remaining >= count else {
            throw DeltaError(.corruptLog, "a deletion vector ends too early")
        }
        position += count
    }
}

/// Roaring bitmaps in the portable format, an array of them by the upper half of 64-bit numbers (protocol, "Deletion
/// Vector Format"; the RoaringFormatSpec for the 32-bit bitmaps).
enum RoaringRows {
    private static let magic: UInt32 = 1_681_511_377
    private static let noRuns: UInt16 = 12_346
    private static let withRuns: UInt16 = 12_347

    static func read(_ reader: inout ByteReader, maximum: Int64) throws(DeltaError) -> [Int64] {
        let found = try reader.integer(UInt32.self)
        guard found == magic else {
            throw DeltaError(.corruptLog, "a deletion vector starts with \(found), not \(magic)")
        }
        let bitmaps = try reader.integer(UInt64.self)
        var rows: [Int64] = []
        var last: Int64 = -1
        for _ in 0..<min(bitmaps, UInt64(reader.remaining) + 1) {
            let key = Int64(try reader.integer(UInt32.self))
            guard key > last, key <= Int64(Int32.max) else {
                throw DeltaError(.corruptLog, "a deletion vector's bitmaps are out of order")
            }
            last = key
            try bitmap(&reader, high: key << 32, into: &rows, maximum: maximum)
        }
        return rows
    }

    private static func bitmap(
        _ reader: inout ByteReader, high: Int64, into rows: inout [Int64], maximum: Int64
    ) throws(DeltaError) {
        let cookie = try reader.integer(UInt16.self)
        let upper = try reader.integer(UInt16.self)
        let count: Int
        var runs: [UInt8] = []
        switch cookie {
        case withRuns:
            count = Int(upper) + 1
            for _ in 0..<(count + 7) / 8 { runs.append(try reader.integer(UInt8.self)) }
        case noRuns where upper == 0:
            count = Int(try reader.integer(UInt32.self))
        default:
            throw DeltaError(.corruptLog, "a deletion vector has a bitmap of unknown kind \(cookie)")
        }
        guard count <= 65_536 else {
            throw DeltaError(.corruptLog, "a deletion vector's bitmap has \(count) containers")
        }
        var headers: [(key: Int64, size: Int)] = []
        for _ in 0..<count {
            headers.append((Int64(try reader.integer(UInt16.self)), Int(try reader.integer(UInt16.self)) + 1))
        }
        if runs.isEmpty || count >= 4 { try reader.skip(count * 4) }
        for (index, header) in headers.enumerated() {
            let base = high + header.key << 16
            let isRun = !runs.isEmpty && runs[index / 8] >> UInt8(index % 8) & 1 == 1
            guard Int64(rows.count + (isRun ? 1 : header.size)) <= maximum else {
                throw DeltaError(.corruptLog, "a deletion vector has more rows than the \(maximum) it says")
            }
            if isRun {
                for _ in 0..<Int(try reader.integer(UInt16.self)) {
                    let start = Int64(try reader.integer(UInt16.self))
                    let length = Int64(try reader.integer(UInt16.self))
                    guard start + length <= 65_535, Int64(rows.count) + length + 1 <= maximum else {
                        throw DeltaError(.corruptLog, "a deletion vector has a run past its end")
                    }
                    for row in start...start + length { rows.append(base + row) }
                }
            } else if header.size <= 4096 {
                for _ in 0..<header.size { rows.append(base + Int64(try reader.integer(UInt16.self))) }
            } else {
                for word in 0..<1024 {
                    var bits = try reader.integer(UInt64.self)
                    while bits != 0 {
                        rows.append(base + Int64(word * 64 + bits.trailingZeroBitCount))
                        bits &= bits - 1
                    }
                }
            }
        }
    }
}

/// Base 85 with ZeroMQ's alphabet (RFC 32/Z85): five characters for four bytes.
enum Base85 {
    private static let alphabet = Array(
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8)
    private static let values: [UInt8: UInt64] = Dictionary(
        uniqueKeysWithValues: alphabet.enumerated().map { ($1, UInt64($0)) })

    /// Nil when there is another character, or no whole group.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 5 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 5 * 4)
        for start in stride(from: 0, to: characters.count, by: 5) {
            var value: UInt64 = 0
            for character in characters[start..<start + 5] {
                guard let digit = values[character] else { return nil }
                value = value * 85 + digit
            }
            guard value <= UInt64(UInt32.max) else { return nil }
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(value >> UInt64(shift) & 255)) }
        }
        return bytes
    }

    /// Bytes are filled up with zeros to whole groups of four.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 4) {
            var value: UInt64 = 0
            for place in 0..<4 { value = value << 8 | UInt64(start + place < bytes.count ? bytes[start + place] : 0) }
            var group: [UInt8] = []
            for _ in 0..<5 {
                group.append(alphabet[Int(value % 85)])
                value /= 85
            }
            text += group.reversed()
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// CRC-32 with the polynomial of IEEE 802.3, as zip has it.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~0 as UInt32) { $0 >> 8 ^ table[Int(($0 ^ UInt32($1)) & 255)] }
    }
}
