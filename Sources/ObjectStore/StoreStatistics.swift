// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// How many changes commits had.
package struct CommitSizes: Sendable, Equatable {
    /// Upper bounds.
    package static let bounds = [1, 2, 4, 8, 16, 32, 64, 128, 256]

    /// Commits by bound, each without those below; the last has what is above all.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    /// Changes in all.
    package private(set) var sum: UInt64 = 0

    package init() {}

    mutating func add(_ changes: Int) {
        counts[Self.bounds.firstIndex { changes <= $0 } ?? Self.bounds.count] += 1
        sum += UInt64(changes)
    }
}

/// What a store has done since it was opened, and where it stands.
package struct StoreStatistics: Sendable {
    package var commitSizes: CommitSizes
    /// Bytes that are free on the disk; 0 where that cannot be said.
    package var freeBytes: UInt64
}

extension ObjectStore {
    package var statistics: StoreStatistics {
        var disk = statvfs()
        let isKnown = statvfs(folder, &disk) == 0
        return StoreStatistics(
            commitSizes: writer.commitSizes,
            freeBytes: isKnown ? UInt64(disk.f_bavail) * UInt64(disk.f_frsize) : 0)
    }
}
