// SPDX-License-Identifier: Apache-2.0
import DataFolders
import NIOCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `write` of the system, within a type that has one, too.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// A file of this machine that cannot be read or written.
struct FileError: Error, CustomStringConvertible {
    let description: String

    init(_ path: String, _ what: String, errno code: Int32) {
        description = "\(path) cannot be \(what): \(String(cString: strerror(code)))"
    }
}

/// Calls that may wait for a disk, on threads that may.
enum FileCalls {
    private static let pool = WorkPool(label: "apus.tracking.files")

    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await pool.run(body)
    }
}

/// An open file. It closes with its last reference.
final class OpenFile: Sendable {
    let path: String
    private let descriptor: Int32

    init(reading path: String) throws {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path, "read", errno: errno) }
    }

    init(writing path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path, "written", errno: errno) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Bytes of a regular file.
    func size() throws -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path, "read", errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path, "read as a file", errno: EISDIR) }
        return Int64(status.st_size)
    }

    /// Up to `count` bytes at a place; none at the end. Blocks.
    func read(_ count: Int, at offset: Int64) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        let length = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            while true {
                let length = pread(descriptor, bytes.baseAddress, count, off_t(offset))
                if length < 0, errno == EINTR { continue }
                guard length >= 0 else { throw FileError(path, "read", errno: errno) }
                return length
            }
        }
        return buffer.getSlice(at: 0, length: length) ?? ByteBuffer()
    }

    /// Writes all of `buffer` at the file's place. Blocks.
    func write(_ buffer: ByteBuffer) throws {
        try buffer.withUnsafeReadableBytes { bytes in
            var written = 0
            while written < bytes.count {
                let length = systemWrite(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if length < 0, errno == EINTR { continue }
                guard length >= 0 else { throw FileError(path, "written", errno: errno) }
                written += length
            }
        }
    }

    static func remove(_ path: String) throws {
        guard unlink(path) == 0 else { throw FileError(path, "removed", errno: errno) }
    }

    /// Puts the file on the disk and under another name.
    func publish(as name: String) throws {
        guard fsync(descriptor) == 0, rename(path, name) == 0 else { throw FileError(name, "written", errno: errno) }
    }
}

/// A file's bytes as the body of a request, as they are asked for.
struct FileBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    static let chunk = 1 << 20
    let file: OpenFile
    let size: Int64

    func makeAsyncIterator() -> Iterator { Iterator(body: self) }

    struct Iterator: AsyncIteratorProtocol {
        let body: FileBody
        private var offset: Int64 = 0

        init(body: FileBody) { self.body = body }

        mutating func next() async throws -> ByteBuffer? {
            guard offset < body.size else { return nil }
            let (file, place, count) = (body.file, offset, Int(Swift.min(Int64(FileBody.chunk), body.size - offset)))
            let buffer = try await FileCalls.run { try file.read(count, at: place) }
            guard buffer.readableBytes > 0 else { throw FileError(file.path, "read: it became shorter", errno: EIO) }
            offset += Int64(buffer.readableBytes)
            return buffer
        }
    }
}
