// SPDX-License-Identifier: Apache-2.0
import IcebergProtocol
import Synchronization

/// Lets commits of one table through one after the other, in the order in which they came: one that would fail does so
/// before it writes a file.
final class TableLocks: Sendable {
    private let waiting = Mutex<[TableName: [CheckedContinuation<Void, Never>]]>([:])

    /// Runs with all of these tables to itself.
    func holding<T>(
        _ tables: [TableName], _ work: () async throws(IcebergError) -> T
    ) async throws(IcebergError) -> T {
        // Everybody takes them in the same order, so that no two wait for each other.
        let order = Set(tables).sorted {
            ($0.namespace.joined, $0.name) < ($1.namespace.joined, $1.name)
        }
        for table in order { await acquire(table) }
        defer { for table in order { release(table) } }
        return try await work()
    }

    private func acquire(_ table: TableName) async {
        await withCheckedContinuation { continuation in
            let isFree = waiting.withLock { waiting in
                guard waiting[table] != nil else {
                    waiting[table] = []
                    return true
                }
                waiting[table]?.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func release(_ table: TableName) {
        let next = waiting.withLock { waiting -> CheckedContinuation<Void, Never>? in
            guard var queue = waiting[table], !queue.isEmpty else {
                waiting[table] = nil
                return nil
            }
            let next = queue.removeFirst()
            waiting[table] = queue
            return next
        }
        next?.resume()
    }
}
