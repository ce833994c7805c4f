// SPDX-License-Identifier: Apache-2.0

/// Whole batches, as they lie in one segment's file.
package struct LogSlice: Sendable {
    /// A transaction that was aborted; `read_committed` clients drop the producer's batches from `firstOffset` on,
    /// until its marker.
    package struct AbortedTransaction: Sendable, Hashable {
        /// The producer.
        package var producerId: Int64
        /// The transaction's first offset.
        package var firstOffset: Int64

        /// A transaction that was aborted.
        package init(producerId: Int64, firstOffset: Int64) {
            self.producerId = producerId
            self.firstOffset = firstOffset
        }
    }

    /// The file; nil when there is nothing to read. It stays open, even when it is deleted, for as long as it is held.
    package var file: LogFile?
    /// Where the slice begins in the file, bytes.
    package var position: Int64
    /// Bytes of the slice; 0 at the end of the log.
    package var byteCount: Int
    /// The offset after the slice's last batch: where to go on.
    package var nextOffset: Int64
    /// The partition's offsets as of the read.
    package var highWatermark: Int64
    /// The first offset of a transaction that is open; the high watermark without one.
    package var lastStableOffset: Int64
    /// The first offset that is kept.
    package var startOffset: Int64
    /// For `Isolation.committed`, in order of their first offset; else empty.
    package var abortedTransactions: [AbortedTransaction]

    /// The slice's bytes, read from the file: for TLS, tools and tests. Blocks.
    package func bytes() throws(ReadError) -> [UInt8] {
        guard let file, byteCount > 0 else { return [] }
        return try file.read(at: position, count: byteCount)
    }
}

/// What a reader may see.
package enum Isolation: Sendable, Hashable {
    /// All up to the high watermark (`read_uncommitted`).
    case uncommitted
    /// All up to the last stable offset (`read_committed`).
    case committed
}
