// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Logging

/// Opens a partition's folder: takes what the last checkpoint vouches for as it is, reads the rest, and cuts the log
/// off before the first batch of the rest that is not whole and sound.
struct PartitionRecovery {
    let name: PartitionName
    let folder: String
    let logger: Logger
    let now: Int64
    /// The last checkpoint's row of this partition.
    let row: CheckpointRow?

    private var segments: [Segment] = []
    private var producers = ProducerTable()
    /// Batches before it are in `producers` already.
    private var producersKnown: Int64 = 0
    /// Bytes that were read and checked.
    private(set) var scannedBytes: Int64 = 0

    init(name: PartitionName, folder: String, logger: Logger, now: Int64, row: CheckpointRow?) {
        self.name = name
        self.folder = folder
        self.logger = logger
        self.now = now
        self.row = row
    }

    /// The partition's state as it is on the disk.
    mutating func state(_ configuration: PartitionConfiguration) throws(EventLogError) -> PartitionState {
        do throws(FileError) {
            let bases = try segmentOffsets()
            var point = row?.point
            if let known = point, !bases.contains(known.segment) || !loadProducers(known) { point = nil }
            try open(bases, point, indexInterval: configuration.indexIntervalBytes)
            if let known = point, (segments.last?.nextOffset ?? 0) < known.offset {
                // The log is shorter than it was: what is known of the producers is of records that are gone.
                log("the log ends before its last checkpoint: all of it is read again", at: known.offset)
                producers = ProducerTable()
                try open(segmentOffsets(), nil, indexInterval: configuration.indexIntervalBytes)
                point = nil
            }
            return try assemble(configuration, point)
        } catch {
            throw EventLogError(error, "the partition \(name)")
        }
    }

    private func assemble(
        _ configuration: PartitionConfiguration, _ point: RecoveryPoint?
    ) throws(FileError) -> PartitionState {
        var segments = segments
        if segments.isEmpty {
            let segment = Segment(baseOffset: max(row?.startOffset ?? 0, row?.point.offset ?? 0), now: now)
            _ = try LogFile(path: path(segment.baseOffset, "log"), create: true)
            try Folder.sync(folder)
            segments = [segment]
        }
        let end = segments.last?.nextOffset ?? 0
        let start = min(max(row?.startOffset ?? 0, segments.first?.baseOffset ?? 0), end)
        var state = PartitionState(
            configuration: configuration, segments: segments, startOffset: start, endOffset: end,
            lastStableOffset: producers.firstOpenOffset ?? end)
        state.producers = producers
        state.recoveryPoint = point ?? RecoveryPoint(offset: start, segment: segments.first?.baseOffset ?? 0)
        state.cleanPasses = row?.cleanPasses ?? []
        state.isDirty = scannedBytes > 0 || point == nil
        return state
    }

    // MARK: files

    private func path(_ base: Int64, _ suffix: String) -> String {
        folder + "/" + Segment.fileName(base, suffix)
    }

    private func log(_ message: Logger.Message, at offset: Int64, _ more: Logger.Metadata = [:]) {
        let metadata: Logger.Metadata = ["partition": "\(name)", "offset": "\(offset)"]
        logger.warning(message, metadata: metadata.merging(more) { $1 })
    }

    /// The segments' first offsets, after what a crash left half done was finished or removed.
    private func segmentOffsets() throws(FileError) -> [Int64] {
        try CompactedFiles.recover(folder)
        return try Folder.names(in: folder).compactMap { Segment.offset(ofFile: $0, suffix: "log") }.sorted()
    }

    private mutating func loadProducers(_ point: RecoveryPoint) -> Bool {
        producersKnown = point.offset
        guard point.hasSnapshot else { return true }
        do throws(EventLogError) {
            producers = try ProducerSnapshot.read(path(point.offset, "snapshot"))
            return true
        } catch {
            log(
                "the snapshot of the producers cannot be used: all of the log is read", at: point.offset,
                [
                    "error": "\(error)"
                ])
            return false
        }
    }

    // MARK: segments

    private mutating func open(
        _ bases: [Int64], _ point: RecoveryPoint?, indexInterval: Int64
    ) throws(FileError) {
        segments = []
        if point == nil { producersKnown = bases.first ?? 0 }
        for (number, base) in bases.enumerated() {
            let next = number + 1 < bases.count ? bases[number + 1] : nil
            let isVouched = point.map { base < $0.segment } ?? false
            if isVouched, let next, let segment = try sealed(base, before: next) {
                segments.append(segment)
                continue
            }
            var start = Segment(baseOffset: base, now: now)
            if let point, base == point.segment { start = try resumed(start, point) }
            if isVouched { start.abortedCount = try abortedEntries(base) }
            let damage = try scan(&start, point, isVouched: isVouched, indexInterval: indexInterval)
            segments.append(start)
            if damage, !isVouched {
                for later in bases[(number + 1)...] { remove(later) }
                return
            }
            if isVouched, let next { segments[segments.count - 1].nextOffset = max(start.nextOffset, next) }
            if next != nil { try writeEnd(segments.count - 1) }
        }
    }

    private func remove(_ base: Int64) {
        log("a segment after a damaged one is removed", at: base)
        for kind in SegmentFile.allCases { Folder.remove(path(base, kind.rawValue)) }
    }

    /// A sealed segment as its index says; nil where the index does not fit.
    private func sealed(_ base: Int64, before next: Int64) throws(FileError) -> Segment? {
        let file = try LogFile(path: path(base, "log"))
        guard Folder.exists(path(base, "index")) else { return nil }
        let index = try LogFile(path: path(base, "index"))
        let (size, indexSize) = (try file.size(), try index.size())
        let count = Int(indexSize) / IndexEntry.byteCount
        guard count > 0, Int(indexSize) % IndexEntry.byteCount == 0, let end = Self.entry(count - 1, of: index),
            Int64(end.position) == size, base + Int64(end.relativeOffset) <= next
        else { return nil }
        var segment = Segment(baseOffset: base, now: try file.modificationTime())
        segment.size = size
        segment.nextOffset = base + Int64(end.relativeOffset)
        segment.maxTimestamp = end.maxTimestampBefore
        segment.indexCount = count
        segment.lastIndexed = size
        segment.abortedCount = try abortedEntries(base)
        return segment
    }

    private func abortedEntries(_ base: Int64) throws(FileError) -> Int {
        guard Folder.exists(path(base, "txnindex")) else { return 0 }
        return Int(try LogFile(path: path(base, "txnindex")).size()) / AbortedEntry.byteCount
    }

    private static func entry(_ number: Int, of index: LogFile) -> IndexEntry? {
        guard let bytes = try? index.read(at: Int64(number * IndexEntry.byteCount), count: IndexEntry.byteCount) else {
            return nil
        }
        return bytes.withUnsafeBytes { IndexEntry($0) }
    }

    /// The segment of the checkpoint, up to the last entry of its index that is surely on the disk.
    private func resumed(_ segment: Segment, _ point: RecoveryPoint) throws(FileError) -> Segment {
        var segment = segment
        segment.abortedCount = min(point.abortedCount, try abortedEntries(segment.baseOffset))
        guard point.indexCount > 0, Folder.exists(path(segment.baseOffset, "index")) else { return segment }
        let index = try LogFile(path: path(segment.baseOffset, "index"))
        let file = try LogFile(path: path(segment.baseOffset, "log"))
        guard let entry = Self.entry(point.indexCount - 1, of: index), Int64(entry.position) <= (try file.size()),
            let created = Self.created(file)
        else { return segment }
        segment.size = Int64(entry.position)
        segment.nextOffset = segment.baseOffset + Int64(entry.relativeOffset)
        segment.maxTimestamp = entry.maxTimestampBefore
        // The entry is made again by the scan.
        segment.indexCount = point.indexCount - 1
        segment.lastIndexed = .min / 2
        segment.modified = try file.modificationTime()
        segment.created = min(now, created >= 0 ? created : segment.modified)
        return segment
    }

    private static func created(_ file: LogFile) -> Int64? {
        guard let bytes = try? file.read(at: 0, count: RecordBatchHeader.byteCount) else { return nil }
        return bytes.withUnsafeBytes { RecordBatchHeader($0)?.baseTimestamp }
    }

    /// Reads a segment from its `size` on to the end of the file or the first damage, where it cuts the file off unless
    /// a checkpoint vouches for what follows. Returns whether there was damage.
    private mutating func scan(
        _ segment: inout Segment, _ point: RecoveryPoint?, isVouched: Bool, indexInterval: Int64
    ) throws(FileError) -> Bool {
        let file = try LogFile(path: path(segment.baseOffset, "log"))
        let fileSize = try file.size()
        if segment.size == 0, let created = Self.created(file), created >= 0 { segment.created = min(now, created) }
        let start = segment.size
        var whole = segment
        whole.size = fileSize
        var reader = SegmentReader(segment: whole, file: file, index: nil)
        // Compaction keeps away from what no checkpoint vouches for.
        reader.isContiguous =
            row?.cleanPasses.isEmpty ?? false || point.map { segment.baseOffset >= $0.segment } ?? false
        var aborted: [AbortedEntry] = []
        var (scanned, table) = (segment, producers)
        producers = ProducerTable()
        let (known, time, created) = (producersKnown, now, segment.created)
        let modified = try file.modificationTime()
        let damage: SegmentReader.Damage?
        do throws(ReadError) {
            damage = try reader.scan(start..<fileSize, from: segment.nextOffset) { header, _, bytes in
                scanned.note(header, indexInterval: indexInterval, now: modified)
                scanned.created = created
                guard header.baseOffset >= known else { return }
                if let completed = table.replay(header, bytes, now: time) { aborted.append(completed) }
            }
        } catch {
            throw FileError("read", file.path, code: 5)
        }
        producers = table
        scannedBytes += scanned.size - start
        scanned.addVerified(start..<scanned.size)
        segment = scanned
        try writeIndexes(&segment, aborted)
        guard let damage else { return false }
        log(
            "a record batch is damaged", at: damage.offset,
            [
                "file": "\(file.path)", "position": "\(damage.position)", "reason": "\(damage.reason)",
                "bytes": "\(fileSize - damage.position)",
            ])
        if isVouched {
            // Batches after it were acknowledged: they stay, what is damaged is refused when it is read.
            segment.size = fileSize
        } else {
            try file.truncate(to: damage.position)
            try file.sync()
        }
        return true
    }

    private func writeIndexes(_ segment: inout Segment, _ aborted: [AbortedEntry]) throws(FileError) {
        let index = try LogFile(path: path(segment.baseOffset, "index"), create: true)
        try index.write(IndexEntry.bytes(segment.indexTail), at: Int64(segment.indexCount * IndexEntry.byteCount))
        segment.indexCount += segment.indexTail.count
        segment.indexTail = []
        try index.truncate(to: Int64(segment.indexCount * IndexEntry.byteCount))
        guard !aborted.isEmpty || Folder.exists(path(segment.baseOffset, "txnindex")) else { return }
        let transactions = try LogFile(path: path(segment.baseOffset, "txnindex"), create: true)
        try transactions.write(
            AbortedEntry.bytes(aborted), at: Int64(segment.abortedCount * AbortedEntry.byteCount))
        segment.abortedCount += aborted.count
        try transactions.truncate(to: Int64(segment.abortedCount * AbortedEntry.byteCount))
    }

    /// Ends the index of a segment that is not the last.
    private mutating func writeEnd(_ number: Int) throws(FileError) {
        segments[number].indexTail = [segments[number].endEntry]
        var segment = segments[number]
        try writeIndexes(&segment, [])
        segments[number] = segment
    }
}

extension ProducerTable {
    /// Takes note of a batch that is found in the log; returns a transaction that it aborts.
    mutating func replay(_ header: RecordBatchHeader, _ bytes: UnsafeRawBufferPointer, now: Int64) -> AbortedEntry? {
        guard header.isControl else {
            append(header, now: now)
            return nil
        }
        guard let batch = try? RecordBatch(in: bytes), let marker = (try? ControlMarker(batch, in: bytes)) ?? nil,
            let completed = append(marker, in: header, now: now), !marker.isCommit
        else { return nil }
        return AbortedEntry(
            producerId: completed.producerId, firstOffset: completed.firstOffset, lastOffset: completed.lastOffset,
            lastStableOffset: completed.lastStableOffset)
    }
}

extension LogFile {
    func write(_ bytes: [UInt8], at position: Int64) throws(FileError) {
        try bytes[...].withRawBytes { (bytes) throws(FileError) in try write(bytes, at: position) }
    }
}

extension EventLogError {
    init(_ error: FileError, _ what: String) {
        self.init(error.isFull ? .storageFull : .inputOutput, "\(what): \(error)")
    }

    init(_ failure: FolderLock.Failure) {
        switch failure {
        case .held(let message): self.init(.locked, message)
        case .file(let error): self.init(.unwritable, "\(error)")
        }
    }
}
