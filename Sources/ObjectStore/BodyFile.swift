// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import DataFolders

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file of a body: its bytes, then the CRC32C of each MiB of them, then one of those (see
/// docs/formats/objects.md). Closed when nobody holds it any longer.
final class BodyFile: Sendable {
    /// Bytes of a block, which has one checksum.
    static let blockBytes = 1 << 20

    private let descriptor: CInt
    let path: String

    /// Makes a file for writing.
    init(creating path: String) throws(ObjectStoreError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ObjectStoreError(FileError("create", path)) }
        self.descriptor = descriptor
        self.path = path
    }

    /// Opens a file for reading; nil when it is not there.
    init?(opening path: String) throws(ObjectStoreError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            guard errno == ENOENT else { throw ObjectStoreError(FileError("open", path)) }
            return nil
        }
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func write(_ bytes: ArraySlice<UInt8>, at position: Int64) throws(ObjectStoreError) {
        let failure: CInt = bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = pwrite(
                    descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(position) + off_t(done))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return count == 0 ? ENOSPC : errno }
                done += count
            }
            return 0
        }
        guard failure == 0 else { throw ObjectStoreError(FileError("write", path, code: failure)) }
    }

    /// Bytes of the file, as many as there are.
    func read(at position: Int64, count: Int) throws(ObjectStoreError) -> [UInt8] {
        var failure: CInt = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let read = pread(
                    descriptor, buffer.baseAddress.map { $0 + initialized }, count - initialized,
                    off_t(position) + off_t(initialized))
                if read < 0, errno == EINTR { continue }
                if read < 0 { failure = errno }
                guard read > 0 else { break }
                initialized += read
            }
        }
        guard failure == 0 else { throw ObjectStoreError(FileError("read", path, code: failure)) }
        return bytes
    }

    /// Begins to move what was written to the disk, so that the sync at the end has less to do.
    ///
    /// Linux writes back dirty pages that are said not to be needed, and keeps them in memory while it does.
    func startWriteback(at position: Int64, count: Int64) {
        _ = posix_fadvise(descriptor, off_t(position), off_t(count), CInt(POSIX_FADV_DONTNEED))
    }

    func sync() throws(ObjectStoreError) {
        guard fdatasync(descriptor) == 0 else { throw ObjectStoreError(FileError("sync", path)) }
    }
}

/// The checksums of a body's blocks.
struct BlockSums: Equatable, Sendable {
    private(set) var sums: [UInt32] = []
    private var filled = 0

    /// How many a body of some bytes has.
    static func count(_ size: Int64) -> Int {
        Int((size + Int64(BodyFile.blockBytes) - 1) / Int64(BodyFile.blockBytes))
    }

    init() {}

    /// Takes the bytes that follow.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var index = 0
        while index < bytes.count {
            if filled == 0 { sums.append(0) }
            let count = min(bytes.count - index, BodyFile.blockBytes - filled)
            let piece = UnsafeRawBufferPointer(rebasing: bytes[index..<(index + count)])
            sums[sums.count - 1] = CRC32C.checksum(piece, continuing: sums[sums.count - 1])
            index += count
            filled = (filled + count) % BodyFile.blockBytes
        }
    }

    /// What a file of a body ends with.
    func trailer(id: Int64, size: Int64) -> [UInt8] {
        var writer = RecordWriter(capacity: sums.count * 4 + 4)
        for sum in sums { writer.put32(sum) }
        return writer.finish(RecordPlace.body(id, size))
    }

    /// Bytes of the trailer.
    static func trailerBytes(_ size: Int64) -> Int { count(size) * 4 + 4 }

    init(_ trailer: [UInt8], id: Int64, size: Int64) throws(RecordDamage) {
        guard trailer.count == Self.trailerBytes(size) else { throw RecordDamage() }
        let read: [UInt32]? = trailer.withUnsafeBytes { bytes in
            guard var reader = try? RecordReader(bytes, place: RecordPlace.body(id, size)) else { return nil }
            var sums: [UInt32] = []
            while let sum = try? reader.uint32() { sums.append(sum) }
            return sums
        }
        guard let read else { throw RecordDamage() }
        sums = read
    }
}
