// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Logging
import Synchronization

extension PartitionLog {
    /// Compacts the sealed segments where `cleanup.policy` has `compact` and enough of them is dirty. On the
    /// maintenance queue. Never touches what is not decided yet (after the last stable offset).
    func compactIfDue() {
        let now = shared.clock()
        do throws(ReadError) {
            guard let plan = try compactionPlan(now: now) else { return }
            var compaction = Compaction(plan, keys: shared.configuration.compactionKeys)
            guard try compaction.collectKeys() else { return }
            for group in try compaction.rewrite(folder: folder, name: name) { try put(group) }
            let offset = compaction.mappedEnd
            state.withLock { state in
                state.cleanPasses.append(.init(offset: offset, time: now))
                state.cleanPasses.prune(before: now - state.configuration.deleteRetention)
                state.isDirty = true
            }
        } catch {
            shared.logger.error(
                "a partition is not compacted", metadata: ["partition": "\(name)", "error": "\(error)"])
        }
    }

    private func compactionPlan(now: Int64) throws(ReadError) -> Compaction.Plan? {
        let opened = state.withLock { state -> Result<Compaction.Plan?, ReadError> in
            let configuration = state.configuration
            guard configuration.compacts, !state.isClosed else { return .success(nil) }
            // Segments that the last checkpoint does not vouch for are read by a start, which must find them.
            let ready = state.segments.dropLast().prefix {
                $0.nextOffset <= state.lastStableOffset && $0.baseOffset < state.recoveryPoint.segment
                    && (configuration.minCompactionLag <= 0
                        || now - $0.retentionTime >= configuration.minCompactionLag)
            }
            let firstDirty = state.cleanPasses.map(\.offset).max() ?? 0
            let total = ready.reduce(0) { $0 + $1.size }
            let dirty = ready.filter { $0.nextOffset > firstDirty }.reduce(0) { $0 + $1.size }
            guard dirty > 0, Double(dirty) >= configuration.minCleanableDirtyRatio * Double(total) else {
                return .success(nil)
            }
            do throws(FileError) {
                var plan = Compaction.Plan(
                    firstDirty: firstDirty, startOffset: state.startOffset, segmentBytes: configuration.segmentBytes,
                    indexInterval: configuration.indexIntervalBytes)
                for segment in ready { plan.readers.append(try reader(of: segment)) }
                for segment in state.segments where segment.abortedCount > 0 {
                    plan.aborted.append((try file(segment.baseOffset, .txnindex), segment.abortedCount))
                }
                let oldest = now - configuration.deleteRetention
                plan.tombstoneHorizon = state.cleanPasses.filter { $0.time <= oldest }.map(\.offset).max() ?? 0
                return .success(plan)
            } catch {
                return .failure(ReadError(.storage, "\(error)"))
            }
        }
        return try opened.get()
    }

    /// Puts a compacted file in its segments' place.
    private func put(_ group: Compaction.Group) throws(ReadError) {
        let range = group.segment.baseOffset..<group.segment.nextOffset
        do throws(FileError) {
            let cleaned = path(CompactedFiles.cleanedName(range.lowerBound))
            guard group.isChanged else { return Folder.remove(cleaned) }
            try Folder.rename(cleaned, to: path(CompactedFiles.swapName(range)))
            try Folder.sync(folder)
            // With the lock held, so that no reader opens a file by a name that has changed its meaning.
            let result = state.withLock { state -> Result<Void, FileError> in
                do throws(FileError) {
                    guard !state.isClosed else { return .success(()) }
                    for segment in state.segments where range.contains(segment.baseOffset) {
                        shared.files.forget(ObjectIdentifier(self), segment: segment.baseOffset)
                    }
                    try CompactedFiles.finish(range, in: folder)
                    var segment = group.segment
                    let index = try file(segment.baseOffset, .index, create: true)
                    try index.write(IndexEntry.bytes(segment.indexTail), at: 0)
                    segment.indexCount = segment.indexTail.count
                    segment.indexTail = []
                    let count = state.segments.count
                    state.segments.removeAll { range.contains($0.baseOffset) }
                    let place = state.segmentIndex(of: segment.baseOffset).map { $0 + 1 } ?? 0
                    state.segments.insert(segment, at: place)
                    state.hints = []
                    shared.logger.debug(
                        "segments were compacted",
                        metadata: [
                            "partition": "\(name)", "segments": "\(count - state.segments.count + 1)",
                            "bytes": "\(segment.size)",
                        ])
                    return .success(())
                } catch {
                    return .failure(error)
                }
            }
            try result.get()
        } catch {
            throw ReadError(.storage, "\(error)")
        }
    }
}

extension [PartitionState.CleanPass] {
    /// Keeps what tells how long tombstones have been compacted: the passes since `time`, and the last one before. Of
    /// many, two become one with the later time: tombstones then stay a little longer.
    mutating func prune(before time: Int64) {
        let old = filter { $0.time <= time }
        if let latest = old.max(by: { $0.offset < $1.offset }) {
            removeAll { $0.time <= time }
            insert(latest, at: 0)
        }
        while count > 100 {
            self = enumerated().filter { $0.offset % 2 == 1 || $0.offset == count - 1 }.map(\.element)
        }
    }
}
