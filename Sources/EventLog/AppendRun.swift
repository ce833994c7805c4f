// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Logging
import Synchronization

/// What one round of the writer does for one partition, all or nothing: check, write, sync, publish, answer. Only used
/// on the writer's thread.
struct AppendRun {
    private let partition: PartitionLog
    private let now: Int64
    private var configuration = PartitionConfiguration()
    /// As it will be; its index tail has only what is new.
    private var segment: Segment
    private let sizeBefore: Int64
    private var isClosed = false
    private var nextOffset: Int64
    private var startOffset: Int64
    private var file: LogFile?
    private var pending: [LogWriter.Pending] = []
    private var answers: [LogWriter.Answer] = []
    private var failure: FileError?
    /// Bytes in the staging buffer; they follow what is written.
    private var staged = 0
    /// Where the next write goes.
    private var writtenTo: Int64

    /// Whether somebody waits for a sync.
    private(set) var needsSync = false

    init(_ partition: PartitionLog) {
        self.partition = partition
        now = partition.shared.clock()
        let hasTornTail: Bool
        (segment, configuration, nextOffset, startOffset, isClosed, hasTornTail) = partition.state.withLock { state in
            state.producers.begin()
            return (
                state.segments[state.activeIndex], state.configuration, state.endOffset, state.startOffset,
                state.isClosed, state.hasTornTail
            )
        }
        segment.indexTail = []
        sizeBefore = segment.size
        writtenTo = segment.size
        guard !isClosed else { return }
        do throws(FileError) {
            let file = try partition.file(segment.baseOffset, .log, create: true)
            if hasTornTail {
                try file.truncate(to: sizeBefore)
                partition.state.withLock { $0.hasTornTail = false }
            }
            self.file = file
        } catch {
            failure = error
        }
    }

    /// Bytes written.
    var byteCount: Int64 { segment.size - sizeBefore }

    // MARK: writing

    /// Takes from `rest` what fits the active segment, and writes it; returns whether the segment has to be rolled
    /// before the others.
    mutating func take(_ rest: inout ArraySlice<LogWriter.Pending>, staging: StagingBuffer) -> Bool {
        while let item = rest.first {
            if failure == nil, !isClosed, isFull(for: item.request) {
                flush(staging)
                return true
            }
            rest.removeFirst()
            pending.append(item)
            answers.append(isClosed ? .failure(LogWriter.closed(partition)) : append(item.request, staging))
        }
        flush(staging)
        return false
    }

    private func isFull(for request: LogWriter.Request) -> Bool {
        guard segment.size > 0 else { return false }
        if segment.size + Int64(request.byteCount) > min(configuration.segmentBytes, Int64(Int32.max)) { return true }
        // Offsets in the index have 32 bits; a request has fewer records than bytes.
        if nextOffset - segment.baseOffset + Int64(request.byteCount) > Int64(Int32.max) { return true }
        return now - segment.created >= configuration.segmentAge
    }

    private mutating func append(_ request: LogWriter.Request, _ staging: StagingBuffer) -> LogWriter.Answer {
        if let failure { return .failure(storageError(failure)) }
        do throws(AppendError) {
            let appended: Appended
            switch request.content {
            case .records(let bytes, let batches, let origin):
                if let duplicate = try duplicate(batches, origin) { return .success(duplicate) }
                appended = bytes.withRawBytes { blob in
                    write(batches.map { ($0, blob) }, staging)
                }
            case .marker(let marker, let producerId, let epoch):
                appended = try write(marker, producerId, epoch, staging)
            }
            if request.durability == .durable { needsSync = true }
            if let failure { return .failure(storageError(failure)) }
            return .success(appended)
        } catch {
            return .failure(error)
        }
    }

    private func duplicate(
        _ batches: [ValidatedBatch], _ origin: RecordValidation.Origin
    ) throws(AppendError) -> Appended? {
        for batch in batches {
            let header = batch.batch.header
            let verdict = partition.state.withLock { state in
                Result { () throws(AppendError) in
                    try state.producers.check(header, origin: origin, in: partition.name)
                }
            }
            if case .duplicate(let first) = try verdict.get() {
                return Appended(
                    baseOffset: first.baseOffset, lastOffset: first.lastOffset, logAppendTime: first.logAppendTime,
                    startOffset: startOffset, isDuplicate: true)
            }
        }
        return nil
    }

    private mutating func write(
        _ batches: [(ValidatedBatch, UnsafeRawBufferPointer)], _ staging: StagingBuffer
    ) -> Appended {
        let first = nextOffset
        let time = configuration.isLogAppendTime ? now : nil
        for (batch, blob) in batches {
            let header = batch.header(
                baseOffset: nextOffset, leaderEpoch: partition.leaderEpoch, logAppendTime: time, in: blob)
            put(header, batch.batch.payload(in: blob), staging)
            partition.state.withLock { $0.producers.append(header, now: now) }
        }
        return Appended(
            baseOffset: first, lastOffset: nextOffset - 1, logAppendTime: time ?? -1, startOffset: startOffset,
            isDuplicate: false)
    }

    private mutating func write(
        _ marker: ControlMarker, _ producerId: Int64, _ epoch: Int16, _ staging: StagingBuffer
    ) throws(AppendError) -> Appended {
        let allowed = partition.state.withLock { state in
            Result { () throws(AppendError) in
                try state.producers.checkMarker(
                    producerId: producerId, epoch: epoch, coordinatorEpoch: marker.coordinatorEpoch,
                    in: partition.name)
            }
        }
        try allowed.get()
        let bytes: [UInt8]
        do throws(RecordError) {
            bytes = try marker.batch(producerId: producerId, producerEpoch: epoch, timestamp: now)
        } catch {
            throw AppendError(error, in: partition.name)
        }
        let first = nextOffset
        bytes[...].withRawBytes { blob in
            guard var header = RecordBatchHeader(blob) else { return }
            header.baseOffset = nextOffset
            header.partitionLeaderEpoch = partition.leaderEpoch
            put(header, UnsafeRawBufferPointer(rebasing: blob[RecordBatchHeader.byteCount...]), staging)
            let completed = partition.state.withLock { $0.producers.append(marker, in: header, now: now) }
            if let completed, !marker.isCommit { put(completed) }
        }
        return Appended(
            baseOffset: first, lastOffset: first, logAppendTime: -1, startOffset: startOffset, isDuplicate: false)
    }

    /// Puts an aborted transaction into the segment's transaction index.
    private mutating func put(_ completed: ProducerTable.Completed) {
        guard failure == nil else { return }
        let entry = AbortedEntry(
            producerId: completed.producerId, firstOffset: completed.firstOffset, lastOffset: completed.lastOffset,
            lastStableOffset: completed.lastStableOffset)
        do throws(FileError) {
            let index = try partition.file(segment.baseOffset, .txnindex, create: true)
            try AbortedEntry.bytes([entry])[...].withRawBytes { (bytes) throws(FileError) in
                try index.write(bytes, at: Int64(segment.abortedCount * AbortedEntry.byteCount))
            }
            segment.abortedCount += 1
        } catch {
            failure = error
        }
    }

    /// Writes a batch, or puts it where it will be written with others.
    private mutating func put(_ header: RecordBatchHeader, _ payload: UnsafeRawBufferPointer, _ staging: StagingBuffer)
    {
        guard failure == nil, let file else { return }
        segment.note(header, indexInterval: configuration.indexIntervalBytes, now: now)
        nextOffset = header.nextOffset
        let bytes = staging.bytes
        if header.totalBytes > bytes.count - staged { flush(staging) }
        if header.totalBytes <= bytes.count / 4 {
            header.write(to: UnsafeMutableRawBufferPointer(rebasing: bytes[staged...]))
            staged += RecordBatchHeader.byteCount
            UnsafeMutableRawBufferPointer(rebasing: bytes[staged...]).copyMemory(from: payload)
            staged += payload.count
            return
        }
        flush(staging)
        guard failure == nil else { return }
        withUnsafeTemporaryAllocation(byteCount: RecordBatchHeader.byteCount, alignment: 8) { head in
            header.write(to: head)
            do throws(FileError) {
                try file.write(UnsafeRawBufferPointer(head), payload, at: writtenTo)
                writtenTo += Int64(header.totalBytes)
            } catch {
                failure = error
            }
        }
    }

    private mutating func flush(_ staging: StagingBuffer) {
        defer { staged = 0 }
        guard staged > 0, failure == nil, let file else { return }
        do throws(FileError) {
            try file.write(UnsafeRawBufferPointer(rebasing: staging.bytes[..<staged]), at: writtenTo)
            writtenTo += Int64(staged)
        } catch {
            failure = error
        }
    }

    // MARK: ending

    /// Waits for the disk.
    mutating func sync() {
        guard failure == nil, byteCount > 0, let file else { return }
        do throws(FileError) { try file.sync() } catch { failure = error }
    }

    /// Publishes what was written, or takes it back, and answers.
    mutating func finish() {
        if let failure { takeBack(failure) } else { publish() }
        for (item, answer) in zip(pending, answers) { item.answer.resume(answer) }
    }

    private func publish() {
        guard byteCount > 0 else { return partition.state.withLock { $0.producers.commit() } }
        let wakes = partition.state.withLock { state in
            state.producers.commit()
            state.segments[state.activeIndex].extend(segment, from: sizeBefore)
            state.endOffset = nextOffset
            state.lastStableOffset = state.producers.firstOpenOffset ?? nextOffset
            state.isDirty = true
            return state.wakeable()
        }
        for wake in wakes { wake() }
        partition.flushIndex(atLeast: Segment.tailEntries)
    }

    private mutating func takeBack(_ failure: FileError) {
        var isCut = true
        if let file {
            do throws(FileError) { try file.truncate(to: sizeBefore) } catch { isCut = false }
        }
        partition.state.withLock { state in
            state.producers.rollBack()
            state.hasTornTail = !isCut
        }
        partition.shared.logger.error(
            "records were not written",
            metadata: ["partition": "\(partition.name)", "error": "\(failure)", "appends": "\(pending.count)"])
        // Also the refused ones: they may have been refused because of records that are not there now.
        answers = answers.map { _ in .failure(storageError(failure)) }
    }

    private func storageError(_ failure: FileError) -> AppendError {
        AppendError(.storage, "\(partition.name): \(failure)")
    }
}
