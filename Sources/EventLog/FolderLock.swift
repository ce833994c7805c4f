// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The exclusive use of a log's folder, for as long as this object or the process lives.
///
/// An advisory lock (flock) on the file `lock`, which does not outlive the process, even after kill -9.
final class FolderLock: Sendable {
    private let held: Mutex<CInt?>

    /// Creates the folder where it is missing, and locks it.
    init(_ folder: String) throws(EventLogError) {
        let path = folder + "/lock"
        do throws(FileError) { try Folder.create(folder) } catch { throw EventLogError(.unwritable, "\(error)") }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw EventLogError(.unwritable, "\(FileError("open", path))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure = FileError("lock", path)
            close(descriptor)
            guard failure.code == EWOULDBLOCK else { throw EventLogError(.unwritable, "\(failure)") }
            throw EventLogError(.locked, "another apus uses \(folder): stop it or use another folder")
        }
        held = Mutex(descriptor)
    }

    deinit { release() }

    /// Lets others use the folder.
    func release() {
        held.withLock { descriptor in
            if let descriptor {
                // Said outright: a child between fork and exec still has a copy of the descriptor.
                flock(descriptor, LOCK_UN)
                close(descriptor)
            }
            descriptor = nil
        }
    }
}

/// The file `format`, which says how the rest of the folder is written.
enum FormatFile {
    static let name = "format"
    private static let title = "apus-events "
    private static let version = 1

    /// Writes the file where it is missing; refuses folders of later versions.
    static func check(_ folder: String) throws(EventLogError) {
        do throws(FileError) {
            guard let bytes = try Folder.read(folder + "/" + name, atMost: 4096) else {
                return try Folder.replace(name, in: folder, with: Array("\(title)\(version)\n".utf8))
            }
            let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            guard text.hasPrefix(title), let found = Int(text.dropFirst(title.count)) else {
                throw FileError("understand", folder + "/" + name, code: EINVAL)
            }
            if found <= version { return }
            throw FileError("read version \(found) of", folder, code: ENOTSUP)
        } catch {
            guard error.code == ENOTSUP else { throw EventLogError(.corrupt, "\(folder) is not a log: \(error)") }
            throw EventLogError(
                .newerFormat,
                "\(folder) was written by a newer version of apus; this one reads version \(version): use the newer one"
            )
        }
    }
}
