// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Logging
import Synchronization

extension Segment {
    /// Entries of the index that are kept in memory before they are written.
    static let tailEntries = 128

    /// Takes note of a batch that is written at the segment's end.
    mutating func note(_ header: RecordBatchHeader, indexInterval: Int64, now: Int64) {
        if size == 0 { created = now }
        if size == 0 || size - lastIndexed >= indexInterval {
            indexTail.append(
                IndexEntry(
                    relativeOffset: UInt32(clamping: header.baseOffset - baseOffset), position: UInt32(clamping: size),
                    maxTimestampBefore: maxTimestamp))
            lastIndexed = size
        }
        size += Int64(header.totalBytes)
        nextOffset = header.nextOffset
        // Markers are not records that somebody looks for.
        if !header.isControl { maxTimestamp = max(maxTimestamp, header.maxTimestamp) }
        modified = now
    }

    /// Becomes what a run of the writer made of it; the run's index tail has only its own entries.
    mutating func extend(_ run: Segment, from sizeBefore: Int64) {
        let tail = indexTail + run.indexTail
        let known = verified
        let (count, aborted) = (indexCount, run.abortedCount)
        self = run
        indexCount = count
        indexTail = tail
        abortedCount = aborted
        verified = known
        addVerified(sizeBefore..<run.size)
    }

    /// The entry that ends a sealed segment's index.
    var endEntry: IndexEntry {
        IndexEntry(
            relativeOffset: UInt32(clamping: nextOffset - baseOffset), position: UInt32(clamping: size),
            maxTimestampBefore: maxTimestamp)
    }
}

extension PartitionLog {
    /// Writes what is only in memory of the active segment's index, where there are at least so many entries. Only on
    /// the writer's thread. A failure leaves the entries in memory: they are written another time.
    func flushIndex(atLeast minimum: Int = 1) {
        let (base, tail, count) = state.withLock { state in
            let active = state.segments[state.activeIndex]
            return (active.baseOffset, active.indexTail, active.indexCount)
        }
        guard tail.count >= max(1, minimum) else { return }
        do throws(FileError) {
            let index = try file(base, .index, create: true)
            try IndexEntry.bytes(tail)[...].withRawBytes { (bytes) throws(FileError) in
                try index.write(bytes, at: Int64(count * IndexEntry.byteCount))
            }
            state.withLock { state in
                state.segments[state.activeIndex].indexTail.removeFirst(tail.count)
                state.segments[state.activeIndex].indexCount += tail.count
            }
        } catch {
            shared.logger.warning(
                "an index is written later", metadata: ["partition": "\(name)", "error": "\(error)"])
        }
    }

    /// Seals the active segment and begins the next one. Only on the writer's thread.
    func roll() -> AppendError? {
        let (active, isClosed) = state.withLock { ($0.segments[$0.activeIndex], $0.isClosed) }
        guard !isClosed else { return LogWriter.closed(self) }
        guard active.size > 0 else { return nil }
        let now = shared.clock()
        state.withLock { $0.segments[$0.activeIndex].indexTail.append(active.endEntry) }
        flushIndex()
        let path = path(Segment.fileName(active.nextOffset, "log"))
        do throws(FileError) {
            let file = try file(active.nextOffset, .log, create: true)
            // What a crash may have left there.
            try file.truncate(to: 0)
            try Folder.sync(folder)
        } catch {
            // The end entry stays in the index: it is right, and the next attempt finds its place taken.
            shared.files.forget(ObjectIdentifier(self), segment: active.nextOffset)
            Folder.remove(path)
            shared.logger.error(
                "a segment could not be begun", metadata: ["partition": "\(name)", "error": "\(error)"])
            return AppendError(.storage, "\(name): \(error)")
        }
        state.withLock { state in
            state.segments.append(Segment(baseOffset: active.nextOffset, now: now))
            state.isDirty = true
        }
        return nil
    }
}
