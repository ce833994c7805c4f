// SPDX-License-Identifier: Apache-2.0
import Dispatch
import EventCoordination
import EventLog
import KafkaRecords

/// Rebuilds what coordinators knew from their topics.
enum CoordinatorReplay {
    /// How much is read at a time, in bytes.
    private static let chunk = 4 << 20

    /// The groups at the end of the topic of offsets; none when there is no such topic.
    static func groups(_ partition: PartitionLog?, on queue: DispatchQueue) async throws -> GroupReplay {
        try await queue.result {
            var replay = GroupReplay()
            try visit(partition) { batch, blob in
                if batch.header.isControl {
                    guard let marker = try ControlMarker(batch, in: blob) else { return }
                    return replay.complete(producerID: batch.header.producerId, isCommit: marker.isCommit)
                }
                let producer = batch.header.isTransactional ? batch.header.producerId : nil
                for record in try records(batch, blob) {
                    try replay.apply(key: record.key ?? [], value: record.value, producerID: producer)
                }
            }
            return replay
        }
    }

    /// The transactions at the end of their topic; none when there is no such topic.
    static func transactions(_ partition: PartitionLog?, on queue: DispatchQueue) async throws -> TransactionReplay {
        try await queue.result {
            var replay = TransactionReplay()
            try visit(partition) { batch, blob in
                for record in try records(batch, blob) { try replay.apply(key: record.key ?? [], value: record.value) }
            }
            return replay
        }
    }

    private static func visit(
        _ partition: PartitionLog?, _ body: (RecordBatch, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard let partition else { return }
        var offset = partition.startOffset
        while true {
            let slice = try partition.read(from: offset, maxBytes: chunk, atLeastOne: true, isolation: .uncommitted)
            guard slice.byteCount > 0 else { return }
            let bytes = try slice.bytes()
            try bytes.withUnsafeBytes { blob in
                for batch in try RecordBatch.batches(in: blob) {
                    guard batch.hasValidChecksum(in: blob) else {
                        throw RecordError(
                            .corrupt, "\(partition.name): a batch at \(batch.header.baseOffset) is damaged")
                    }
                    try body(batch, blob)
                }
            }
            offset = slice.nextOffset
        }
    }

    private static func records(_ batch: RecordBatch, _ blob: UnsafeRawBufferPointer) throws -> [Record] {
        var records: [Record] = []
        try batch.forEachRecord(in: blob) { (view) throws(RecordError) in
            records.append(view.record(in: batch.header))
            return true
        }
        return records
    }
}
