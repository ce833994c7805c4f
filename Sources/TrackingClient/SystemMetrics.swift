// SPDX-License-Identifier: Apache-2.0
import NIOCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What `/proc` says of the machine and of this process, parsed; proc(5).
package struct SystemReading: Sendable, Hashable {
    /// Ticks of all processors since the start of the machine: in all, and idle.
    package var ticks: Int64 = 0
    package var idleTicks: Int64 = 0
    /// Ticks that this process has had.
    package var processTicks: Int64 = 0
    /// Bytes.
    package var memory: Int64 = 0
    package var availableMemory: Int64 = 0
    package var processMemory: Int64 = 0
    /// Bytes since the start of the machine, of all interfaces but the loopback.
    package var received: Int64 = 0
    package var transmitted: Int64 = 0
    /// Bytes of the root's file system: in all, and free for anybody.
    package var disk: Int64 = 0
    package var freeDisk: Int64 = 0

    package init() {}

    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. Guests are within user.
    package mutating func take(stat: String) {
        let fields = stat.prefix { $0 != "\n" }.split(separator: " ").dropFirst().prefix(8).compactMap { Int64($0) }
        guard fields.count >= 5 else { return }
        ticks = fields.reduce(0, +)
        idleTicks = fields[3] + fields[4]
    }

    /// `/proc/meminfo`, in KiB.
    package mutating func take(memory text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 2, let kibibytes = Int64(fields[1]) else { continue }
            switch fields[0] {
            case "MemTotal:": memory = kibibytes << 10
            case "MemAvailable:": availableMemory = kibibytes << 10
            default: continue
            }
        }
    }

    /// `/proc/self/stat`. The name, in brackets, may have anything in it.
    package mutating func take(process text: String, pageSize: Int64) {
        guard let end = text.lastIndex(of: ")") else { return }
        let fields = text[text.index(after: end)...].split(separator: " ")
        // Fields 14 and 15 (times) and 24 (pages), counted from 1; the first here is the third.
        guard fields.count > 21, let user = Int64(fields[11]), let system = Int64(fields[12]),
            let pages = Int64(fields[21])
        else { return }
        processTicks = user + system
        processMemory = pages * pageSize
    }

    /// `/proc/net/dev`.
    package mutating func take(network text: String) {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].filter({ $0 != " " }) != "lo" else { continue }
            let fields = parts[1].split(separator: " ").compactMap { Int64($0) }
            guard fields.count >= 9 else { continue }
            received += fields[0]
            transmitted += fields[8]
        }
    }

    /// The metrics between an earlier reading and this one, under MLflow's names, and those of this process beside them.
    /// Traffic counts from the `first` reading of the run.
    package func metrics(
        since before: SystemReading?, first: SystemReading, processors: Int
    ) -> [(key: String, value: Double)] {
        var values: [(key: String, value: Double)] = []
        func add(_ key: String, _ value: Double) { values.append(("system/" + key, (value * 10).rounded() / 10)) }
        if let before, ticks > before.ticks {
            let all = Double(ticks - before.ticks)
            add("cpu_utilization_percentage", 100 * (1 - min(Double(idleTicks - before.idleTicks) / all, 1)))
            // Of one processor, as top(1) counts.
            add(
                "process_cpu_utilization_percentage",
                100 * Double(processTicks - before.processTicks) / all * Double(processors))
        }
        if memory > 0 {
            let used = Double(memory - availableMemory)
            add("system_memory_usage_megabytes", used / 1e6)
            add("system_memory_usage_percentage", 100 * used / Double(memory))
        }
        if processMemory > 0 { add("process_memory_usage_megabytes", Double(processMemory) / 1e6) }
        if disk > 0 {
            add("disk_usage_megabytes", Double(disk - freeDisk) / 1e6)
            add("disk_usage_percentage", 100 * Double(disk - freeDisk) / Double(disk))
            add("disk_available_megabytes", Double(freeDisk) / 1e6)
        }
        add("network_receive_megabytes", Double(received - first.received) / 1e6)
        add("network_transmit_megabytes", Double(transmitted - first.transmitted) / 1e6)
        return values
    }
}

/// Looks at the machine and this process, every now and then.
struct SystemSampler: Sendable {
    struct Sample: Sendable {
        let step: Int64
        let values: [(key: String, value: Double)]
    }

    /// When it is to look the next time.
    private(set) var next: ContinuousClock.Instant
    private let interval: Duration
    private var first: SystemReading?
    private var last: SystemReading?
    private var step: Int64 = 0

    init(next: ContinuousClock.Instant, interval: Duration) {
        self.next = next
        self.interval = interval
    }

    func isDue(_ now: ContinuousClock.Instant) -> Bool { next <= now }

    /// Nil where there is nothing to compare with yet, or `/proc` cannot be read.
    mutating func sample(_ now: ContinuousClock.Instant) async -> Sample? {
        // The second look comes soon, so that there are values early.
        next = now + (first == nil ? min(interval, .milliseconds(500)) : interval)
        guard let reading = try? await FileCalls.run({ try Self.read() }) else { return nil }
        defer { last = reading }
        guard let first, let last, reading.ticks > last.ticks else {
            first = first ?? reading
            return nil
        }
        let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        defer { step += 1 }
        return Sample(step: step, values: reading.metrics(since: last, first: first, processors: processors))
    }

    /// Blocks.
    private static func read() throws -> SystemReading {
        func text(_ path: String) throws -> String {
            let file = try OpenFile(reading: path)
            var bytes: [UInt8] = []
            while true {
                let part = try file.read(64 << 10, at: Int64(bytes.count))
                if part.readableBytes == 0 { return String(decoding: bytes, as: UTF8.self) }
                bytes += part.readableBytesView
            }
        }
        var reading = SystemReading()
        reading.take(stat: try text("/proc/stat"))
        reading.take(memory: try text("/proc/meminfo"))
        reading.take(process: try text("/proc/self/stat"), pageSize: Int64(sysconf(Int32(_SC_PAGESIZE))))
        reading.take(network: try text("/proc/net/dev"))
        var system = statvfs()
        if statvfs("/", &system) == 0 {
            reading.disk = Int64(system.f_blocks) * Int64(system.f_frsize)
            reading.freeDisk = Int64(system.f_bavail) * Int64(system.f_frsize)
        }
        return reading
    }
}
