// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import ContainerRuntimes
import FoundationEssentials
package import KubeAPI
import NIOPosix
import Synchronization

/// Turns counters that are read from time to time into rates. A value whose clock is given with each reading.
package struct UsageMeter: Sendable {
    private struct Reading {
        var usage: ContainerUsage
        var moment: Timestamp
    }

    private var readings: [String: Reading] = [:]
    /// The rates between the last two readings, by id; what has been read once only has none.
    package private(set) var rates: [String: ResourceUsage] = [:]

    package init() {}

    /// Takes in a reading of everything that runs; what is not in it is forgotten.
    package mutating func read(_ usage: [String: ContainerUsage], at moment: Timestamp) {
        var rates: [String: ResourceUsage] = [:]
        for (id, present) in usage {
            guard let before = readings[id], before.usage.run == present.run, before.moment < moment else { continue }
            let window = moment - before.moment
            let used = Double(present.cpuNanoseconds) - Double(before.usage.cpuNanoseconds)
            // A process that ended unnoticed takes its time with it.
            let rate = max(0, used) / Double(max(1, window.nanoseconds)) * 1e9
            rates[id] = ResourceUsage(
                cpuNanoCores: UInt64(rate.rounded()), memoryBytes: present.memoryBytes, timestamp: moment,
                window: window)
        }
        self.rates = rates
        readings = usage.mapValues { Reading(usage: $0, moment: moment) }
    }
}

/// Reads what the node and its containers use, every so often, so that asking costs nothing.
final class UsageSampler: Sendable {
    private static let machine = "machine"

    private let runtime: any ContainerRuntime
    private let interval: Duration
    private let meter = Mutex(UsageMeter())

    init(runtime: any ContainerRuntime, interval: Duration) {
        self.runtime = runtime
        self.interval = interval
    }

    /// Reads until cancelled.
    func run() async {
        repeat {
            var usage = await runtime.usage()
            usage[Self.machine] = try? await NIOThreadPool.singleton.runIfActive { Self.readMachine() }
            let reading = usage
            let moment = Timestamp.now()
            meter.withLock { $0.read(reading, at: moment) }
        } while (try? await Task.sleep(for: interval)) != nil
    }

    func rate(of container: String) -> ResourceUsage? { meter.withLock { $0.rates[container] } }
    var machine: ResourceUsage? { rate(of: Self.machine) }

    /// Source: proc(5), `/proc/stat` and `/proc/meminfo`.
    private static func readMachine() -> ContainerUsage {
        func lines(_ path: String) -> [Substring] {
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
                .split(separator: "\n")
        }
        let cpu = lines("/proc/stat").first?.split(separator: " ").dropFirst().compactMap { UInt64($0) } ?? []
        var memory: [Substring: UInt64] = [:]
        for line in lines("/proc/meminfo") {
            let parts = line.split(whereSeparator: { $0 == ":" || $0 == " " })
            if parts.count > 1 { memory[parts[0]] = (UInt64(parts[1]) ?? 0) * 1024 }
        }
        return machine(cpu, total: memory["MemTotal"] ?? 0, available: memory["MemAvailable"] ?? 0)
    }

    /// - Parameters:
    ///   - cpu: numbers of the line `cpu`: user, nice, system, idle, iowait, irq, softirq, steal, in hundredths of a
    ///     second.
    ///   - total: bytes of memory.
    ///   - available: bytes of it that programs could have.
    /// - Returns: what the machine has used and holds.
    static func machine(_ cpu: [UInt64], total: UInt64, available: UInt64) -> ContainerUsage {
        let busy = cpu.enumerated().filter { [0, 1, 2, 5, 6].contains($0.offset) }.reduce(0) { $0 + $1.element }
        return ContainerUsage(
            cpuNanoseconds: busy * 10_000_000, memoryBytes: total > available ? total - available : 0, run: 0)
    }
}

extension NodeAgent {
    /// What the node uses, nil until it has been read twice.
    package var machineUsage: ResourceUsage? { sampler.machine }

    /// What the running pods use; pods of which a running container has not been read twice are left out.
    package var podUsage: [PodUsage] {
        runningContainers.compactMap { pod, ids in
            var containers: [(name: String, usage: ResourceUsage)] = []
            for (name, id) in ids {
                guard let rate = sampler.rate(of: id) else { return nil }
                containers.append((name, rate))
            }
            return PodUsage(pod: pod, containers: containers)
        }
    }
}
