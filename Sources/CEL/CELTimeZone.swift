// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Time zones: fixed offsets, and those of the system's database.
///
/// Source: RFC 9636 (TZif).
enum CELTimeZone {
    private struct Transition {
        var at: Int64
        var offset: Int64
    }

    private static let cache = Mutex<[String: [Transition]]>([:])
    private static let maxZones = 1000

    /// Seconds east of Greenwich at a moment.
    static func offset(_ name: String, at seconds: Int64) throws(CELError) -> Int64 {
        if let fixed = fixed(name) { return fixed }
        guard let transitions = zone(name) else { throw CELError("unknown time zone \(name)") }
        return transitions.last { $0.at <= seconds }?.offset ?? transitions.first?.offset ?? 0
    }

    /// The offset of `UTC`, `+01:00` or `-08:00`.
    private static func fixed(_ name: String) -> Int64? {
        if name.isEmpty || name == "UTC" { return 0 }
        let isNegative = name.first == "-"
        let digits = name.first == "+" || isNegative ? name.dropFirst() : name[...]
        let parts = digits.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 }), let hours = UInt8(parts[0]),
            let minutes = UInt8(parts[1]), hours < 24, minutes < 60
        else { return nil }
        return (Int64(hours) * 60 + Int64(minutes)) * (isNegative ? -60 : 60)
    }

    private static func zone(_ name: String) -> [Transition]? {
        let isSafe =
            name.utf8.count <= 64 && !name.contains("..") && name.first != "/"
            && name.utf8.allSatisfy { CELNames.isWord($0) || "/+-".utf8.contains($0) }
        guard isSafe else { return nil }
        if let known = cache.withLock({ $0[name] }) { return known }
        guard let transitions = read("/usr/share/zoneinfo/\(name)") else { return nil }
        cache.withLock { cache in
            if cache.count >= maxZones { cache.removeAll() }
            cache[name] = transitions
        }
        return transitions
    }

    private static func read(_ path: String) -> [Transition]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return parse(bytes[..<count])
    }

    /// The transitions of the second, 64-bit block of a file.
    private static func parse(_ bytes: ArraySlice<UInt8>) -> [Transition]? {
        func counts(_ start: Int) -> [Int]? {
            guard start + 44 <= bytes.count, Array(bytes[start..<start + 4]) == Array("TZif".utf8) else { return nil }
            return (0..<6).map { Int(number(start + 20 + 4 * $0, 4)) }
        }
        func number(_ start: Int, _ width: Int) -> Int64 {
            guard start + width <= bytes.count else { return 0 }
            let value = bytes[start..<start + width].reduce(Int64(0)) { $0 << 8 | Int64($1) }
            return width == 4 ? Int64(Int32(truncatingIfNeeded: value)) : value
        }
        guard let first = counts(0), bytes[4] >= UInt8(ascii: "2"), first.allSatisfy({ (0..<100_000).contains($0) })
        else {
            return nil
        }
        // Counts of: UTC indicators, standard indicators, leap seconds, transitions, types, letters.
        let block = 44 + first[3] * 5 + first[4] * 6 + first[5] + first[2] * 8 + first[1] + first[0]
        guard let second = counts(block), second.allSatisfy({ (0..<100_000).contains($0) }) else { return nil }
        let (moments, kinds) = (second[3], second[4])
        let start = block + 44
        let offsets = start + moments * 9
        guard kinds > 0, offsets + kinds * 6 <= bytes.count else { return nil }
        var transitions = [Transition(at: .min, offset: number(offsets, 4))]
        for index in 0..<moments {
            let kind = Int(bytes[start + moments * 8 + index])
            guard kind < kinds else { return nil }
            transitions.append(
                Transition(at: number(start + index * 8, 8), offset: number(offsets + kind * 6, 4)))
        }
        return transitions
    }
}
