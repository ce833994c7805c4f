// SPDX-License-Identifier: Apache-2.0
import ByteCodes

/// A record batch within a blob: its header, and where it lies.
package struct RecordBatch: Sendable, Hashable {
    /// The first 61 bytes.
    package var header: RecordBatchHeader
    /// The whole batch's place in the blob, counted from the blob's first byte.
    package var range: Range<Int>

    /// What `decompressed` and all that uses it allow by default: bytes of one batch's records.
    package static let maximumDecompressedBytes = 100 << 20

    /// The batch at `position`, with its length and magic checked, not its checksum.
    package init(in blob: UnsafeRawBufferPointer, at position: Int = 0) throws(RecordError) {
        let rest = UnsafeRawBufferPointer(rebasing: blob[position...])
        // Older formats (message sets) have the magic at the same place.
        guard rest.count >= 17 else {
            throw RecordError(.corrupt, "\(rest.count) bytes at \(position) are too few for a record batch")
        }
        let magic: Int8 = rest.bigEndian(at: 16)
        guard magic == 2 else {
            guard (0...1).contains(magic) else {
                throw RecordError(.corrupt, "the record batch at \(position) has magic \(magic), not 2")
            }
            throw RecordError(
                .unsupportedFormat,
                "the message set at \(position) has format \(magic): only format 2 is taken (Kafka 0.11 and later)")
        }
        guard let header = RecordBatchHeader(rest) else {
            throw RecordError(.corrupt, "\(rest.count) bytes at \(position) are too few for a record batch's header")
        }
        guard header.batchLength >= Int32(RecordBatchHeader.byteCount - RecordBatchHeader.lengthOverhead),
            header.totalBytes <= rest.count
        else {
            throw RecordError(
                .corrupt,
                "the record batch at \(position) says \(header.batchLength) bytes follow, but \(rest.count - 12) do")
        }
        self.header = header
        range = position..<position + header.totalBytes
    }

    /// The batches of a blob, which they must fill exactly. Checksums are not checked.
    package static func batches(in blob: UnsafeRawBufferPointer) throws(RecordError) -> [RecordBatch] {
        var batches: [RecordBatch] = []
        var position = 0
        while position < blob.count {
            let batch = try RecordBatch(in: blob, at: position)
            batches.append(batch)
            position = batch.range.upperBound
        }
        return batches
    }

    /// The batch's bytes after its header, in the blob that it came from.
    package func payload(in blob: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: blob[(range.lowerBound + RecordBatchHeader.byteCount)..<range.upperBound])
    }

    /// Whether the checksum fits the bytes.
    package func hasValidChecksum(in blob: UnsafeRawBufferPointer) -> Bool {
        let start = range.lowerBound + RecordBatchHeader.checksumStart
        return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: blob[start..<range.upperBound])) == header.checksum
    }

    /// Hands each record, decompressed, to `body` until it returns false. The count is checked.
    package func forEachRecord(
        in blob: UnsafeRawBufferPointer, maximumBytes: Int = RecordBatch.maximumDecompressedBytes,
        _ body: (RecordView) throws(RecordError) -> Bool
    ) throws(RecordError) {
        guard header.recordCount >= 0 else {
            throw RecordError(.corrupt, "a record batch says it has \(header.recordCount) records")
        }
        guard let codec = header.compression else {
            throw RecordError(.unsupportedCompression, "compression type \(header.attributes & 7) is not known")
        }
        let payload = payload(in: blob)
        // A batch that compaction emptied has no payload at all, whatever its codec.
        if header.recordCount == 0, payload.isEmpty { return }
        let records = try Decompressed(payload, codec: codec, maximumBytes: maximumBytes)
        var cursor = VarintCursor(records.bytes)
        for index in 0..<header.recordCount {
            guard cursor.remaining > 0 else {
                throw RecordError(.invalidRecord, "a batch says it has \(header.recordCount) records, but has \(index)")
            }
            if try !body(RecordView(&cursor)) { return }
        }
        guard cursor.remaining == 0 else {
            throw RecordError(
                .invalidRecord, "\(cursor.remaining) bytes follow the \(header.recordCount) records of a batch")
        }
    }

    /// Copies of all records of a blob, for tools and coordinators. Checksums are checked; control batches left out.
    package static func records(
        in blob: ArraySlice<UInt8>, maximumBytes: Int = RecordBatch.maximumDecompressedBytes
    ) throws(RecordError) -> [Record] {
        try blob.withRawBytes { (bytes) throws(RecordError) in
            var records: [Record] = []
            for batch in try batches(in: bytes) {
                guard batch.hasValidChecksum(in: bytes) else {
                    throw RecordError(.corrupt, "the record batch at \(batch.range.lowerBound) fails its checksum")
                }
                if batch.header.isControl { continue }
                try batch.forEachRecord(in: bytes, maximumBytes: maximumBytes) { (view) throws(RecordError) in
                    records.append(view.record(in: batch.header))
                    return true
                }
            }
            return records
        }
    }
}

extension ArraySlice<UInt8> {
    /// `withUnsafeBytes` whose closure says what it throws.
    package func withRawBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        let result: Result<R, E> = withUnsafeBytes { bytes in
            do throws(E) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
