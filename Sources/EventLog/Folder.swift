// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What the log does with folders and whole files.
enum Folder {
    /// Creates a folder (mode 0700) and those above it, where they are missing.
    static func create(_ folder: String) throws(FileError) {
        var path = folder.hasPrefix("/") ? "/" : ""
        for part in folder.split(separator: "/") {
            path += (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            if mkdir(path, 0o700) == 0 { continue }
            let code = errno
            if isFolder(path) { continue }
            throw FileError("create the folder", path, code: code == EEXIST ? ENOTDIR : code)
        }
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether there is a file or folder of this name.
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names in a folder, in no order.
    static func names(in folder: String) throws(FileError) -> [String] {
        guard let stream = opendir(folder) else { throw FileError("list", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes names that were added to or removed from a folder survive a power failure.
    static func sync(_ folder: String) throws(FileError) {
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError("sync", folder) }
    }

    static func rename(_ old: String, to new: String) throws(FileError) {
        guard Self.systemRename(old, new) == 0 else { throw FileError("rename", old) }
    }

    private static func systemRename(_ old: String, _ new: String) -> CInt {
        #if canImport(Glibc)
            Glibc.rename(old, new)
        #else
            Musl.rename(old, new)
        #endif
    }

    /// Removes a file, if it is there.
    static func remove(_ path: String) { unlink(path) }

    /// Removes a folder of files.
    static func removeFolder(_ folder: String) throws(FileError) {
        for name in try names(in: folder) { unlink(folder + "/" + name) }
        guard rmdir(folder) == 0 else { throw FileError("remove", folder) }
    }

    /// The bytes of a small file; nil when it is not there.
    static func read(_ path: String, atMost limit: Int = 256 << 20) throws(FileError) -> [UInt8]? {
        guard exists(path) else { return nil }
        let file = try LogFile(path: path, isReadOnly: true)
        let size = try file.size()
        guard size <= limit else { throw FileError("read", path, code: EFBIG) }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var failure: FileError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(FileError) {
                _ = try file.read(into: buffer, at: 0)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Replaces a file as a whole, so that after a crash there is the old one or the new one.
    static func replace(_ name: String, in folder: String, with bytes: [UInt8]) throws(FileError) {
        let path = folder + "/" + name
        do throws(FileError) {
            let file = try LogFile(path: path + ".tmp", create: true)
            try file.truncate(to: 0)
            var failure: FileError?
            bytes.withUnsafeBytes { buffer in
                do throws(FileError) { try file.write(buffer, at: 0) } catch { failure = error }
            }
            if let failure { throw failure }
            try file.sync()
            try rename(path + ".tmp", to: path)
            try sync(folder)
        } catch {
            remove(path + ".tmp")
            throw error
        }
    }
}
