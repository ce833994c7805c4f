// SPDX-License-Identifier: Apache-2.0
import Glibc
import NIOPosix

/// Blocking work on the thread pool for it, so that Swift's cooperative pool is never blocked.
enum BlockingWork {
    static func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            NIOThreadPool.singleton.submit { _ in continuation.resume(returning: work()) }
        }
    }

    static func submit(_ work: @escaping @Sendable () -> Void) { NIOThreadPool.singleton.submit { _ in work() } }

    static func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws(RuntimeError) -> Value
    ) async throws(RuntimeError) -> Value {
        try await run { () -> Result<Value, RuntimeError> in Result(catching: work) }.get()
    }
}

/// File operations; all of them block.
enum SystemFiles {
    /// The whole file, or its first `limit` bytes; nil when it cannot be read.
    static func read(_ path: String, limit: Int = 4 << 20) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        while bytes.count < limit, let chunk = read(file, count: min(65536, limit - bytes.count)) {
            if chunk.isEmpty { return bytes }
            bytes += chunk
        }
        return bytes.count == limit ? bytes : nil
    }

    /// What one read gives; empty at the end of the file, nil on an error.
    static func read(_ file: Int32, count: Int) -> [UInt8]? {
        while true {
            var result = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                result = Glibc.read(file, buffer.baseAddress, count)
                filled = max(0, result)
            }
            if result >= 0 { return bytes }
            guard errno == EINTR else { return nil }
        }
    }

    static func text(_ path: String) -> String? { read(path).map { String(decoding: $0, as: UTF8.self) } }

    /// Writes to an existing file in one call, as control files want it. Returns 0 or an errno value.
    static func write(_ text: String, to path: String) -> Int32 {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return errno }
        defer { close(file) }
        let bytes = Array(text.utf8)
        return Glibc.write(file, bytes, bytes.count) == bytes.count ? 0 : errno
    }

    /// Writes the file under another name first, so that it is there whole or not at all.
    static func replace(_ path: String, with bytes: [UInt8]) throws(RuntimeError) {
        let temporary = path + ".tmp"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("cannot create \(temporary)") }
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot write \(temporary)") }
            written += count
        }
        guard rename(temporary, path) == 0 else { throw failure("cannot rename \(temporary)") }
    }

    /// Creates a directory and its parents where they are missing.
    static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(RuntimeError) {
        if mkdir(path, mode) == 0 { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
                throw failure("cannot create the directory \(path)")
            }
            try makeDirectories(String(path[..<slash]), mode: mode)
            guard mkdir(path, mode) == 0 || errno == EEXIST else { throw failure("cannot create \(path)") }
        default: throw failure("cannot create the directory \(path)")
        }
    }

    /// The names in a directory, sorted; empty when it cannot be read.
    static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a directory that holds only files.
    static func removeFlatDirectory(_ path: String) throws(RuntimeError) {
        for name in names(in: path) { unlink("\(path)/\(name)") }
        guard rmdir(path) == 0 || errno == ENOENT else { throw failure("cannot remove \(path)") }
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    /// A failure with the text of the present `errno`.
    static func failure(_ what: String) -> RuntimeError {
        RuntimeError(.system, "\(what): \(String(cString: strerror(errno)))")
    }
}
