// SPDX-License-Identifier: Apache-2.0
import ApusCore
import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One file of a volume.
package struct VolumeFile: Sendable, Equatable {
    package var bytes: [UInt8]
    /// Permission bits.
    package var mode: Int

    package init(bytes: [UInt8], mode: Int) {
        self.bytes = bytes
        self.mode = mode
    }
}

/// Writes the files of a volume so that a reader sees all of an update or nothing of it.
///
/// On disk: the files lie in `..TIME`, `..data` is a link to it, and each visible name links into `..data`; an update
/// writes a new `..TIME` and renames a new `..data` over the old one. The layout is upstream's, which programs that
/// watch their files rely on.
package enum AtomicWriter {
    /// Makes the volume at `directory` hold exactly `files`, named by relative path; nothing happens when it does.
    /// - Throws: when a path leads out of the volume, or the file system refuses.
    package static func write(_ files: [String: VolumeFile], to directory: String) throws {
        for path in files.keys {
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            guard !path.isEmpty, !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }),
                !path.hasPrefix("..")
            else { throw VolumeError("\"\(path)\" is not a path inside the volume") }
        }
        let manager = FileManager.default
        try manager.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let link = directory + "/..data"
        let old = try? manager.destinationOfSymbolicLink(atPath: link)
        if let old, isUnchanged(files, in: directory + "/" + old) { return }
        let fresh = "..\(Timestamp.now().rfc3339Nano.filter { $0 != ":" && $0 != "-" }).\(RandomID.suffix(length: 4))"
        for (path, file) in files {
            let target = "\(directory)/\(fresh)/\(path)"
            try manager.createDirectory(
                atPath: String(target[..<(target.lastIndex(of: "/") ?? target.endIndex)]),
                withIntermediateDirectories: true)
            try Data(file.bytes).write(to: URL(filePath: target))
            try manager.setAttributes([.posixPermissions: file.mode], ofItemAtPath: target)
        }
        if files.isEmpty {
            try manager.createDirectory(atPath: "\(directory)/\(fresh)", withIntermediateDirectories: true)
        }
        // One may be left by a process that was killed.
        unlink(link + "_tmp")
        try manager.createSymbolicLink(atPath: link + "_tmp", withDestinationPath: fresh)
        guard rename(link + "_tmp", link) == 0 else {
            throw VolumeError("cannot rename \(link)_tmp to \(link): \(String(cString: strerror(errno)))")
        }
        try linkNames(Set(files.keys.map { String($0.prefix { $0 != "/" }) }), in: directory)
        for name in try manager.contentsOfDirectory(atPath: directory)
        where name.hasPrefix("..") && name != "..data" && name != fresh {
            try? manager.removeItem(atPath: "\(directory)/\(name)")
        }
    }

    /// Makes the visible names links into `..data`, and removes those that are no longer there.
    private static func linkNames(_ names: Set<String>, in directory: String) throws {
        let manager = FileManager.default
        for name in try manager.contentsOfDirectory(atPath: directory) where !name.hasPrefix("..") {
            if !names.contains(name) { try manager.removeItem(atPath: "\(directory)/\(name)") }
        }
        for name in names where (try? manager.destinationOfSymbolicLink(atPath: "\(directory)/\(name)")) == nil {
            try manager.createSymbolicLink(atPath: "\(directory)/\(name)", withDestinationPath: "..data/\(name)")
        }
    }

    private static func isUnchanged(_ files: [String: VolumeFile], in directory: String) -> Bool {
        let manager = FileManager.default
        guard let present = try? manager.subpathsOfDirectory(atPath: directory) else { return false }
        var count = 0
        for path in present {
            var isDirectory = false
            guard manager.fileExists(atPath: "\(directory)/\(path)", isDirectory: &isDirectory), !isDirectory else {
                continue
            }
            guard let file = files[path], let bytes = manager.contents(atPath: "\(directory)/\(path)"),
                Array(bytes) == file.bytes
            else { return false }
            count += 1
        }
        return count == files.count
    }
}

/// Why a volume cannot be made ready.
package struct VolumeError: Error, Equatable, Sendable, CustomStringConvertible {
    package var message: String

    package init(_ message: String) { self.message = message }

    package var description: String { message }
}
