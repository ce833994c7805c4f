// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Synchronization

extension PartitionLog {
    /// What a check of all files found.
    package struct Verification: Sendable, Hashable {
        /// A record batch that fails.
        package struct Damage: Sendable, Hashable {
            /// The segment's file.
            package var file: String
            /// Where in it.
            package var position: Int64
            /// The first offset that cannot be read.
            package var offset: Int64
            /// What is wrong.
            package var reason: String
        }

        /// Batches that are sound.
        package var batches = 0
        /// Records in them.
        package var records = 0
        /// Their bytes.
        package var bytes: Int64 = 0
        /// The first damaged batch of each segment that has one.
        package var damages: [Damage] = []
    }

    /// Reads all batches and checks their checksums and offsets. Blocks on the disk, for as long as reading all takes.
    package func verify() throws(ReadError) -> Verification {
        let opened = state.withLock { state -> Result<[SegmentReader], ReadError> in
            do throws(FileError) {
                var readers: [SegmentReader] = []
                for segment in state.segments where segment.size > 0 {
                    var reader = try reader(of: segment)
                    reader.isContiguous = state.cleanPasses.isEmpty
                    readers.append(reader)
                }
                return .success(readers)
            } catch {
                return .failure(ReadError(.storage, "\(name): \(error)"))
            }
        }
        var result = Verification()
        for reader in try opened.get() {
            let damage = try reader.scan(0..<reader.segment.size, from: reader.segment.baseOffset) { header, _, batch in
                result.batches += 1
                result.records += Int(header.recordCount)
                result.bytes += Int64(batch.count)
            }
            if let damage {
                result.damages.append(
                    .init(
                        file: reader.file.path, position: damage.position, offset: damage.offset, reason: damage.reason)
                )
            }
        }
        return result
    }
}
