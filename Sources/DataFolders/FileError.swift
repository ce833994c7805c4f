// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the operating system said of a file or folder.
package struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was tried, as a verb.
    package var operation: String
    /// With which file.
    package var path: String
    /// The error's number (errno).
    package var code: CInt

    package init(_ operation: String, _ path: String, code: CInt = errno) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// Whether there is no room, on the disk or in the user's share of it.
    package var isFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }

    /// Whether the file may not be used this way by this user.
    package var isRefused: Bool { code == EACCES || code == EROFS || code == EPERM || code == ENOTDIR }

    package var description: String {
        let why = isFull ? "the disk is full, free space and retry" : String(cString: strerror(code))
        return "cannot \(operation) \(path): \(why)"
    }
}
