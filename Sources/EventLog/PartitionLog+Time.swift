// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Synchronization

extension PartitionLog {
    /// An offset and the timestamp of its record.
    package struct TimestampedOffset: Sendable, Hashable {
        /// The offset.
        package var offset: Int64
        /// Milliseconds since 1970, or −1 where there is none to tell.
        package var timestamp: Int64
    }

    /// What ListOffsets asks for instead of a time.
    package enum SpecialTime {
        /// The end: the high watermark, or for `Isolation.committed` the last stable offset.
        package static let latest: Int64 = -1
        /// The start offset.
        package static let earliest: Int64 = -2
        /// The first record with the greatest timestamp.
        package static let maxTimestamp: Int64 = -3
    }

    /// The first record whose timestamp is at or after `time`, exactly; or what a `SpecialTime` asks for. Blocks on the
    /// disk.
    ///
    /// - Parameters:
    ///   - time: Milliseconds since 1970, or a `SpecialTime`.
    ///   - isolation: What the reader may see.
    /// - Returns: Nil when there is no such record.
    /// - Throws: Kafka's error.
    package func offset(
        forTime time: Int64, isolation: Isolation = .uncommitted
    ) throws(ReadError) -> TimestampedOffset? {
        switch time {
        case SpecialTime.latest:
            return TimestampedOffset(offset: state.withLock { $0.readableEnd(isolation) }, timestamp: -1)
        case SpecialTime.earliest:
            return TimestampedOffset(offset: startOffset, timestamp: -1)
        case SpecialTime.maxTimestamp:
            guard let greatest = state.withLock({ $0.segments.map(\.maxTimestamp).max() }), greatest >= 0 else {
                return nil
            }
            return try first(atOrAfter: greatest, isolation)
        default:
            return time < 0 ? nil : try first(atOrAfter: time, isolation)
        }
    }

    private func first(atOrAfter time: Int64, _ isolation: Isolation) throws(ReadError) -> TimestampedOffset? {
        var next = Int64.min
        while let (reader, start) = try candidate(from: next, time, isolation) {
            if let found = try reader.first(atOrAfter: time, from: start) { return found }
            next = reader.segment.baseOffset + 1
        }
        return nil
    }

    /// The first segment that begins at or after an offset and has a record so young.
    private func candidate(
        from offset: Int64, _ time: Int64, _ isolation: Isolation
    ) throws(ReadError) -> (reader: SegmentReader, start: Int64)? {
        let opened = state.withLock { state -> Result<(reader: SegmentReader, start: Int64)?, ReadError> in
            guard !state.isClosed else {
                return .failure(ReadError(.notLeader, "\(name): the partition is closed"))
            }
            let segment = state.segments.first {
                $0.baseOffset >= offset && $0.maxTimestamp >= time && $0.nextOffset > state.startOffset
            }
            guard let segment else { return .success(nil) }
            do throws(FileError) {
                var reader = try reader(of: segment)
                reader.endOffset = state.readableEnd(isolation)
                return .success((reader, state.startOffset))
            } catch {
                return .failure(ReadError(.storage, "\(name): \(error)"))
            }
        }
        return try opened.get()
    }
}

extension SegmentReader {
    /// The first record at or after a time, with an offset from `start` on.
    func first(atOrAfter time: Int64, from start: Int64) throws(ReadError) -> PartitionLog.TimestampedOffset? {
        let entry = try lastEntry { $0.maxTimestampBefore < time }
        for walk in walks(from: entry) {
            var walk = walk
            while let (header, position) = try walk.next() {
                guard header.baseOffset < endOffset else { return nil }
                guard header.maxTimestamp >= time, header.lastOffset >= start, !header.isControl else { continue }
                let found = try record(atOrAfter: time, from: start, header, at: position)
                if let found { return found }
            }
        }
        return nil
    }

    private func record(
        atOrAfter time: Int64, from start: Int64, _ header: RecordBatchHeader, at position: Int64
    ) throws(ReadError) -> PartitionLog.TimestampedOffset? {
        let bytes = try file.read(at: position, count: header.totalBytes)
        do throws(RecordError) {
            return try bytes[...].withRawBytes { (blob) throws(RecordError) in
                let batch = try RecordBatch(in: blob)
                guard batch.hasValidChecksum(in: blob) else { throw RecordError(.corrupt, "its checksum is wrong") }
                var found: PartitionLog.TimestampedOffset?
                try batch.forEachRecord(in: blob) { (record) throws(RecordError) in
                    let timestamp = record.timestamp(in: header)
                    let offset = header.baseOffset + Int64(record.offsetDelta)
                    guard timestamp >= time, offset >= start else { return true }
                    found = .init(offset: offset, timestamp: timestamp)
                    return false
                }
                return found
            }
        } catch {
            throw ReadError(
                .corrupt, "\(file.path): the record batch at offset \(header.baseOffset) is damaged: \(error)")
        }
    }
}
