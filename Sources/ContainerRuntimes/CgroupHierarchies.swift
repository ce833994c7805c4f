// SPDX-License-Identifier: Apache-2.0

/// Where this process may make cgroups: the directory of its own (or a given) cgroup in each mounted hierarchy.
struct CgroupHierarchies: Equatable {
    /// Directories by controller (`cpu`, `cpuacct`, `memory`) of version 1.
    var version1: [String: String] = [:]
    /// The directory in version 2's one hierarchy.
    var version2: String?

    static let controllers = ["cpu", "cpuacct", "memory"]

    /// Reads what `/proc/self/mountinfo` and `/proc/self/cgroup` say. `parent` is a cgroup path from each hierarchy's
    /// root to use in place of the process's own.
    init(mounts: String, own: String, parent: String? = nil) {
        var paths: [String: String] = [:]
        for line in own.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { continue }
            for controller in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                paths[String(controller)] = parts[2]
            }
        }
        for line in mounts.split(separator: "\n") {
            guard let separator = Self.range(of: " - ", in: line) else { continue }
            let fields = line[..<separator.lowerBound].split(separator: " ").map(String.init)
            let source = line[separator.upperBound...].split(separator: " ").map(String.init)
            guard fields.count > 5, let kind = source.first else { continue }
            func directory(_ controller: String) -> String {
                let path = parent.map { "/" + $0 } ?? Self.relative(paths[controller] ?? "/", to: fields[3])
                let parts = path.split(separator: "/")
                return ([fields[4]] + parts.map(String.init)).joined(separator: "/")
            }
            if kind == "cgroup2" {
                version2 = version2 ?? directory("")
            } else if kind == "cgroup", let options = source.last?.split(separator: ",").map(String.init) {
                for controller in Self.controllers where options.contains(controller) {
                    version1[controller] = version1[controller] ?? directory(controller)
                }
            }
        }
    }

    /// A cgroup's path below the part of the hierarchy that is mounted.
    private static func relative(_ path: String, to root: String) -> String {
        if path.contains("..") { return "/" }
        if root == "/" { return path }
        if path == root { return "/" }
        return path.hasPrefix(root + "/") ? String(path.dropFirst(root.count)) : "/"
    }

    private static func range(of needle: String, in text: Substring) -> Range<Substring.Index>? {
        var at = text.startIndex
        while at < text.endIndex {
            if text[at...].hasPrefix(needle) { return at..<text.index(at, offsetBy: needle.count) }
            at = text.index(after: at)
        }
        return nil
    }
}
