// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import DataFolders
internal import Glibc
internal import InferenceProtocol
internal import NIOPosix
internal import Synchronization

/// Calls that may wait for a disk, on threads that may.
enum FileWork {
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}

/// How many bytes may still come.
final class ByteBudget: Sendable {
    private let limit: Int
    private let left: Mutex<Int>

    init(_ limit: Int) {
        self.limit = limit
        left = Mutex(limit)
    }

    func take(_ count: Int) throws(InferenceFault) {
        let isEnough = left.withLock { left in
            left -= min(count, left + 1)
            return left >= 0
        }
        guard isEnough else {
            throw InferenceFault(.tooLarge, "the model has more than the \(limit) bytes that one may have")
        }
    }
}

/// A file that is written from its start.
final class NewFile: Sendable {
    private let path: String
    private let descriptor: Int32

    /// A file of that name may be there where it `replaces` one; a link never may.
    init(_ path: String, replaces: Bool) throws(FileError) {
        self.path = path
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (replaces ? O_TRUNC : O_EXCL)
        descriptor = open(path, flags, 0o644)
        guard descriptor >= 0 else { throw FileError("write", path) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func write(_ bytes: some Sequence<UInt8>) throws(FileError) {
        let failure: FileError? =
            bytes.withContiguousStorageIfAvailable { write(UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { write($0) }
        if let failure { throw failure }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> FileError? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                return FileError("write", path)
            }
            rest = rest.dropFirst(count)
        }
        return nil
    }

    func copy(_ source: String, _ budget: ByteBudget) throws {
        let reader = try FileReader(source)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = try reader.read(into: &buffer), count > 0 {
            try budget.take(count)
            try write(buffer[..<count])
        }
    }
}

/// A file that is read from its start.
final class FileReader: Sendable {
    let path: String
    let size: Int
    private let descriptor: Int32

    init(_ path: String) throws(FileError) {
        self.path = path
        let opened = open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { throw FileError("read", path) }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(opened)
            throw FileError("read as a file", path, code: EINVAL)
        }
        descriptor = opened
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// How many bytes came; 0 at the end.
    func read(into buffer: inout [UInt8]) throws(FileError) -> Int {
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw FileError("read", path) }
        }
    }

    /// Bytes from a place on, as many as there are.
    func bytes(at offset: Int, _ count: Int) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let more = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress.map { $0 + got }, count - got, offset + got)
            }
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { throw FileError("read", path) }
            if more == 0 { break }
            got += more
        }
        return Array(bytes[..<got])
    }
}

enum FileSize {
    static func of(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : -1
    }
}

/// SHA-256 in hexadecimal digits.
enum Checksum {
    static func hexadecimal(of text: String) -> String { digits(SHA256.hash(data: Array(text.utf8))) }

    static func ofFile(_ path: String) throws -> String {
        let reader = try FileReader(path)
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = try reader.read(into: &buffer), count > 0 {
            buffer.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        return digits(hash.finalize())
    }

    private static func digits(_ digest: SHA256.Digest) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
