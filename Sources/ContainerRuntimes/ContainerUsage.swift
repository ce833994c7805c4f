// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What a running container has used and holds.
package struct ContainerUsage: Sendable, Equatable {
    /// CPU time since its start, in nanoseconds.
    package var cpuNanoseconds: UInt64
    /// Memory that cannot be taken from it without swapping, in bytes.
    package var memoryBytes: UInt64
    /// When it was started, in the host's monotonic ticks; another number is another run.
    package var run: UInt64

    package init(cpuNanoseconds: UInt64, memoryBytes: UInt64, run: UInt64) {
        self.cpuNanoseconds = cpuNanoseconds
        self.memoryBytes = memoryBytes
        self.run = run
    }
}

/// One look at all processes of the host, from which the use of any number of containers is summed.
///
/// Source: proc(5). Memory is the resident set without what is shared; pages of program files are not charged to
/// anybody, as all roles of one binary share them.
struct ProcessCensus {
    struct Process: Equatable {
        var pid: Int32
        var parent: Int32
        var session: Int32
        /// Of itself and of the children that it has waited for, in clock ticks.
        var ticks: UInt64
    }

    private let processes: [Int32: Process]
    private let memberOf: [Int32: Int32]

    /// Reads `/proc`. Blocks for some milliseconds.
    init(leaders: Set<Int32>) {
        let pids = SystemFiles.names(in: "/proc").compactMap { Int32($0) }
        self.init(
            pids.compactMap { pid in
                SystemFiles.text("/proc/\(pid)/stat").flatMap { Self.parse($0, pid: pid) }
            }, leaders: leaders)
    }

    /// Sorts processes to the sessions that containers lead, descendants that left the session included.
    init(_ processes: [Process], leaders: Set<Int32>) {
        self.processes = Dictionary(processes.map { ($0.pid, $0) }) { first, _ in first }
        var members: [Int32: Int32] = [:]
        for process in processes {
            var at: Process? = process
            var steps = 0
            while let present = at, steps < 64 {
                if leaders.contains(present.session) {
                    members[process.pid] = present.session
                    break
                }
                at = present.parent > 1 ? self.processes[present.parent] : nil
                steps += 1
            }
        }
        memberOf = members
    }

    /// The process in a line of `/proc/PID/stat`; the command's name in it, in parentheses, may hold anything.
    static func parse(_ line: String, pid: Int32) -> Process? {
        guard let close = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: close)...].split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard fields.count > 14, let parent = Int32(fields[1]), let session = Int32(fields[3]) else { return nil }
        let ticks = fields[11...14].reduce(UInt64(0)) { $0 + (UInt64($1) ?? 0) }
        return Process(pid: pid, parent: parent, session: session, ticks: ticks)
    }

    /// CPU time of a container's processes in clock ticks.
    func ticks(of leader: Int32) -> UInt64 {
        members(of: leader).reduce(0) { $0 + (processes[$1]?.ticks ?? 0) }
    }

    /// The processes of a container.
    func members(of leader: Int32) -> [Int32] { memberOf.filter { $0.value == leader }.keys.sorted() }

    /// Resident bytes of a process that it does not share; 0 when it has ended.
    static func privateBytes(_ pid: Int32) -> UInt64 {
        guard let text = SystemFiles.text("/proc/\(pid)/statm") else { return 0 }
        let fields = text.split(separator: " ").compactMap { UInt64($0) }
        guard fields.count > 2, fields[1] >= fields[2] else { return 0 }
        return (fields[1] - fields[2]) * UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
    }
}

extension CgroupManager {
    /// CPU time in nanoseconds and memory in bytes of the groups of a container; nil where no group counts it.
    ///
    /// Source: the kernel's cgroup-v2 and cgroup-v1 documentation. The working set is what is charged less the inactive
    /// part of the page cache.
    static func usage(_ directories: [String]) -> (cpu: UInt64?, memory: UInt64?) {
        var cpu: UInt64?
        var memory: UInt64?
        for directory in directories {
            if cpu == nil, let stat = SystemFiles.text("\(directory)/cpu.stat"), let used = number("usage_usec", stat) {
                // Without its controller version 2 counts CPU time nevertheless.
                cpu = used * 1000
            }
            if cpu == nil, let used = SystemFiles.text("\(directory)/cpuacct.usage").flatMap(plain) { cpu = used }
            let pairs = [("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")]
            for (file, cache) in pairs where memory == nil {
                guard let used = SystemFiles.text("\(directory)/\(file)").flatMap(plain) else { continue }
                let inactive = SystemFiles.text("\(directory)/memory.stat").flatMap { number(cache, $0) } ?? 0
                memory = used > inactive ? used - inactive : 0
            }
        }
        return (cpu, memory)
    }

    private static func plain(_ text: String) -> UInt64? { UInt64(text.prefix { $0.isNumber }) }

    /// The number behind a word at the start of a line.
    static func number(_ word: String, _ text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ")
            if parts.count == 2, parts[0] == word { return UInt64(parts[1]) }
        }
        return nil
    }
}

extension ProcessRuntime {
    /// What each running container has used, by id. Cgroups say it where there are any, `/proc` elsewhere.
    package func usage() async -> [String: ContainerUsage] {
        let running = await runningContainers()
        guard !running.isEmpty else { return [:] }
        return await BlockingWork.run {
            var census: ProcessCensus?
            var result: [String: ContainerUsage] = [:]
            let ticksPerSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
            for (id, process, cgroups) in running {
                let counted = CgroupManager.usage(cgroups)
                var cpu = counted.cpu
                var memory = counted.memory
                if cpu == nil || memory == nil {
                    let all = census ?? ProcessCensus(leaders: Set(running.map { $0.process.pid }))
                    census = all
                    cpu = cpu ?? all.ticks(of: process.pid) * (1_000_000_000 / ticksPerSecond)
                    memory =
                        memory ?? all.members(of: process.pid).reduce(0) { $0 + ProcessCensus.privateBytes($1) }
                }
                result[id] = ContainerUsage(
                    cpuNanoseconds: cpu ?? 0, memoryBytes: memory ?? 0, run: process.startTicks)
            }
            return result
        }
    }
}
