// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Logging
import Synchronization

extension PartitionLog {
    /// Finds whole batches from the one that holds `offset` on, in one segment.
    ///
    /// The records of a batch before `offset` are the reader's to skip. Blocks on the disk.
    ///
    /// - Parameters:
    ///   - offset: Where the reader goes on.
    ///   - maxBytes: The most bytes to give out.
    ///   - atLeastOne: Whether to give the first batch even when it is larger than `maxBytes`.
    ///   - isolation: What the reader may see.
    /// - Returns: The slice; empty at the end of what may be seen.
    /// - Throws: Kafka's error.
    package func read(
        from offset: Int64, maxBytes: Int, atLeastOne: Bool = true, isolation: Isolation = .uncommitted
    ) throws(ReadError) -> LogSlice {
        var from = offset
        while true {
            let source = try source(at: from, isolation: isolation, isFirst: from == offset)
            var slice = source.slice
            guard let reader = source.reader else { return slice }
            do throws(ReadError) {
                guard let start = try reader.place(of: from) else {
                    // Compaction took what the segment had from there on.
                    guard reader.segment.nextOffset > from else { return slice }
                    from = reader.segment.nextOffset
                    continue
                }
                let end = try reader.end(from: start, maxBytes: maxBytes, atLeastOne: atLeastOne)
                guard end.position > start else { return slice }
                slice.file = reader.file
                slice.position = start
                slice.byteCount = Int(end.position - start)
                slice.nextOffset = end.nextOffset
                try checkUnverified(&slice, reader)
                if isolation == .committed {
                    slice.abortedTransactions = try aborted(source.aborted, from: offset, to: slice.nextOffset)
                }
                remember(slice, reader)
                return slice
            } catch {
                tell(error, at: from)
                throw error
            }
        }
    }

    /// Logs why records cannot be read: once, where readers try again and again.
    private func tell(_ error: ReadError, at offset: Int64) {
        let isNew = state.withLock { state in
            defer { state.toldOffset = offset }
            return state.toldOffset != offset
        }
        shared.logger.log(
            level: isNew ? .error : .debug, "records cannot be read",
            metadata: ["partition": "\(name)", "offset": "\(offset)", "error": "\(error)"])
    }

    /// What a read needs, taken under one lock so that it fits together even when segments are replaced.
    private struct Source {
        var slice: LogSlice
        var reader: SegmentReader?
        /// The transaction indexes of the segment and those after it.
        var aborted: [(file: LogFile, count: Int)] = []
    }

    private func source(at offset: Int64, isolation: Isolation, isFirst: Bool) throws(ReadError) -> Source {
        let result = state.withLock { state -> Result<Source, ReadError> in
            guard !state.isClosed else {
                return .failure(ReadError(.notLeader, "\(name): the partition is closed"))
            }
            if isFirst, offset < state.startOffset || offset > state.endOffset {
                return .failure(
                    ReadError(
                        .offsetOutOfRange,
                        "\(name): offset \(offset) is not within \(state.startOffset) and \(state.endOffset)"))
            }
            let end = state.readableEnd(isolation)
            var source = Source(
                slice: LogSlice(
                    file: nil, position: 0, byteCount: 0, nextOffset: offset, highWatermark: state.endOffset,
                    lastStableOffset: state.lastStableOffset, startOffset: state.startOffset, abortedTransactions: []))
            guard offset < end, var index = state.segmentIndex(of: offset) else { return .success(source) }
            while index < state.activeIndex, state.segments[index].nextOffset <= offset { index += 1 }
            do throws(FileError) {
                var reader = try reader(of: state.segments[index])
                if end < reader.segment.nextOffset { reader.endOffset = end }
                reader.isContiguous = state.cleanPasses.isEmpty
                reader.hints = state.hints.filter { $0.segment == reader.segment.baseOffset }
                source.reader = reader
                if isolation == .committed {
                    for segment in state.segments[index...] where segment.abortedCount > 0 {
                        source.aborted.append((try file(segment.baseOffset, .txnindex), segment.abortedCount))
                    }
                }
                return .success(source)
            } catch {
                return .failure(ReadError(.storage, "\(name): \(error)"))
            }
        }
        return try result.get()
    }

    /// Reads a segment as it is now. Called with the lock held.
    func reader(of segment: Segment) throws(FileError) -> SegmentReader {
        SegmentReader(
            segment: segment, file: try file(segment.baseOffset, .log),
            index: segment.indexCount > 0 ? try file(segment.baseOffset, .index) : nil)
    }

    private func remember(_ slice: LogSlice, _ reader: SegmentReader) {
        let hint = PartitionState.Hint(
            offset: slice.nextOffset, segment: reader.segment.baseOffset,
            position: slice.position + Int64(slice.byteCount))
        state.withLock { state in
            // A segment that was replaced meanwhile has its batches elsewhere.
            guard let index = state.segmentIndex(of: hint.segment), state.segments[index].id == reader.segment.id
            else { return }
            state.remember(hint)
        }
    }

    /// Checks the sums of what this process has neither written nor checked yet, and ends the slice before a batch that
    /// fails.
    private func checkUnverified(_ slice: inout LogSlice, _ reader: SegmentReader) throws(ReadError) {
        let end = slice.position + Int64(slice.byteCount)
        if reader.segment.isVerified(slice.position..<end) { return }
        if let damage = try reader.firstDamage(in: slice.position..<end) {
            guard damage.position > slice.position else {
                throw ReadError(
                    .corrupt,
                    """
                    \(name): the record batch at offset \(damage.offset) is damaged (\(reader.file.path), byte \
                    \(damage.position)): \(damage.reason)
                    """)
            }
            slice.byteCount = Int(damage.position - slice.position)
            slice.nextOffset = damage.offset
        }
        let checked = slice.position..<(slice.position + Int64(slice.byteCount))
        state.withLock { state in
            guard let index = state.segmentIndex(of: reader.segment.baseOffset),
                state.segments[index].id == reader.segment.id
            else { return }
            state.segments[index].addVerified(checked)
        }
    }

    /// The aborted transactions that touch the offsets from `from` to before `end`.
    private func aborted(
        _ indexes: [(file: LogFile, count: Int)], from: Int64, to end: Int64
    ) throws(ReadError) -> [LogSlice.AbortedTransaction] {
        var found: [LogSlice.AbortedTransaction] = []
        search: for (file, count) in indexes {
            // In order of the markers' offsets: those before `from` are over.
            var next = try AbortedEntry.firstIndex(in: file, count: count) { $0.lastOffset >= from }
            while next < count {
                let entries = try AbortedEntry.read(file, next..<min(count, next + 128))
                for entry in entries {
                    if entry.firstOffset < end {
                        found.append(.init(producerId: entry.producerId, firstOffset: entry.firstOffset))
                    }
                    if entry.lastStableOffset >= end { break search }
                }
                next += entries.count
            }
        }
        return found.sorted { $0.firstOffset < $1.firstOffset }
    }
}

extension AbortedEntry {
    static func read(_ file: LogFile, _ range: Range<Int>) throws(ReadError) -> [AbortedEntry] {
        let bytes = try file.read(at: Int64(range.lowerBound * byteCount), count: range.count * byteCount)
        return bytes.withUnsafeBytes { bytes in
            (0..<range.count).map { AbortedEntry(UnsafeRawBufferPointer(rebasing: bytes[($0 * byteCount)...])) }
        }
    }

    /// The first entry that fulfils what all after it fulfil, too.
    static func firstIndex(
        in file: LogFile, count: Int, where fulfils: (AbortedEntry) -> Bool
    ) throws(ReadError) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            guard let entry = try read(file, middle..<middle + 1).first else { break }
            if fulfils(entry) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
