// SPDX-License-Identifier: Apache-2.0

/// The record that ends a transaction in a partition (KIP-98): key version 0 and type, value version 0 and the
/// coordinator's epoch, all big-endian.
package struct ControlMarker: Sendable, Hashable {
    /// Whether the transaction was committed, or aborted.
    package var isCommit: Bool
    /// The epoch of the coordinator that decided.
    package var coordinatorEpoch: Int32

    /// A marker.
    package init(isCommit: Bool, coordinatorEpoch: Int32) {
        self.isCommit = isCommit
        self.coordinatorEpoch = coordinatorEpoch
    }

    /// Reads the marker of a control batch; nil when its type is another than commit or abort, and for batches of data,
    /// whose keys may look like one's.
    package init?(_ batch: RecordBatch, in blob: UnsafeRawBufferPointer) throws(RecordError) {
        guard batch.header.isControl else { return nil }
        var type: Int16?
        var epoch: Int32?
        try batch.forEachRecord(in: blob, maximumBytes: 1 << 16) { (record) throws(RecordError) in
            if let key = record.key, key.count >= 4 { type = key.bigEndian(at: 2) }
            if let value = record.value, value.count >= 6 { epoch = value.bigEndian(at: 2) }
            return false
        }
        guard let type else { throw RecordError(.corrupt, "a control batch has no record with a type") }
        guard type == 0 || type == 1 else { return nil }
        guard let epoch else { throw RecordError(.corrupt, "the marker of a transaction has no coordinator epoch") }
        self.init(isCommit: type == 1, coordinatorEpoch: epoch)
    }

    /// The control batch.
    package func batch(producerId: Int64, producerEpoch: Int16, timestamp: Int64) throws(RecordError) -> [UInt8] {
        var builder = RecordBatchBuilder(
            producerId: producerId, producerEpoch: producerEpoch, isTransactional: true, isControl: true)
        let epoch = withUnsafeBytes(of: coordinatorEpoch.bigEndian) { Array($0) }
        builder.append(timestamp: timestamp, key: [0, 0, 0, isCommit ? 1 : 0], value: [0, 0] + epoch)
        return try builder.build()
    }
}
