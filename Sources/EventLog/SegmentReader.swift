// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import DataFolders
import KafkaRecords

/// Finds batches in a segment's file. A view as of one moment: what is appended later is not seen.
struct SegmentReader: Sendable {
    /// A batch that cannot be given out.
    struct Damage: Sendable, Hashable {
        var position: Int64
        /// The batch's first offset, as far as can be said.
        var offset: Int64
        var reason: String
    }

    let segment: Segment
    let file: LogFile
    let index: LogFile?
    /// Nothing from this offset on is given out.
    var endOffset = Int64.max
    var hints: [PartitionState.Hint] = []
    /// Whether no offset may be missing: compaction was not here.
    var isContiguous = false

    init(segment: Segment, file: LogFile, index: LogFile?) {
        self.segment = segment
        self.file = file
        self.index = index
    }

    // MARK: places

    /// Where the first batch begins that has offsets from `offset` on; nil when the segment has none.
    func place(of offset: Int64) throws(ReadError) -> Int64? {
        if let hint = hints.first(where: { $0.offset == offset }), hint.position < segment.size {
            return hint.position
        }
        let relative = offset - segment.baseOffset
        let start = try lastEntry { Int64($0.relativeOffset) <= relative }
        for walk in walks(from: start) {
            var walk = walk
            while let (header, position) = try walk.next() {
                if header.lastOffset >= offset { return position }
            }
        }
        return nil
    }

    /// The end of the whole batches from `start` on that are within `maxBytes`, and the offset there.
    func end(
        from start: Int64, maxBytes: Int, atLeastOne: Bool
    ) throws(ReadError) -> (position: Int64, nextOffset: Int64) {
        let isWhole = endOffset >= segment.nextOffset
        if isWhole, segment.size - start <= Int64(maxBytes) { return (segment.size, segment.nextOffset) }
        let limit = start + Int64(max(0, maxBytes))
        var end = (position: start, nextOffset: segment.baseOffset)
        // A jump over what is surely within both limits.
        var from = start
        let stable = endOffset == Int64.max ? Int64.max : endOffset - segment.baseOffset
        if let entry = try lastEntry(where: { Int64($0.position) <= limit && Int64($0.relativeOffset) < stable }),
            Int64(entry.position) > start, try isBatch(entry)
        {
            from = Int64(entry.position)
            end = (from, segment.baseOffset + Int64(entry.relativeOffset))
        }
        var walk = HeaderWalk(self, from: from)
        while let (header, position) = try walk.next() {
            guard header.baseOffset < endOffset else { break }
            let next = position + Int64(header.totalBytes)
            guard next <= limit || (atLeastOne && position == start) else { break }
            end = (next, header.nextOffset)
        }
        return end
    }

    // MARK: index

    private var entryCount: Int { segment.indexCount + segment.indexTail.count }

    private func entry(_ number: Int) throws(ReadError) -> IndexEntry {
        if number >= segment.indexCount { return segment.indexTail[number - segment.indexCount] }
        guard let index else { throw ReadError(.storage, "\(file.path) has no index") }
        let bytes = try index.read(at: Int64(number * IndexEntry.byteCount), count: IndexEntry.byteCount)
        return bytes.withUnsafeBytes { IndexEntry($0) }
    }

    /// The last entry that fulfils what all before it fulfil, too.
    func lastEntry(where fulfils: (IndexEntry) -> Bool) throws(ReadError) -> IndexEntry? {
        var low = 0
        var high = entryCount
        var found: IndexEntry?
        while low < high {
            let middle = (low + high) / 2
            let entry = try entry(middle)
            if fulfils(entry) {
                found = entry
                low = middle + 1
            } else {
                high = middle
            }
        }
        return found
    }

    /// Whether there is a batch where an entry says.
    private func isBatch(_ entry: IndexEntry) throws(ReadError) -> Bool {
        // The entry for the segment's end.
        if Int64(entry.position) == segment.size { return true }
        guard let header = try? HeaderWalk(self, from: Int64(entry.position)).header(at: Int64(entry.position)) else {
            return false
        }
        return header.baseOffset == segment.baseOffset + Int64(entry.relativeOffset)
    }

    /// A walk from an index entry on, and, should the index be wrong, one from the beginning.
    func walks(from entry: IndexEntry?) -> [HeaderWalk] {
        guard let entry, (try? isBatch(entry)) == true else { return [HeaderWalk(self, from: 0)] }
        return [HeaderWalk(self, from: Int64(entry.position))]
    }

    // MARK: checking

    /// The first batch whose checksum or place is wrong, in a range that begins with a batch.
    func firstDamage(in range: Range<Int64>) throws(ReadError) -> Damage? {
        try scan(range, from: range.lowerBound == 0 ? segment.baseOffset : nil) { _, _, _ in }
    }

    /// Hands all batches of a range that begins with a batch to `visit`, as header, place and bytes, after checking
    /// them; ends before the first one that is damaged and returns it. `offset` is the first one expected, if known.
    func scan(
        _ range: Range<Int64>, from offset: Int64?,
        _ visit: (RecordBatchHeader, Int64, UnsafeRawBufferPointer) -> Void
    ) throws(ReadError) -> Damage? {
        var position = range.lowerBound
        var expected = offset
        var wanted = 1 << 20
        while position < range.upperBound {
            let buffer = try file.read(at: position, count: Int(min(range.upperBound - position, Int64(wanted))))
            let result: Step = buffer.withUnsafeBytes { bytes in
                step(bytes, at: position, before: range.upperBound, expected: &expected, visit)
            }
            switch result {
            case .used(let bytes, let needed):
                position += Int64(bytes)
                wanted = max(1 << 20, needed)
            case .damaged(let damage): return damage
            }
        }
        return nil
    }

    private enum Step {
        /// So many bytes were whole batches, and so many are needed for the next one.
        case used(Int, needed: Int)
        case damaged(Damage)
    }

    private func step(
        _ bytes: UnsafeRawBufferPointer, at position: Int64, before end: Int64, expected: inout Int64?,
        _ visit: (RecordBatchHeader, Int64, UnsafeRawBufferPointer) -> Void
    ) -> Step {
        var used = 0
        while used < bytes.count {
            // Where the first offset is not known, only that later ones follow it can be checked.
            let least = expected ?? segment.baseOffset
            let isExact = isContiguous && expected != nil
            let place = position + Int64(used)
            let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
            guard let header = RecordBatchHeader(rest) else {
                if end - place >= Int64(RecordBatchHeader.byteCount) { break }
                return .damaged(Damage(position: place, offset: least, reason: "only \(end - place) bytes are left"))
            }
            if let reason = HeaderWalk.fault(header, at: place, segment, before: end) {
                return .damaged(Damage(position: place, offset: least, reason: reason))
            }
            guard header.totalBytes <= rest.count else { return .used(used, needed: header.totalBytes) }
            let batch = UnsafeRawBufferPointer(rebasing: rest[..<header.totalBytes])
            let covered = UnsafeRawBufferPointer(rebasing: batch[RecordBatchHeader.checksumStart...])
            guard CRC32C.checksum(covered) == header.checksum else {
                return .damaged(Damage(position: place, offset: least, reason: "its checksum is wrong"))
            }
            guard isExact ? header.baseOffset == least : header.baseOffset >= least else {
                return .damaged(
                    Damage(
                        position: place, offset: least,
                        reason: "its first offset is \(header.baseOffset), not \(least)"))
            }
            visit(header, place, batch)
            expected = header.nextOffset
            used += header.totalBytes
        }
        return .used(used, needed: 0)
    }
}

/// Goes from batch to batch and reads only their headers.
struct HeaderWalk {
    private let file: LogFile
    private let segment: Segment
    private var position: Int64
    private var expected: Int64?

    init(_ reader: SegmentReader, from position: Int64) {
        file = reader.file
        segment = reader.segment
        self.position = position
    }

    /// The next batch's header and place; nil at the segment's end.
    mutating func next() throws(ReadError) -> (header: RecordBatchHeader, position: Int64)? {
        guard position < segment.size else { return nil }
        let header = try header(at: position)
        guard header.baseOffset >= expected ?? segment.baseOffset else {
            throw ReadError(
                .corrupt, "\(file.path): the record batch at byte \(position) has offset \(header.baseOffset)")
        }
        expected = header.nextOffset
        defer { position += Int64(header.totalBytes) }
        return (header, position)
    }

    /// The header at a place, if it can be one.
    func header(at position: Int64) throws(ReadError) -> RecordBatchHeader {
        let result: Result<RecordBatchHeader?, ReadError> = withUnsafeTemporaryAllocation(
            byteCount: RecordBatchHeader.byteCount, alignment: 8
        ) { buffer in
            do throws(FileError) {
                let count = try file.read(into: buffer, at: position)
                return .success(RecordBatchHeader(UnsafeRawBufferPointer(rebasing: buffer[..<count])))
            } catch {
                return .failure(ReadError(.storage, error.description))
            }
        }
        guard let header = try result.get() else {
            throw ReadError(.corrupt, "\(file.path): nothing can be read at byte \(position)")
        }
        if let reason = Self.fault(header, at: position, segment, before: segment.size) {
            throw ReadError(.corrupt, "\(file.path): the record batch at byte \(position) is damaged: \(reason)")
        }
        return header
    }

    /// Why these bytes cannot be a header in this segment.
    static func fault(
        _ header: RecordBatchHeader, at position: Int64, _ segment: Segment, before end: Int64
    ) -> String? {
        if header.magic != 2 { return "its format is \(header.magic), not 2" }
        guard header.batchLength >= 49, position + Int64(header.totalBytes) <= end else {
            return "it says that \(header.batchLength) bytes follow"
        }
        // Neither the epoch nor the offset is under the checksum.
        if header.partitionLeaderEpoch != 0 { return "it says its leader epoch is \(header.partitionLeaderEpoch)" }
        guard header.lastOffsetDelta >= 0, header.baseOffset >= segment.baseOffset,
            header.baseOffset - segment.baseOffset <= Int64(UInt32.max)
        else { return "it says its first offset is \(header.baseOffset)" }
        return nil
    }
}
