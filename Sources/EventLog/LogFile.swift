// SPDX-License-Identifier: Apache-2.0
import DataFolders

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// An open file; closed when nobody holds it any longer.
package final class LogFile: Sendable {
    /// The file descriptor, valid while this object is held. Only for reading at given positions (`pread`, `sendfile`).
    package let descriptor: CInt
    /// The file's path when it was opened; it may be gone since.
    package let path: String

    /// Opens a file for reading and, unless said otherwise, writing.
    init(path: String, create: Bool = false, isReadOnly: Bool = false) throws(FileError) {
        let access = isReadOnly ? O_RDONLY : O_RDWR
        let descriptor = open(path, access | O_CLOEXEC | (create ? O_CREAT : 0), 0o600)
        guard descriptor >= 0 else { throw FileError("open", path) }
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    /// A descriptor of its own for the same file; whoever asked closes it.
    package func duplicate() throws(ReadError) -> CInt {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw ReadError(.storage, FileError("duplicate", path).description) }
        return copy
    }

    /// Bytes of the file.
    func size() throws(FileError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("stat", path) }
        return Int64(status.st_size)
    }

    /// When it was last written, milliseconds since 1970.
    func modificationTime() throws(FileError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("stat", path) }
        return Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
    }

    /// Fills the buffer from the given position, or as much of it as the file has; returns how much.
    func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(FileError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(position) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", path) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Bytes at a position, all of them.
    func read(at position: Int64, count: Int) throws(ReadError) -> [UInt8] {
        var failure: ReadError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(FileError) {
                initialized = try read(into: UnsafeMutableRawBufferPointer(buffer), at: position)
                if initialized < count {
                    failure = ReadError(.corrupt, "\(path) ends at \(position + Int64(initialized)), too early")
                }
            } catch {
                failure = ReadError(.storage, error.description)
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all bytes at the given position.
    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(position) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("write", path) }
            done += count
        }
    }

    /// Writes two buffers after each other at the given position.
    func write(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, at position: Int64
    ) throws(FileError) {
        let parts = [
            iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count),
        ]
        var written = pwritev(descriptor, parts, 2, off_t(position))
        while written < 0, errno == EINTR { written = pwritev(descriptor, parts, 2, off_t(position)) }
        guard written >= 0 else { throw FileError("write", path) }
        if written < first.count {
            try write(UnsafeRawBufferPointer(rebasing: first[written...]), at: position + Int64(written))
            written = first.count
        }
        let rest = UnsafeRawBufferPointer(rebasing: second[(written - first.count)...])
        if !rest.isEmpty { try write(rest, at: position + Int64(written)) }
    }

    /// Cuts the file off.
    func truncate(to size: Int64) throws(FileError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw FileError("truncate", path) }
    }

    /// Returns once the data, and what is needed to find them, are on the disk.
    func sync() throws(FileError) {
        guard fdatasync(descriptor) == 0 else { throw FileError("sync", path) }
    }
}
