// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Synchronization

/// Connections that only read, each used by one thread at a time. Every read sees all that was acknowledged before it.
final class ReaderPool: Sendable {
    private let pool: WorkPool
    private let free = Mutex<[SQLConnection]>([])
    private let folder: String
    private let cacheKiB: Int

    init(folder: String, configuration: ObjectStoreConfiguration) {
        self.folder = folder
        cacheKiB = configuration.readerCacheKiB
        pool = WorkPool(label: "apus.objectstore.readers", threads: configuration.readers)
    }

    /// Runs a read on a thread of its own.
    func read<T: Sendable>(
        _ body: @escaping @Sendable (SQLConnection) throws -> T
    ) async throws(ObjectStoreError) -> T {
        let answer = await pool.runIfOpen { self.readNow(body) }
        guard let answer else { throw ObjectStore.closed }
        return try answer.get()
    }

    /// Runs a read on this thread, which may block.
    func readNow<T>(_ body: (SQLConnection) throws -> T) -> Result<T, ObjectStoreError> {
        do {
            let connection = try take()
            defer { free.withLock { $0.append(connection) } }
            return .success(try body(connection))
        } catch let error as ObjectStoreError {
            return .failure(error)
        } catch let error as SQLFailure {
            return .failure(error.error(folder))
        } catch {
            return .failure(ObjectStoreError(.storage, "\(folder) cannot be read: \(error)"))
        }
    }

    private func take() throws -> SQLConnection {
        if let connection = free.withLock({ $0.popLast() }) { return connection }
        return try SQLConnection(
            path: folder + "/objects.sqlite", cacheKiB: cacheKiB)
    }

    /// Gives back memory of the connections that nobody uses now; on a thread that may block.
    func shrink() async {
        _ = await pool.runIfOpen {
            let idle = self.free.withLock { free in
                defer { free = [] }
                return free
            }
            for connection in idle { connection.shrink() }
            self.free.withLock { $0 += idle }
        }
    }

    /// Finishes the reads, and closes the connections.
    func close() async {
        await pool.close()
        let connections = free.withLock { free in
            defer { free = [] }
            return free
        }
        for connection in connections { try? connection.close() }
    }
}
