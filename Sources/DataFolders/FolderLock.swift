// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The exclusive use of a data folder, for as long as this object or the process lives.
///
/// An advisory lock (flock) on the file `lock`, which holds the owner's process id. The file stays behind; the lock
/// does not, even after kill -9.
package final class FolderLock: Sendable {
    /// Why a folder cannot be had.
    package enum Failure: Error, Sendable, CustomStringConvertible {
        /// Somebody else has it; says who and what to do.
        case held(String)
        /// It cannot be made or written.
        case file(FileError)

        package var description: String {
            switch self {
            case .held(let message): message
            case .file(let error): error.description
            }
        }
    }

    private let held: Mutex<CInt?>

    /// Creates the folder (mode 0700) where it is missing, and locks it.
    package init(_ folder: String) throws(Failure) {
        let path = folder + "/lock"
        do throws(FileError) { try Folder.create(folder) } catch { throw .file(error) }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .file(FileError("open", path)) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure = FileError("lock", path)
            let owner = Self.owner(descriptor)
            close(descriptor)
            guard failure.code == EWOULDBLOCK else { throw .file(failure) }
            let who = owner.isEmpty ? "another apus" : "another apus (pid \(owner))"
            throw .held("\(who) uses \(folder): stop it or use another --data-dir")
        }
        // Only for the message above: of one width, so that it also fits on a full disk.
        let pid = "\(getpid())"
        let line = Array((String(repeating: " ", count: max(0, 10 - pid.utf8.count)) + pid + "\n").utf8)
        _ = pwrite(descriptor, line, line.count, 0)
        held = Mutex(descriptor)
    }

    deinit { release() }

    /// Lets others use the folder.
    package func release() {
        held.withLock { descriptor in
            if let descriptor {
                // Said outright: a child between fork and exec still has a copy of the descriptor.
                flock(descriptor, LOCK_UN)
                close(descriptor)
            }
            descriptor = nil
        }
    }

    private static func owner(_ descriptor: CInt) -> String {
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)).filter { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self)
    }
}
