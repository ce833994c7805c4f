// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Why a file cannot be read or written.
package struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file's path.
    package let path: String
    /// What was wrong.
    package let reason: String

    package var description: String { "\(path): \(reason)" }

    init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    init(path: String, errno code: Int32) {
        self.init(path: path, reason: String(cString: strerror(code)))
    }
}

/// Whole files, read within a bound and written atomically.
package enum BinaryFile {
    /// Reads the whole file at `path`; throws when it is longer than `limit` bytes. Blocks.
    package static func read(_ path: String, limit: Int = 1 << 34) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path: path, errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path: path, reason: "not a regular file") }
        let size = Int(status.st_size)
        guard size <= limit else { throw FileError(path: path, reason: "\(size) bytes long, at most \(limit) allowed") }
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size, let base = buffer.baseAddress {
                let length = Glibc.read(descriptor, base + count, size - count)
                if length < 0, errno == EINTR { continue }
                if length < 0 { code = errno }
                guard length > 0 else { return }
                count += length
            }
        }
        guard code == 0 else { throw FileError(path: path, errno: code) }
        return bytes
    }

    /// Whether a file can be opened for reading at `path`.
    package static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// Creates the folder at `path`, and those above it, where they are missing. Blocks.
    package static func makeFolder(_ path: String) throws(FileError) {
        var parent = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            parent += "\(part)/"
            guard mkdir(parent, 0o755) != 0, errno != EEXIST else { continue }
            let code = errno
            var status = stat()
            guard stat(parent, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw FileError(path: parent, errno: code)
            }
        }
        guard access(path, W_OK | X_OK) == 0 else { throw FileError(path: path, errno: errno) }
    }

    /// Replaces the file at `path` by `bytes`: a temporary file in the same folder, fsync, rename, fsync of the folder.
    ///
    /// A crash leaves the old file or the new one, never a part. Blocks.
    package static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
        let temporary = "\(path).\(getpid()).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: temporary, errno: errno) }
        var code: Int32 = 0
        bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count, let base = buffer.baseAddress {
                let length = Glibc.write(descriptor, base + written, buffer.count - written)
                if length < 0, errno == EINTR { continue }
                guard length > 0 else {
                    code = errno
                    return
                }
                written += length
            }
        }
        if code == 0, fsync(descriptor) != 0 { code = errno }
        close(descriptor)
        if code == 0, rename(temporary, path) != 0 { code = errno }
        guard code == 0 else {
            unlink(temporary)
            throw FileError(path: path, errno: code)
        }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let folderDescriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folderDescriptor >= 0 else { throw FileError(path: folder, errno: errno) }
        defer { close(folderDescriptor) }
        guard fsync(folderDescriptor) == 0 else { throw FileError(path: folder, errno: errno) }
    }
}
