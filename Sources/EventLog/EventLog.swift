// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Dispatch
package import Logging
import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A folder of partitions: an append-only log each, with one writer for all.
///
/// One process at a time uses a folder. Nothing runs by itself: the owner calls `maintain` from time to time.
package final class EventLog: Sendable {
    private struct State: Sendable {
        var partitions: [PartitionName: PartitionLog] = [:]
        var isClosed = false
    }

    /// The folder.
    package let folder: String
    /// What the start found: bytes that were read again since the last checkpoint, and whether the log was closed.
    package let opening: Opening
    let shared: SharedLog
    private let state: Mutex<State>
    private let lock: FolderLock
    /// Creates, deletes and checkpoints, one after the other.
    let administration = DispatchQueue(label: "apus.eventlog.administration", qos: .userInitiated)
    /// Retention and compaction.
    let maintenance = DispatchQueue(label: "apus.eventlog.maintenance", qos: .utility)

    /// How a start went.
    package struct Opening: Sendable, Hashable {
        /// Whether the log was closed before, and not killed.
        package var wasClosed: Bool
        /// Bytes of batches that were read and checked.
        package var scannedBytes: Int64
    }

    private init(
        folder: String, shared: SharedLog, lock: FolderLock, partitions: [PartitionName: PartitionLog], opening: Opening
    ) {
        self.folder = folder
        self.shared = shared
        self.lock = lock
        self.opening = opening
        state = Mutex(State(partitions: partitions))
        shared.writer.onCheckpointDue { [weak self] in
            guard let self else { return }
            administration.async { self.writeCheckpoint() }
        }
    }

    /// Opens a folder, which is created where it is missing; what a crash left behind is put in order.
    ///
    /// - Parameters:
    ///   - folder: The folder; locked until `close`.
    ///   - configuration: How the log works.
    ///   - logger: Where repairs and failures are told.
    ///   - clock: Milliseconds since 1970.
    /// - Returns: The log, with all partitions that the folder has.
    /// - Throws: `locked`, `newerFormat`, `corrupt` or what the disk said.
    package static func open(
        folder: String, configuration: EventLogConfiguration = EventLogConfiguration(), logger: Logger,
        clock: @escaping @Sendable () -> Int64 = EventLog.systemClock
    ) async throws(EventLogError) -> EventLog {
        let queue = DispatchQueue(label: "apus.eventlog.open", qos: .userInitiated)
        return try await queue.run { () throws(EventLogError) in
            try open(folder, SharedLog(configuration: configuration, logger: logger, clock: clock))
        }
    }

    /// The system's time, milliseconds since 1970.
    package static let systemClock: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    private static func open(_ folder: String, _ shared: SharedLog) throws(EventLogError) -> EventLog {
        let lock: FolderLock
        do throws(FolderLock.Failure) { lock = try FolderLock(folder) } catch { throw EventLogError(error) }
        try FormatFile.check(folder)
        let rows = try checkpointRows(folder, shared.logger)
        let mark = folder + "/" + cleanMark
        let wasClosed = Folder.exists(mark)
        Folder.remove(mark)
        var partitions: [PartitionName: PartitionLog] = [:]
        var scanned: Int64 = 0
        for name in try partitionFolders(folder) {
            let path = folder + "/\(name)"
            var recovery = PartitionRecovery(
                name: name, folder: path, logger: shared.logger, now: shared.clock(), row: rows[name])
            let state = try recovery.state(shared.configuration.partitionDefaults)
            scanned += recovery.scannedBytes
            partitions[name] = PartitionLog(name: name, folder: path, shared: shared, state: state)
        }
        let log = EventLog(
            folder: folder, shared: shared, lock: lock, partitions: partitions,
            opening: Opening(wasClosed: wasClosed, scannedBytes: scanned))
        // Rows of partitions whose deletion a crash cut short.
        if rows.keys.contains(where: { partitions[$0] == nil }) {
            do throws(FileError) { try log.writeCheckpointRows() } catch { throw EventLogError(error, folder) }
        }
        return log
    }

    private static func partitionFolders(_ folder: String) throws(EventLogError) -> [PartitionName] {
        do throws(FileError) {
            var found: [PartitionName] = []
            for entry in try Folder.names(in: folder) {
                let path = folder + "/" + entry
                if entry.hasSuffix(deletedSuffix) {
                    try Folder.removeFolder(path)
                } else if let name = PartitionName(folder: entry), Folder.isFolder(path) {
                    found.append(name)
                }
            }
            return found
        } catch {
            throw EventLogError(error, "the log in \(folder)")
        }
    }

    private static func checkpointRows(
        _ folder: String, _ logger: Logger
    ) throws(EventLogError) -> [PartitionName: CheckpointRow] {
        do throws(FileError) {
            guard let bytes = try Folder.read(folder + "/" + Checkpoint.fileName) else { return [:] }
            if let rows = Checkpoint.rows(bytes) { return rows }
            logger.warning(
                "the recovery point is damaged: all segments are read",
                metadata: ["file": "\(folder)/\(Checkpoint.fileName)"])
            return [:]
        } catch {
            throw EventLogError(error, "the log in \(folder)")
        }
    }

    static let cleanMark = "clean-shutdown"
    static let deletedSuffix = ".deleted"

    // MARK: partitions

    /// All partitions, in order of their names.
    package var partitions: [PartitionLog] {
        state.withLock { Array($0.partitions.values) }.sorted { $0.name < $1.name }
    }

    /// A partition, if it is there.
    package func partition(_ name: PartitionName) -> PartitionLog? { state.withLock { $0.partitions[name] } }

    /// A partition, if it is there.
    package func partition(_ topic: String, _ number: Int32) -> PartitionLog? {
        partition(PartitionName(topic, number))
    }

    /// Creates a partition, durably.
    package func create(
        _ name: PartitionName, configuration: PartitionConfiguration
    ) async throws(EventLogError) -> PartitionLog {
        guard name.isValid else {
            throw EventLogError(
                .invalidName,
                "\(name) cannot be a partition: topics have 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'")
        }
        return try await administration.run { () throws(EventLogError) in
            try self.requireOpen()
            guard self.partition(name) == nil else {
                throw EventLogError(.alreadyExists, "there is a partition \(name) already")
            }
            let path = self.folder + "/\(name)"
            do throws(FileError) {
                try Folder.create(path)
                try Folder.sync(self.folder)
            } catch {
                throw EventLogError(error, "the partition \(name)")
            }
            var recovery = PartitionRecovery(
                name: name, folder: path, logger: self.shared.logger, now: self.shared.clock(), row: nil)
            let partition = PartitionLog(
                name: name, folder: path, shared: self.shared, state: try recovery.state(configuration))
            self.state.withLock { $0.partitions[name] = partition }
            return partition
        }
    }

    /// Deletes a partition and its records; whoever waits for records of it is woken.
    package func delete(_ name: PartitionName) async throws(EventLogError) {
        guard let partition = state.withLock({ $0.partitions.removeValue(forKey: name) }) else {
            throw EventLogError(.notFound, "there is no partition \(name)")
        }
        // After the appends that are being written.
        await shared.writer.perform { partition.markClosed() }
        try await administration.run { () throws(EventLogError) in
            let path = self.folder + "/\(name)"
            let grave = self.folder + "/\(name).\(self.shared.clock())" + Self.deletedSuffix
            do throws(FileError) {
                try Folder.rename(path, to: grave)
                try Folder.sync(self.folder)
                try Folder.removeFolder(grave)
                // A partition that gets the name again begins anew.
                try self.writeCheckpointRows()
            } catch {
                throw EventLogError(error, "the partition \(name)")
            }
        }
    }

    private func requireOpen() throws(EventLogError) {
        guard !state.withLock({ $0.isClosed }) else {
            throw EventLogError(.closed, "the log in \(folder) is closed")
        }
    }

    // MARK: ending

    /// Writes what waits, makes a checkpoint and lets go of the folder. Later calls fail as closed.
    package func close() async {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        await shared.writer.close()
        await maintenance.run {}
        await administration.run {
            self.writeCheckpoint(isLast: true)
            for partition in self.partitions { partition.markClosed() }
            self.shared.files.forget(nil)
            self.lock.release()
        }
    }
}

extension DispatchQueue {
    /// Runs blocking work on the queue.
    func run<R: Sendable, E: Error>(_ body: @escaping @Sendable () throws(E) -> R) async throws(E) -> R {
        let result: Result<R, E> = await withCheckedContinuation { continuation in
            async {
                do throws(E) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
