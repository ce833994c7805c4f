// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import DataFolders
import KafkaRecords

/// The file `OFFSET.snapshot`: what is known of a partition's producers as of an offset. Little-endian numbers of 64
/// bits, a checksum at the end.
enum ProducerSnapshot {
    private static let title: Int64 = 0x4150_5553_5052_4401

    static func bytes(_ table: ProducerTable) -> [UInt8] {
        var bytes: [UInt8] = []
        func put(_ value: Int64) { bytes.appendLittleEndian(value) }
        put(title)
        put(Int64(table.producers.count))
        for (id, producer) in table.producers.sorted(by: { $0.key < $1.key }) {
            put(id)
            put(Int64(producer.epoch))
            put(Int64(producer.coordinatorEpoch))
            put(producer.lastSeen)
            put(producer.transactionStart ?? -1)
            put(Int64(producer.batches.count))
            for batch in producer.batches {
                put(Int64(batch.firstSequence))
                put(Int64(batch.lastSequence))
                put(batch.baseOffset)
                put(batch.lastOffset)
                put(batch.logAppendTime)
            }
        }
        put(Int64(bytes[...].withRawBytes { CRC32C.checksum($0) }))
        return bytes
    }

    static func read(_ path: String) throws(EventLogError) -> ProducerTable {
        let bytes: [UInt8]?
        do throws(FileError) { bytes = try Folder.read(path) } catch { throw EventLogError(error, "a snapshot") }
        guard let bytes else { throw EventLogError(.corrupt, "\(path) is missing") }
        guard let table = table(bytes) else { throw EventLogError(.corrupt, "\(path) is damaged") }
        return table
    }

    static func table(_ bytes: [UInt8]) -> ProducerTable? {
        guard bytes.count >= 24, bytes.count % 8 == 0 else { return nil }
        var numbers = bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 8).map {
                Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
            }
        }[...]
        let sum = bytes.dropLast(8).withRawBytes { CRC32C.checksum($0) }
        guard numbers.popLast() == Int64(sum), numbers.popFirst() == title, let count = numbers.popFirst() else {
            return nil
        }
        var table = ProducerTable()
        for _ in 0..<max(0, count) {
            guard numbers.count >= 6 else { return nil }
            let fields = Array(numbers.prefix(6))
            numbers = numbers.dropFirst(6)
            guard let epoch = Int16(exactly: fields[1]), let coordinator = Int32(exactly: fields[2]),
                (0...Int64(ProducerTable.rememberedBatches)).contains(fields[5]), numbers.count >= Int(fields[5]) * 5
            else { return nil }
            var producer = ProducerTable.Producer(epoch: epoch, coordinatorEpoch: coordinator, lastSeen: fields[3])
            producer.transactionStart = fields[4] >= 0 ? fields[4] : nil
            for _ in 0..<fields[5] {
                let batch = Array(numbers.prefix(5))
                numbers = numbers.dropFirst(5)
                guard let first = Int32(exactly: batch[0]), let last = Int32(exactly: batch[1]) else { return nil }
                producer.batches.append(
                    .init(
                        firstSequence: first, lastSequence: last, baseOffset: batch[2], lastOffset: batch[3],
                        logAppendTime: batch[4]))
            }
            table.restore(fields[0], producer)
        }
        return numbers.isEmpty ? table : nil
    }
}
