// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The system's tz database.
package enum SystemTimeZones {
    private static let folder = "/usr/share/zoneinfo/"
    private static let maxBytes = 65_536
    private static let maxCached = 1024
    private static let cache = Mutex<[String: TimeZoneRules]>([:])

    /// The rules of a zone such as `Europe/Berlin`; nil when the database has none of that name.
    ///
    /// Empty and `UTC` are UTC.
    package static func rules(_ name: String) -> TimeZoneRules? {
        if name.isEmpty || name == "UTC" { return .utc }
        if let known = cache.withLock({ $0[name] }) { return known }
        guard isName(name), let bytes = contents(folder + name), let rules = TimeZoneRules(tzif: bytes) else {
            return nil
        }
        cache.withLock { cache in
            if cache.count >= maxCached { cache.removeAll() }
            cache[name] = rules
        }
        return rules
    }

    /// Whether a name stays within the database's folder.
    private static func isName(_ name: String) -> Bool {
        guard name.utf8.count <= 255 else { return false }
        let isPlain = name.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "/_+-".utf8.contains(byte)
        }
        return isPlain && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
    }

    private static func contents(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: maxBytes + 1)
        var count = 0
        while count < bytes.count {
            let step = bytes.withUnsafeMutableBytes { buffer in
                read(file, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            }
            guard step >= 0 else { return nil }
            if step == 0 { break }
            count += step
        }
        return count <= maxBytes ? Array(bytes[..<count]) : nil
    }
}
