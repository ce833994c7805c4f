// SPDX-License-Identifier: Apache-2.0
import ApusCore
import FoundationEssentials
package import KubeAPI

/// Where the files of a pod lie on the node.
///
/// On disk, below the node agent's root: `pods/NAMESPACE_NAME_UID/` with `tmp`, `volumes/NAME`, and for each container
/// `CONTAINER/ATTEMPT.log`; `volumes/UID` holds the data of a persistent volume claim.
package struct PodDirectory: Sendable, Equatable {
    package let root: String
    /// The pod's own directory.
    package let path: String

    package init(root: String, key: ObjectKey, uid: String) {
        self.root = root
        path = "\(root)/pods/\(key.namespace)_\(key.name)_\(uid)"
    }

    package var temporary: String { path + "/tmp" }

    /// The directory of a volume that lives and dies with the pod.
    package func volume(_ name: String) -> String { "\(path)/volumes/\(name)" }

    /// The directory of a claim's data; it outlives the pod.
    package static func claim(root: String, uid: String) -> String { "\(root)/volumes/\(uid)" }

    /// The log of one run of a container.
    package func log(_ container: String, attempt: Int) -> String { "\(path)/\(container)/\(attempt).log" }

    /// Makes the directories. Blocks.
    package func create(containers: [String]) throws {
        let manager = FileManager.default
        for directory in [temporary] + containers.map({ "\(path)/\($0)" }) {
            try manager.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }
    }

    /// Removes the log, with its rotated parts, and the message of one run. Blocks.
    package func removeRun(_ container: String, attempt: Int) {
        let manager = FileManager.default
        let names = (try? manager.contentsOfDirectory(atPath: "\(path)/\(container)")) ?? []
        for name in names where name.hasPrefix("\(attempt).") {
            try? manager.removeItem(atPath: "\(path)/\(container)/\(name)")
        }
    }

    /// Removes all of the pod's files. Blocks.
    package func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Joins a relative path of outside origin to a directory.
    /// - Throws: ``VolumeError`` when it leads out of the directory.
    package static func join(_ directory: String, _ relative: String) throws(VolumeError) -> String {
        if relative.isEmpty { return directory }
        guard !relative.hasPrefix("/"), !relative.split(separator: "/").contains("..") else {
            throw VolumeError("subPath \"\(relative)\" must be relative and must not contain \"..\"")
        }
        return "\(directory)/\(relative)"
    }

    /// Checks, and where the type says so makes, the path of a hostPath volume. Blocks.
    package static func prepareHostPath(_ path: String, type: String) throws(VolumeError) {
        let manager = FileManager.default
        var isDirectory = false
        let exists = manager.fileExists(atPath: path, isDirectory: &isDirectory)
        func fail(_ what: String) -> VolumeError { VolumeError("hostPath type check failed: \(path) is not \(what)") }
        switch type {
        case "DirectoryOrCreate" where !exists:
            do {
                try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
            } catch {
                throw VolumeError("cannot create \(path): \(error)")
            }
        case "FileOrCreate" where !exists:
            guard manager.createFile(atPath: path, contents: nil) else { throw VolumeError("cannot create \(path)") }
        case "Directory", "DirectoryOrCreate":
            guard exists, isDirectory else { throw fail("a directory") }
        case "File", "FileOrCreate":
            guard exists, !isDirectory else { throw fail("a file") }
        case "Socket", "CharDevice", "BlockDevice":
            let kinds: [String: FileAttributeType] = [
                "Socket": .typeSocket, "CharDevice": .typeCharacterSpecial, "BlockDevice": .typeBlockSpecial,
            ]
            let found = (try? manager.attributesOfItem(atPath: path))?[.type] as? FileAttributeType
            guard let found, found == kinds[type] else { throw fail("a \(type)") }
        default:
            break
        }
    }
}
