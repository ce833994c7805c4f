// SPDX-License-Identifier: Apache-2.0

/// How far a time zone is from UTC at each moment, from a compiled file of the tz database.
///
/// Source: RFC 9636 (TZif); the footer's rule for later times is a POSIX TZ string.
package struct TimeZoneRules: Sendable, Equatable {
    /// From `since` on (seconds since the epoch) the zone is `offset` seconds ahead of UTC.
    struct Change: Sendable, Equatable {
        var since: Int64
        var offset: Int
    }

    /// In order of time.
    private var changes: [Change]
    /// Before the first change.
    private var firstOffset: Int
    /// After the last change.
    private var later: TimeZoneRule?

    package static let utc = TimeZoneRules(changes: [], firstOffset: 0, later: nil)

    private init(changes: [Change], firstOffset: Int, later: TimeZoneRule?) {
        self.changes = changes
        self.firstOffset = firstOffset
        self.later = later
    }

    /// Seconds ahead of UTC at a moment, given in seconds since the epoch.
    package func offset(at moment: Int64) -> Int {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].since <= moment { low = middle + 1 } else { high = middle }
        }
        if low == changes.count, let later { return later.offset(at: moment) }
        return low == 0 ? firstOffset : changes[low - 1].offset
    }

    /// Reads a TZif file; nil when it is not one.
    package init?(tzif bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard var header = reader.header() else { return nil }
        var width = 4
        if header.version >= 2 {
            // The first block is for readers of 32-bit times.
            guard reader.skip(header.size(width: 4)), let second = reader.header() else { return nil }
            header = second
            width = 8
        }
        guard header.types > 0, header.types <= 256, header.times <= 4096,
            reader.remaining >= header.size(width: width)
        else { return nil }
        let times = (0..<header.times).compactMap { _ in reader.integer(width) }
        let kinds = (0..<header.times).compactMap { _ in reader.integer(1) }.map { Int(UInt8(truncatingIfNeeded: $0)) }
        var offsets: [Int] = []
        for _ in 0..<header.types {
            guard let offset = reader.integer(4), reader.skip(2) else { return nil }
            offsets.append(Int(offset))
        }
        guard kinds.allSatisfy({ $0 < offsets.count }), zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }) else {
            return nil
        }
        changes = zip(times, kinds).map { Change(since: $0, offset: offsets[$1]) }
        firstOffset = offsets[0]
        guard width == 8 else { return }
        let rest = header.characters + header.leaps * (width + 4) + header.standardFlags + header.utcFlags
        guard reader.skip(rest) else { return nil }
        later = TimeZoneRule(posix: reader.footer())
    }
}

extension TimeZoneRules {
    private struct Header {
        var version: Int
        var utcFlags, standardFlags, leaps, times, types, characters: Int

        func size(width: Int) -> Int {
            times * (width + 1) + types * 6 + characters + leaps * (width + 4) + standardFlags + utcFlags
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        var remaining: Int { bytes.count - index }

        mutating func skip(_ count: Int) -> Bool {
            guard count >= 0, count <= remaining else { return false }
            index += count
            return true
        }

        /// A signed big-endian number.
        mutating func integer(_ width: Int) -> Int64? {
            guard width <= remaining else { return nil }
            var value: Int64 = bytes[index] >= 0x80 ? -1 : 0
            for byte in bytes[index..<index + width] { value = value << 8 | Int64(byte) }
            index += width
            return value
        }

        mutating func header() -> Header? {
            guard remaining >= 44, bytes[index..<index + 4].elementsEqual("TZif".utf8) else { return nil }
            let version = bytes[index + 4] == 0 ? 1 : Int(bytes[index + 4]) - 48
            index += 20
            var counts: [Int] = []
            for _ in 0..<6 {
                guard let count = integer(4), count >= 0, count <= 65_536 else { return nil }
                counts.append(Int(count))
            }
            return Header(
                version: version, utcFlags: counts[0], standardFlags: counts[1], leaps: counts[2], times: counts[3],
                types: counts[4], characters: counts[5])
        }

        /// The text between the newlines at the end.
        mutating func footer() -> String {
            guard remaining >= 2, bytes[index] == 10 else { return "" }
            return String(decoding: bytes[(index + 1)...].prefix { $0 != 10 }, as: UTF8.self)
        }
    }
}
