// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import KafkaRecords

/// What the last checkpoint says of a partition.
struct CheckpointRow: Sendable, Hashable {
    var name: PartitionName
    /// The first offset that is kept.
    var startOffset: Int64
    var point: RecoveryPoint
    var cleanPasses: [PartitionState.CleanPass]
}

/// The file `recovery-point`: a line of text for each partition, and one with a checksum.
enum Checkpoint {
    static let fileName = "recovery-point"
    private static let title = "apus-events-recovery-point 1"

    static func bytes(_ rows: [CheckpointRow]) -> [UInt8] {
        var text = title + "\n"
        for row in rows.sorted(by: { $0.name < $1.name }) {
            let point = row.point
            let numbers: [Int64] = [
                row.startOffset, point.offset, point.segment, Int64(point.indexCount), Int64(point.abortedCount),
                point.hasSnapshot ? 1 : 0,
            ]
            let passes = row.cleanPasses.flatMap { [$0.offset, $0.time] }
            text += "\(row.name) " + (numbers + passes).map(String.init).joined(separator: " ") + "\n"
        }
        let bytes = Array(text.utf8)
        return bytes + Array("checksum \(checksum(bytes[...]))\n".utf8)
    }

    /// Nil when the bytes are not a whole checkpoint.
    static func rows(_ bytes: [UInt8]) -> [PartitionName: CheckpointRow]? {
        guard let end = bytes.dropLast().lastIndex(of: UInt8(ascii: "\n")),
            String(decoding: bytes[(end + 1)...], as: UTF8.self) == "checksum \(checksum(bytes[...end]))\n"
        else { return nil }
        var lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\n")[...]
        guard lines.popFirst() == title[...] else { return nil }
        var rows: [PartitionName: CheckpointRow] = [:]
        for line in lines {
            let fields = line.split(separator: " ")
            let numbers = fields.dropFirst().compactMap { Int64($0) }
            guard let folder = fields.first, let name = PartitionName(folder: String(folder)),
                numbers.count == fields.count - 1, numbers.count >= 6, numbers.count % 2 == 0
            else { return nil }
            let point = RecoveryPoint(
                offset: numbers[1], segment: numbers[2], indexCount: Int(numbers[3]), abortedCount: Int(numbers[4]),
                hasSnapshot: numbers[5] == 1)
            let passes = stride(from: 6, to: numbers.count, by: 2).map {
                PartitionState.CleanPass(offset: numbers[$0], time: numbers[$0 + 1])
            }
            rows[name] = CheckpointRow(name: name, startOffset: numbers[0], point: point, cleanPasses: passes)
        }
        return rows
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withRawBytes { CRC32C.checksum($0) }
    }
}
