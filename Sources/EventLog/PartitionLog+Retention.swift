// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Logging
import Synchronization

extension PartitionLog {
    /// Removes sealed segments that the retention by time or size, or `deleteRecords`, leaves to be removed. On the
    /// maintenance queue.
    func applyRetention() {
        let now = shared.clock()
        let removed = state.withLock { state -> [Segment] in
            guard !state.isClosed else { return [] }
            let count = state.expiredSegments(now: now)
            guard count > 0 else { return [] }
            let removed = Array(state.segments.prefix(count))
            state.segments.removeFirst(count)
            state.startOffset = max(state.startOffset, state.segments[0].baseOffset)
            state.isDirty = true
            // A reader holds the files it has; the next one must not find these.
            for segment in removed { shared.files.forget(ObjectIdentifier(self), segment: segment.baseOffset) }
            return removed
        }
        for segment in removed {
            shared.logger.debug(
                "a segment is removed", metadata: ["partition": "\(name)", "offset": "\(segment.baseOffset)"])
            for kind in SegmentFile.allCases {
                Folder.remove(path(Segment.fileName(segment.baseOffset, kind.rawValue)))
            }
        }
    }

    /// Whether the active segment is old enough to be sealed: by `segment.ms`, or because all its records have expired.
    private func isActiveDue() -> Bool {
        let now = shared.clock()
        return state.withLock { state in
            let (active, configuration) = (state.segments[state.activeIndex], state.configuration)
            guard active.size > 0, !state.isClosed else { return false }
            let isOld = now - active.created >= configuration.segmentAge
            let isExpired =
                configuration.deletes && configuration.retentionAge >= 0
                && now - active.retentionTime > configuration.retentionAge
            let isDeleted = active.nextOffset <= state.startOffset
            return isOld || isExpired || isDeleted
        }
    }

    /// Seals the active segment where it is due. Not on the writer's thread.
    func rollIfDue() {
        guard isActiveDue() else { return }
        shared.writer.performAndWait { _ = isActiveDue() ? roll() : nil }
    }

    /// Forgets idempotent producers that have been silent for long. Not on the writer's thread.
    func expireProducers() {
        let oldest = shared.clock() - shared.configuration.producerExpiration
        shared.writer.performAndWait {
            state.withLock { state in
                if state.producers.expire(before: oldest) > 0 { state.isDirty = true }
            }
        }
    }
}

extension PartitionState {
    /// How many segments from the first on may go.
    func expiredSegments(now: Int64) -> Int {
        var surplus = configuration.retentionBytes < 0 ? 0 : segments.reduce(0) { $0 + $1.size }
        surplus -= configuration.retentionBytes < 0 ? 0 : configuration.retentionBytes
        var count = 0
        for segment in segments.dropLast() {
            let isDeleted = segment.nextOffset <= startOffset
            let isExpired =
                configuration.deletes && configuration.retentionAge >= 0
                && now - segment.retentionTime > configuration.retentionAge
            let isSurplus = configuration.deletes && surplus >= segment.size && surplus > 0
            // An open transaction's records are kept until it ends, and the last checkpoint's segment until the next.
            guard isDeleted || isExpired || isSurplus, segment.nextOffset <= lastStableOffset,
                segment.baseOffset < recoveryPoint.segment
            else { break }
            surplus -= segment.size
            count += 1
        }
        return count
    }
}

extension EventLog {
    /// What time makes due: seals old segments, removes expired ones, compacts, forgets silent producers, and makes a
    /// checkpoint. The owner calls it from time to time (Kafka's `log.retention.check.interval.ms` is 5 minutes, its
    /// cleaner's back-off 15 seconds); calls do not overlap.
    package func maintain() async {
        await maintenance.run {
            for partition in self.partitions {
                partition.rollIfDue()
                partition.expireProducers()
            }
        }
        await checkpoint()
        // Only what the checkpoint vouches for is removed or rewritten.
        await maintenance.run {
            for partition in self.partitions {
                partition.applyRetention()
                partition.compactIfDue()
            }
        }
        await checkpoint()
    }

    /// Makes all records before `offset` invisible, durably; the space is freed by `maintain`.
    ///
    /// - Parameters:
    ///   - name: The partition.
    ///   - offset: The new first offset; −1 for the high watermark.
    /// - Returns: The partition's start offset, which is greater when it was already.
    /// - Throws: `notFound`, `offsetOutOfRange`, or what the disk said.
    package func deleteRecords(_ name: PartitionName, before offset: Int64) async throws(EventLogError) -> Int64 {
        guard let partition = partition(name) else {
            throw EventLogError(.notFound, "there is no partition \(name)")
        }
        return try await administration.run { () throws(EventLogError) in
            let moved = partition.state.withLock { state -> Int64? in
                let target = offset == -1 ? state.endOffset : offset
                guard target >= 0, target <= state.endOffset else { return nil }
                state.startOffset = max(state.startOffset, target)
                return state.startOffset
            }
            guard let moved else {
                throw EventLogError(
                    .offsetOutOfRange, "\(name): offset \(offset) is not within 0 and \(partition.endOffset)")
            }
            do throws(FileError) {
                try self.writeCheckpointRows()
            } catch {
                throw EventLogError(error, "deleting records of \(name)")
            }
            return moved
        }
    }
}
