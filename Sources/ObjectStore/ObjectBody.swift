// SPDX-License-Identifier: Apache-2.0

/// A body that is being written: by one task at a time. Let go of, it leaves nothing behind.
package final class ObjectBody: Sendable {
    init() {}

    /// Takes bytes; suspends while too many wait for the disk. Throws `full` or `storage`.
    package func write(_ bytes: ArraySlice<UInt8>) async throws(ObjectStoreError) {}

    /// The same.
    package func write(_ bytes: [UInt8]) async throws(ObjectStoreError) { try await write(bytes[...]) }

    /// Returns once the bytes are durable (long ones) or all there (short ones, which their row makes durable).
    package func finish() async throws(ObjectStoreError) -> StoredBody { StoredBody(size: 0, md5: [], sha256: nil) }
}

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

    init(size: Int64, md5: [UInt8], sha256: [UInt8]?) {
        self.size = size
        self.md5 = md5
        self.sha256 = sha256
    }
}

/// Reads the bytes of a version; each block of 1 MiB is checked before any of its bytes is given out.
package final class ObjectReader: Sendable {
    /// Bytes of the object.
    package let size: Int64

    init(size: Int64) { self.size = size }

    /// The first bytes of a range: at least one unless the range is empty, at most `maximum`.
    ///
    /// Throws `corrupt` when the bytes are not those that were written, `storage` when the disk fails.
    package func read(_ range: Range<Int64>, maximum: Int = 1 << 20) async throws(ObjectStoreError) -> [UInt8] { [] }
}
