// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Dispatch
import Logging
import Synchronization

extension EventLog {
    /// Writes down, for each partition, up to where all is on the disk, so that a start need not read it again.
    package func checkpoint() async {
        await administration.run { self.writeCheckpoint() }
    }

    /// On the administration queue. The log's own files are synced here, beside the writer, which goes on.
    func writeCheckpoint(isLast: Bool = false) {
        shared.writer.checkpointBegins()
        var failures = 0
        for partition in partitions {
            do throws(FileError) {
                try partition.checkpoint()
            } catch {
                failures += 1
                shared.logger.warning(
                    "a checkpoint is left out", metadata: ["partition": "\(partition.name)", "error": "\(error)"])
            }
        }
        do throws(FileError) {
            try writeCheckpointRows()
            guard isLast, failures == 0 else { return }
            try Folder.replace(folder + "/" + Self.cleanMark, with: [])
        } catch {
            shared.logger.error("a checkpoint failed", metadata: ["error": "\(error)"])
        }
    }

    /// Replaces the file by what the partitions' checkpoints have been. On the administration queue.
    func writeCheckpointRows() throws(FileError) {
        try Folder.replace(folder + "/" + Checkpoint.fileName, with: Checkpoint.bytes(partitions.map(\.checkpointRow)))
    }
}

extension PartitionLog {
    var checkpointRow: CheckpointRow {
        state.withLock { state in
            CheckpointRow(
                name: name, startOffset: state.startOffset, point: state.recoveryPoint, cleanPasses: state.cleanPasses)
        }
    }

    /// Syncs what was written since the last checkpoint, and a snapshot of the producers. On the administration queue.
    func checkpoint() throws(FileError) {
        guard let work = shared.writer.performAndWait({ self.beginCheckpoint() }) else { return }
        do throws(FileError) {
            for segment in work.segments {
                try file(segment, .log).sync()
                for kind in [SegmentFile.index, .txnindex]
                where Folder.exists(path(Segment.fileName(segment, kind.rawValue))) {
                    try file(segment, kind).sync()
                }
            }
            if work.point.hasSnapshot {
                try Folder.replace(
                    path(Segment.fileName(work.point.offset, "snapshot")), with: ProducerSnapshot.bytes(work.producers))
            }
        } catch {
            state.withLock { $0.isDirty = true }
            throw error
        }
        let old = state.withLock { state in
            defer { state.recoveryPoint = work.point }
            return state.recoveryPoint
        }
        removeOldSnapshots(keeping: [work.point.offset, old.offset])
    }

    private struct CheckpointWork: Sendable {
        var point: RecoveryPoint
        var segments: [Int64]
        var producers: ProducerTable
    }

    /// Only on the writer's thread.
    private func beginCheckpoint() -> CheckpointWork? {
        guard state.withLock({ $0.isDirty && !$0.isClosed }) else { return nil }
        flushIndex()
        return state.withLock { state in
            let active = state.segments[state.activeIndex]
            state.isDirty = false
            var producers = state.producers
            producers.commit()
            return CheckpointWork(
                point: RecoveryPoint(
                    offset: state.endOffset, segment: active.baseOffset, indexCount: active.indexCount,
                    abortedCount: active.abortedCount, hasSnapshot: !producers.producers.isEmpty),
                segments: state.segments.map(\.baseOffset).filter { $0 >= state.recoveryPoint.segment },
                producers: producers)
        }
    }

    private func removeOldSnapshots(keeping kept: [Int64]) {
        guard let names = try? Folder.names(in: folder) else { return }
        for name in names {
            if let offset = Segment.offset(ofFile: name, suffix: "snapshot"), !kept.contains(offset) {
                Folder.remove(path(name))
            }
        }
    }

    /// Refuses all from now on and wakes who waits. Only on the writer's thread, or once the writer is closed.
    func markClosed() {
        let wakes = state.withLock { state in
            state.isClosed = true
            return state.wakeable()
        }
        for wake in wakes { wake() }
        shared.files.forget(ObjectIdentifier(self))
    }
}
