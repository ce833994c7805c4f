// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Makes, limits, measures, empties and removes the cgroups of containers. All of it blocks shortly.
struct CgroupManager: Sendable {
    /// The cgroups made for one container.
    struct Groups: Equatable {
        var directories: [String] = []
        var oomEventsPath: String?
        /// Limits that the kernel refused.
        var refused: [RuntimeNotice] = []
    }

    /// Directories by controller in which groups can be made. Under version 2 they are all the same.
    private var parents: [String: String] = [:]
    /// The directory in version 2's hierarchy, even without controllers: it can kill a whole group at once.
    private var unified: String?
    /// Why a controller is missing.
    private var reasons: [String: String] = [:]

    /// Part of every group's name, so that runtimes with different data never share a group.
    private let scope: String

    /// Finds out what this process may do on this host. `root` is where the runtime keeps its data.
    init(parent: String?, root: String) {
        let hierarchies = CgroupHierarchies(
            mounts: SystemFiles.text("/proc/self/mountinfo") ?? "", own: SystemFiles.text("/proc/self/cgroup") ?? "",
            parent: parent)
        self.init(hierarchies: hierarchies, createsParents: parent != nil, root: root)
    }

    init(hierarchies: CgroupHierarchies, createsParents: Bool, root: String) {
        scope = String(StableHash.of(root) & 0xFFFF_FFFF, radix: 16)
        var writable: [String: Int32] = [:]
        func probe(_ directory: String) -> Int32 {
            if let known = writable[directory] { return known }
            if createsParents { try? SystemFiles.makeDirectories(directory) }
            let name = "\(directory)/apus-probe-\(getpid())"
            let code = mkdir(name, 0o755) == 0 ? 0 : errno
            if code == 0 { rmdir(name) }
            writable[directory] = code
            return code
        }
        for (controller, directory) in hierarchies.version1 {
            let code = probe(directory)
            if code == 0 { parents[controller] = directory } else { reasons[controller] = Self.text(directory, code) }
        }
        guard let directory = hierarchies.version2 else { return }
        let code = probe(directory)
        if code == 0 { unified = directory }
        let offered = Self.words("\(directory)/cgroup.controllers")
        for controller in ["cpu", "memory"] where parents[controller] == nil && offered.contains(controller) {
            let failure = code == 0 ? Self.enable(controller, in: directory) : code
            if failure == 0 {
                parents[controller] = directory
            } else {
                reasons[controller] = Self.text(directory, failure)
            }
        }
    }

    private static func text(_ directory: String, _ code: Int32) -> String {
        "\(directory) is not usable: \(String(cString: strerror(code)))"
    }

    private static func words(_ path: String) -> [String] {
        (SystemFiles.text(path) ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// Lets children of a version 2 cgroup have a controller. A cgroup with processes of its own must first lose them;
    /// that is done only where this process is the only one.
    private static func enable(_ controller: String, in directory: String) -> Int32 {
        let control = "\(directory)/cgroup.subtree_control"
        if words(control).contains(controller) { return 0 }
        let code = SystemFiles.write("+\(controller)", to: control)
        guard code == EBUSY, words("\(directory)/cgroup.procs") == [String(getpid())] else { return code }
        let leaf = "\(directory)/apus-agent"
        guard mkdir(leaf, 0o755) == 0 || errno == EEXIST else { return errno }
        let moved = SystemFiles.write(String(getpid()), to: "\(leaf)/cgroup.procs")
        return moved == 0 ? SystemFiles.write("+\(controller)", to: control) : moved
    }

    /// What of a container's limits cannot be enforced here.
    func notices(for spec: ContainerSpec) -> [RuntimeNotice] {
        var notices: [RuntimeNotice] = []
        func check(_ controller: String, _ what: String) {
            guard parents[controller] == nil else { return }
            let reason = reasons[controller] ?? "the host has no cgroup controller \"\(controller)\""
            notices.append(
                RuntimeNotice(
                    reason: "LimitNotEnforced",
                    message: "\(what) of container \(spec.containerName) is not enforced: \(reason)"))
        }
        if let limit = spec.memoryBytes { check("memory", "memory limit of \(limit) bytes") }
        if let limit = spec.cpuMillis { check("cpu", "CPU limit of \(limit)m") }
        return notices
    }

    /// Makes the container's groups and sets its limits. Groups that cannot be made are left out and reported.
    func create(for spec: ContainerSpec) -> Groups {
        var groups = Groups()
        func refuse(_ what: String, _ code: Int32) {
            groups.refused.append(
                RuntimeNotice(
                    reason: "LimitNotEnforced",
                    message: "container \(spec.containerName): \(what): \(String(cString: strerror(code)))"))
        }
        for parent in Set(parents.values).union(unified.map { [$0] } ?? []).sorted() {
            let directory = path(parent, spec)
            let code = make(directory, in: parent)
            if code == 0 {
                groups.directories.append(directory)
            } else {
                refuse("cannot make the cgroup \(directory)", code)
            }
        }
        for (controller, file, value, isLimit) in settings(for: spec) {
            guard let parent = parents[controller] else { continue }
            let path = "\(path(parent, spec))/\(file)"
            let code = SystemFiles.write(value, to: path)
            if code != 0, isLimit { refuse("cannot set \(path) to \(value)", code) }
        }
        if let parent = parents["memory"] {
            let name = isVersion2("memory") ? "memory.events" : "memory.oom_control"
            groups.oomEventsPath = "\(path(parent, spec))/\(name)"
        }
        return groups
    }

    private func path(_ parent: String, _ spec: ContainerSpec) -> String {
        parent == parents["cpu"] ? "\(shared(parent))/\(spec.id)" : "\(parent)/apus-\(scope)-\(spec.id)"
    }

    /// The group of all containers.
    private func shared(_ parent: String) -> String { "\(parent)/apus-\(scope)" }

    /// Makes a container's group; returns the error's number.
    ///
    /// Where the CPU is shared out it lies in a group of all containers, which weighs as much as the machine's cores, as
    /// upstream's `kubepods`: requests are shares among containers. Beside processes of the host, each of which counts
    /// 1024 under version 1, a container that asks for little would get next to nothing as soon as the host is busy.
    private func make(_ directory: String, in parent: String) -> Int32 {
        guard parent == parents["cpu"] else { return mkdir(directory, 0o755) == 0 || errno == EEXIST ? 0 : errno }
        let shared = shared(parent)
        // The end of the last other container takes the shared group away at any time.
        for _ in 0..<100 {
            guard mkdir(shared, 0o755) == 0 || errno == EEXIST else { return errno }
            if isVersion2("cpu") {
                for (controller, place) in parents where place == parent {
                    _ = SystemFiles.write("+\(controller)", to: "\(shared)/cgroup.subtree_control")
                }
            }
            let cores = Int64(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            let (file, value) = weight(1024 * min(max(1, cores), 256))
            _ = SystemFiles.write(value, to: "\(shared)/\(file)")
            if mkdir(directory, 0o755) == 0 || errno == EEXIST { return 0 }
            guard errno == ENOENT else { return errno }
        }
        return ENOENT
    }

    private func isVersion2(_ controller: String) -> Bool { parents[controller] == unified }

    private typealias Setting = (controller: String, file: String, value: String, isLimit: Bool)

    private func settings(for spec: ContainerSpec) -> [Setting] {
        var settings: [Setting] = []
        if let limit = spec.memoryBytes {
            if isVersion2("memory") {
                settings.append(("memory", "memory.max", String(limit), true))
                settings.append(("memory", "memory.swap.max", "0", false))
            } else {
                settings.append(("memory", "memory.limit_in_bytes", String(limit), true))
                settings.append(("memory", "memory.memsw.limit_in_bytes", String(limit), false))
            }
        }
        if let limit = spec.cpuMillis {
            // Thousandths of a core in a period of 100 ms; the kernel takes no less than 1 ms.
            let quota = max(1000, limit.multipliedReportingOverflow(by: 100).partialValue)
            if isVersion2("cpu") {
                settings.append(("cpu", "cpu.max", "\(quota) 100000", true))
            } else {
                settings.append(("cpu", "cpu.cfs_period_us", "100000", true))
                settings.append(("cpu", "cpu.cfs_quota_us", String(quota), true))
            }
        }
        let shares = min(
            262_144, max(2, (spec.cpuRequestMillis ?? 0).multipliedReportingOverflow(by: 1024).partialValue / 1000))
        let (file, value) = weight(shares)
        settings.append(("cpu", file, value, false))
        return settings
    }

    /// The file and the value that set shares of version 1.
    private func weight(_ shares: Int64) -> (file: String, value: String) {
        isVersion2("cpu") ? ("cpu.weight", String(1 + (shares - 2) * 9999 / 262_142)) : ("cpu.shares", String(shares))
    }

    /// Kills every process in the groups. Safe to repeat.
    static func kill(_ directories: [String]) {
        for directory in directories {
            if SystemFiles.write("1", to: "\(directory)/cgroup.kill") == 0 { continue }
            // What forks faster than it is killed is met again in the next round.
            for _ in 0..<20 {
                let pids = words("\(directory)/cgroup.procs").compactMap(Int32.init).filter { $0 > 1 && $0 != getpid() }
                if pids.isEmpty { break }
                for pid in pids { Glibc.kill(pid, SIGKILL) }
            }
        }
    }

    /// Removes the groups; killed processes may take a moment to leave them.
    static func remove(_ directories: [String]) throws(RuntimeError) {
        for directory in directories {
            for attempt in 0...100 {
                if rmdir(directory) == 0 || errno == ENOENT { break }
                guard errno == EBUSY, attempt < 100 else {
                    throw SystemFiles.failure("cannot remove the cgroup \(directory)")
                }
                kill([directory])
                usleep(10_000)
            }
            // The group of all containers, once it is empty.
            let parts = directory.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            if parts.last?.hasPrefix("apus-") == true { rmdir(parts.joined(separator: "/")) }
        }
    }
}
