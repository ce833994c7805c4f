// SPDX-License-Identifier: Apache-2.0
import ApusCore
import FoundationEssentials
package import KubeAPI

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What the node agent knows of the machine it runs on.
package struct NodeFacts: Sendable, Equatable {
    /// `linux`, as Go names it.
    package var operatingSystem: String
    /// `amd64`, `arm64`, as Go names it.
    package var architecture: String
    package var kernelVersion: String
    package var osImage: String
    package var machineID: String
    package var bootID: String
    package var processors: Int
    /// Bytes.
    package var memory: Int64
    /// Size in bytes of the file system that holds the pods' files.
    package var storage: Int64
    package var availableMemory: Int64
    package var availableStorage: Int64

    /// Looks at this machine. Blocks for a moment.
    package static func read(root: String) -> NodeFacts {
        func line(_ path: String) -> String {
            guard let data = FileManager.default.contents(atPath: path) else { return "" }
            return String(String(decoding: data, as: UTF8.self).prefix { $0 != "\n" })
        }
        func lines(_ path: String, _ separator: Character) -> [String: String] {
            guard let data = FileManager.default.contents(atPath: path) else { return [:] }
            let pairs = String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap { line in
                line.firstIndex(of: separator).map {
                    (String(line[..<$0]), String(line[line.index(after: $0)...].drop { $0 == " " }))
                }
            }
            return Dictionary(pairs) { _, new in new }
        }
        let meminfo = lines("/proc/meminfo", ":")
        func kibibytes(_ key: String) -> Int64 { (Int64(meminfo[key]?.prefix { $0.isNumber } ?? "") ?? 0) * 1024 }
        var disk = statvfs()
        let hasDisk = statvfs(root, &disk) == 0
        let block = Int64(disk.f_frsize)
        #if arch(x86_64)
            let architecture = "amd64"
        #else
            let architecture = "arm64"
        #endif
        return NodeFacts(
            operatingSystem: "linux", architecture: architecture, kernelVersion: line("/proc/sys/kernel/osrelease"),
            osImage: (lines("/etc/os-release", "=")["PRETTY_NAME"] ?? "Linux").filter { $0 != "\"" },
            machineID: line("/etc/machine-id"), bootID: line("/proc/sys/kernel/random/boot_id"),
            processors: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), memory: kibibytes("MemTotal"),
            storage: hasDisk ? Int64(disk.f_blocks) * block : 0, availableMemory: kibibytes("MemAvailable"),
            availableStorage: hasDisk ? Int64(disk.f_bavail) * block : 0)
    }

    /// `status.capacity` as amounts.
    package func capacity(maxPods: Int) -> [String: Quantity] {
        [
            "cpu": Quantity(Int64(processors)), "memory": Quantity(memory), "ephemeral-storage": Quantity(storage),
            "pods": Quantity(Int64(maxPods)),
        ]
    }
}
