// SPDX-License-Identifier: Apache-2.0
import ByteCodes
internal import Crypto
import Synchronization

/// A body that was written as a whole, and can be given to one object or part. Let go of before, its file is removed.
package final class StoredBody: Sendable {
    /// Bytes.
    package let size: Int64
    /// 16 bytes.
    package let md5: [UInt8]
    /// 32 bytes, where it was asked for.
    package let sha256: [UInt8]?
    /// The MD5 in hexadecimal.
    package var etag: String { Hex.encode(md5) }

    /// The bytes, where they are to be kept in a row.
    let inline: [UInt8]
    /// Their CRC32C.
    let crc: UInt32
    /// The file, where they are in one.
    let claim: FileClaim?
    private let isTaken = Atomic<Bool>(false)

    /// Whether it can be given to a row, which nobody else can then.
    func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }

    /// Bytes that a body can have: what files can.
    static let sizes: ClosedRange<Int64> = 0...(1 << 50)

    /// No row has it.
    func giveBack() { isTaken.store(false, ordering: .releasing) }

    /// Nobody knows whether a row has it: what a disk that failed has taken of a commit shows at the next start.
    func leave() { claim?.leave() }

    /// A short body.
    init(_ bytes: [UInt8], sha256 computesSHA256: Bool) {
        size = Int64(bytes.count)
        inline = bytes
        claim = nil
        (md5, sha256, crc) = bytes.withUnsafeBytes { buffer in
            var md5 = Insecure.MD5()
            md5.update(bufferPointer: buffer)
            var sha256: [UInt8]?
            if computesSHA256 {
                var hash = SHA256()
                hash.update(bufferPointer: buffer)
                sha256 = Array(hash.finalize())
            }
            return (Array(md5.finalize()), sha256, CRC32C.checksum(buffer))
        }
    }

    /// A long one.
    init(size: Int64, md5: [UInt8], sha256: [UInt8]?, claim: FileClaim) {
        self.size = size
        self.md5 = md5
        self.sha256 = sha256
        self.claim = claim
        inline = []
        crc = 0
    }
}
