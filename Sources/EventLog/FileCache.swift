// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Synchronization

/// Files that are kept open for the next reader or writer; the ones used longest ago are let go.
final class FileCache: Sendable {
    /// One file of a segment.
    struct Key: Hashable, Sendable {
        var partition: ObjectIdentifier
        var segment: Int64
        var kind: SegmentFile
    }

    private struct Entry: Sendable {
        var file: LogFile
        var used: UInt64
    }

    private struct State: Sendable {
        var entries: [Key: Entry] = [:]
        var clock: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int

    init(capacity: Int) { self.capacity = max(8, capacity) }

    /// The open file, opened where it is not.
    func file(_ key: Key, path: () -> String, create: Bool = false) throws(FileError) -> LogFile {
        let found = state.withLock { state -> LogFile? in
            state.clock += 1
            state.entries[key]?.used = state.clock
            return state.entries[key]?.file
        }
        if let found { return found }
        let file = try LogFile(path: path(), create: create)
        // What falls out is closed outside the lock, unless somebody holds it.
        let dropped = state.withLock { state -> [LogFile] in
            state.entries[key] = Entry(file: file, used: state.clock)
            guard state.entries.count > capacity else { return [] }
            // A quarter at once, so that the search for the oldest is rare.
            let oldest = state.entries.sorted { $0.value.used < $1.value.used }.prefix(max(1, capacity / 4))
            for (key, _) in oldest { state.entries[key] = nil }
            return oldest.map(\.value.file)
        }
        withExtendedLifetime(dropped) {}
        return file
    }

    /// Lets go of a segment's files: they are removed or replaced.
    func forget(_ partition: ObjectIdentifier, segment: Int64) {
        let dropped = state.withLock { state in
            SegmentFile.allCases.compactMap {
                state.entries.removeValue(forKey: Key(partition: partition, segment: segment, kind: $0))
            }
        }
        withExtendedLifetime(dropped) {}
    }

    /// Lets go of all files of a partition, or of all partitions.
    func forget(_ partition: ObjectIdentifier?) {
        let dropped = state.withLock { state in
            let gone = state.entries.filter { partition == nil || $0.key.partition == partition }
            for key in gone.keys { state.entries[key] = nil }
            return gone
        }
        withExtendedLifetime(dropped) {}
    }

    /// Files that are open for the cache's sake.
    var count: Int { state.withLock { $0.entries.count } }
}

/// The files of a segment. The raw value is what their names end with.
enum SegmentFile: String, CaseIterable, Sendable {
    /// The batches.
    case log
    /// Places of batches: see `IndexEntry`.
    case index
    /// Aborted transactions: see `AbortedEntry`.
    case txnindex
}
