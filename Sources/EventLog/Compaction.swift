// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords

/// Rewrites sealed segments so that of each key only the last record stays: of the part before `mappedEnd`, which is as
/// much as fits the memory for keys. Offsets stay; records of aborted transactions go; tombstones and markers go once
/// they were there for long enough, compacted.
struct Compaction {
    /// What to compact.
    struct Plan {
        /// All segments that may be changed, from the first on.
        var readers: [SegmentReader] = []
        var aborted: [(file: LogFile, count: Int)] = []
        /// All before it was compacted before.
        var firstDirty: Int64
        var startOffset: Int64
        /// Tombstones and markers before it go.
        var tombstoneHorizon: Int64 = 0
        var segmentBytes: Int64
        var indexInterval: Int64
    }

    /// A file that takes the place of one or more segments.
    struct Group {
        /// As it will be, its index whole in its tail.
        var segment: Segment
        /// Whether it differs from what is there.
        var isChanged: Bool
    }

    /// A key, as 128 bits of SipHash under the process's random seeds: nobody can choose keys that collide.
    private struct KeyHash: Hashable {
        var high: Int
        var low: Int

        init(_ key: UnsafeRawBufferPointer) {
            var (first, second) = (Hasher(), Hasher())
            first.combine(bytes: key)
            second.combine(UInt8(0x5A))
            second.combine(bytes: key)
            high = first.finalize()
            low = second.finalize()
        }
    }

    private let plan: Plan
    private let maximumKeys: Int
    private var latest: [KeyHash: Int64] = [:]
    private var abortedRanges: [Int64: [ClosedRange<Int64>]] = [:]
    /// All keys before it are known.
    private(set) var mappedEnd: Int64

    init(_ plan: Plan, keys: Int) {
        self.plan = plan
        maximumKeys = keys
        mappedEnd = plan.firstDirty
    }

    private func isAborted(_ header: RecordBatchHeader) -> Bool {
        guard header.isTransactional, let ranges = abortedRanges[header.producerId] else { return false }
        return ranges.contains { $0.contains(header.baseOffset) }
    }

    private static func damaged(_ damage: SegmentReader.Damage, _ reader: SegmentReader) -> ReadError {
        ReadError(
            .corrupt,
            "the record batch at offset \(damage.offset) is damaged (\(reader.file.path), byte \(damage.position)): "
                + damage.reason)
    }

    private static func unreadable(_ error: RecordError, _ header: RecordBatchHeader) -> ReadError {
        ReadError(.corrupt, "the record batch at offset \(header.baseOffset) cannot be read: \(error)")
    }

    // MARK: first pass

    /// Finds the last offset of each key in the dirty part. Returns whether there is something to do.
    mutating func collectKeys() throws(ReadError) -> Bool {
        for (file, count) in plan.aborted {
            for start in stride(from: 0, to: count, by: 1024) {
                for entry in try AbortedEntry.read(file, start..<min(count, start + 1024)) {
                    abortedRanges[entry.producerId, default: []].append(entry.firstOffset...entry.lastOffset)
                }
            }
        }
        for reader in plan.readers where reader.segment.nextOffset > plan.firstDirty {
            var failure: ReadError?
            let damage = try reader.scan(0..<reader.segment.size, from: reader.segment.baseOffset) { header, _, bytes in
                guard failure == nil, header.nextOffset > plan.firstDirty, latest.count < maximumKeys else { return }
                do throws(RecordError) {
                    try collectKeys(header, bytes)
                    mappedEnd = header.nextOffset
                } catch {
                    failure = Self.unreadable(error, header)
                }
            }
            if let damage { throw Self.damaged(damage, reader) }
            if let failure { throw failure }
            if latest.count >= maximumKeys { return true }
            mappedEnd = reader.segment.nextOffset
        }
        return mappedEnd > plan.firstDirty
    }

    private mutating func collectKeys(
        _ header: RecordBatchHeader, _ bytes: UnsafeRawBufferPointer
    ) throws(RecordError) {
        if header.isControl || isAborted(header) { return }
        var found: [(KeyHash, Int64)] = []
        try RecordBatch(in: bytes).forEachRecord(in: bytes) { (record) throws(RecordError) in
            if let key = record.key {
                found.append((KeyHash(key), header.baseOffset + Int64(record.offsetDelta)))
            }
            return true
        }
        for (key, offset) in found { latest[key] = offset }
    }

    // MARK: second pass

    /// Writes the segments anew, small ones put together.
    func rewrite(folder: String, name: PartitionName) throws(ReadError) -> [Group] {
        var groups: [Group] = []
        var output: CompactionOutput?
        do throws(FileError) {
            for reader in plan.readers {
                let next = reader.segment
                if let current = output, !current.hasRoom(for: next, segmentBytes: plan.segmentBytes) {
                    groups.append(try current.finish())
                    output = nil
                }
                var current: CompactionOutput
                if let output {
                    current = output
                } else {
                    current = try CompactionOutput(folder: folder, first: next, indexInterval: plan.indexInterval)
                }
                current.begin(next)
                try copy(reader, to: &current)
                output = current
            }
            if let output { groups.append(try output.finish()) }
        } catch {
            throw ReadError(.storage, "\(error)")
        }
        return groups
    }

    private func copy(_ reader: SegmentReader, to output: inout CompactionOutput) throws(FileError) {
        var failure: FileError?
        var unreadable: String?
        let damage: SegmentReader.Damage?
        do throws(ReadError) {
            damage = try reader.scan(0..<reader.segment.size, from: reader.segment.baseOffset) { header, _, bytes in
                guard failure == nil, unreadable == nil else { return }
                do throws(RecordError) {
                    guard let kept = try kept(header, bytes) else { return output.drop() }
                    do throws(FileError) { try output.write(kept, isWhole: kept.count == bytes.count) } catch {
                        failure = error
                    }
                } catch {
                    unreadable = error.description
                }
            }
        } catch {
            throw FileError("read", reader.file.path, code: 5)
        }
        if let failure { throw failure }
        if damage != nil || unreadable != nil { throw FileError("read", reader.file.path, code: 5) }
    }

    /// What stays of a batch; nil for nothing.
    private func kept(_ header: RecordBatchHeader, _ bytes: UnsafeRawBufferPointer) throws(RecordError) -> [UInt8]? {
        if header.lastOffset < plan.startOffset || isAborted(header), !header.isControl { return nil }
        if header.isControl { return header.lastOffset < plan.tombstoneHorizon ? nil : Array(bytes) }
        let batch = try RecordBatch(in: bytes)
        var builder = RecordBatchBuilder(keeping: header)
        var greatest: Int64 = -1
        try batch.forEachRecord(in: bytes) { (record) throws(RecordError) in
            if isKept(record, header) {
                builder.append(record)
                greatest = max(greatest, record.timestamp(in: header))
            }
            return true
        }
        if builder.count == Int(header.recordCount) { return Array(bytes) }
        if builder.count == 0 { return nil }
        builder.header.maxTimestamp = greatest
        return try builder.build()
    }

    private func isKept(_ record: RecordView, _ header: RecordBatchHeader) -> Bool {
        let offset = header.baseOffset + Int64(record.offsetDelta)
        if offset >= mappedEnd { return true }
        guard let key = record.key else { return false }
        if let last = latest[KeyHash(key)], last > offset { return false }
        return record.value != nil || offset >= plan.tombstoneHorizon
    }
}

/// A file that compaction writes.
struct CompactionOutput {
    private let file: LogFile
    private let indexInterval: Int64
    private var segment: Segment
    private var inputs = 0
    private var isChanged = false

    init(folder: String, first: Segment, indexInterval: Int64) throws(FileError) {
        file = try LogFile(path: folder + "/" + CompactedFiles.cleanedName(first.baseOffset), create: true)
        try file.truncate(to: 0)
        self.indexInterval = indexInterval
        segment = Segment(baseOffset: first.baseOffset, now: first.created)
    }

    func hasRoom(for next: Segment, segmentBytes: Int64) -> Bool {
        segment.size + next.size <= min(segmentBytes, Int64(Int32.max))
            && next.nextOffset - segment.baseOffset <= Int64(Int32.max)
    }

    mutating func begin(_ input: Segment) {
        inputs += 1
        segment.nextOffset = input.nextOffset
        segment.modified = input.modified
    }

    mutating func drop() { isChanged = true }

    mutating func write(_ batch: [UInt8], isWhole: Bool) throws(FileError) {
        if !isWhole { isChanged = true }
        guard let header = batch.withUnsafeBytes({ RecordBatchHeader($0) }) else { return }
        let (position, end) = (segment.size, segment.nextOffset)
        segment.note(header, indexInterval: indexInterval, now: segment.modified)
        segment.nextOffset = end
        try file.write(batch, at: position)
    }

    func finish() throws(FileError) -> Compaction.Group {
        try file.sync()
        var segment = segment
        segment.indexTail.append(segment.endEntry)
        segment.addVerified(0..<segment.size)
        return Compaction.Group(segment: segment, isChanged: isChanged || inputs > 1)
    }
}
