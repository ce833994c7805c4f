// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Synchronization

/// How much is in a bucket: every version of its objects, delete markers and unfinished uploads left out.
package struct BucketUsage: Sendable, Equatable {
    /// Versions.
    package var objects: Int64 = 0
    /// Bytes of those.
    package var bytes: Int64 = 0

    static func += (left: inout BucketUsage, right: BucketUsage) {
        left.objects += right.objects
        left.bytes += right.bytes
    }
}

/// The usage of buckets in memory: what there was when the store was opened, counted once in the background, and what
/// commits have changed since.
final class UsageTable: Sendable {
    private struct State {
        /// By bucket; until `isCounted` only what commits changed.
        var usage: [Int64: BucketUsage] = [:]
        var isCounted = false
    }

    private let state = Mutex(State())
    private let isStopped = Atomic(false)
    private let pool = WorkPool(label: "apus.objectstore.usage", threads: 1)

    /// Nil until all rows are counted.
    var all: [Int64: BucketUsage]? { state.withLock { $0.isCounted ? $0.usage : nil } }

    /// A commit's changes; only the writer does.
    func add(_ changes: [Int64: BucketUsage]) {
        guard !changes.isEmpty else { return }
        state.withLock { state in
            for (bucket, change) in changes {
                state.usage[bucket, default: BucketUsage()] += change
                // Buckets that are gone leave nothing behind.
                if state.isCounted, state.usage[bucket] == BucketUsage() { state.usage[bucket] = nil }
            }
        }
    }

    /// Begins to count what is there now: what is written later the connection does not see, which nobody else uses and
    /// which is closed in the end.
    func start(_ connection: SQLConnection, failed: @escaping @Sendable (any Error) -> Void) throws {
        try connection.prepared(.begin).run()
        // The view of the database is that of the first read.
        _ = try connection.integer("SELECT count(*) FROM buckets")
        pool.submit {
            defer { try? connection.close() }
            do {
                guard let counted = try self.count(connection) else { return }
                try connection.prepared(.end).run()
                self.state.withLock { state in
                    for (bucket, usage) in counted { state.usage[bucket, default: BucketUsage()] += usage }
                    state.isCounted = true
                }
            } catch {
                failed(error)
            }
        }
    }

    /// Nil where it was told to stop. Rows that are damaged do not count.
    private func count(_ connection: SQLConnection) throws -> [Int64: BucketUsage]? {
        var counted: [Int64: BucketUsage] = [:]
        let statement = try connection.prepared(.allVersions)
        defer { statement.reset() }
        while try statement.step() {
            if isStopped.load(ordering: .relaxed) { return nil }
            let bucket = statement.integer(0)
            let record = try? VersionRecord(
                statement.bytes(3), bucket: bucket, key: statement.bytes(1), age: statement.integer(2))
            if let record { counted[bucket, default: BucketUsage()] += record.usage }
        }
        return counted
    }

    /// Returns once nothing is counted any more.
    func close() async {
        isStopped.store(true, ordering: .relaxed)
        await pool.close()
    }
}

extension VersionRecord {
    /// What the version adds to its bucket.
    var usage: BucketUsage { isDeleteMarker ? BucketUsage() : BucketUsage(objects: 1, bytes: size) }
}

extension ObjectStore {
    /// How much is in each bucket, by name; nil while that is still counted, soon after the store was opened.
    package var usage: [String: BucketUsage]? {
        guard let all = usageTable.all else { return nil }
        return table.all.mapValues { all[$0.id] ?? BucketUsage() }
    }
}
