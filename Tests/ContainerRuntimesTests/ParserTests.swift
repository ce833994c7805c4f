// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Glibc
import SeededRandom
import Testing

@testable import ContainerRuntimes

struct ParserTests {
    @Test func recordsFromAnyPieces() {
        var generator = SplitMix(state: 7)
        for _ in 0..<300 {
            let bytes = Self.randomLog(&generator)
            var whole = CRILogParser()
            let expected = whole.append(bytes) + [whole.finish()].compactMap { $0 }
            var split = CRILogParser()
            var records: [CRILogRecord] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...40, using: &generator)
                records += split.append(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            if let last = split.finish() { records.append(last) }
            #expect(records == expected)
        }
    }

    @Test func lineWithoutEndIsBounded() {
        var parser = CRILogParser()
        var count = 0
        for _ in 0..<40 {
            for record in parser.append([UInt8](repeating: 120, count: 100_000)) { count += record.content.count }
        }
        #expect(count >= 3 << 20)
    }

    @Test func tailAgreesWithReadingAll() throws {
        var generator = SplitMix(state: 11)
        let path = "/tmp/apus-tail-\(getpid())"
        defer { unlink(path) }
        for _ in 0..<200 {
            let bytes = Self.randomLog(&generator)
            try SystemFiles.replace(path, with: bytes)
            let file = open(path, O_RDONLY)
            defer { close(file) }
            let lines = Int.random(in: 0...12, using: &generator)
            let block = Int.random(in: 1...200, using: &generator)
            let (offset, found) = LogTail.start(of: lines, in: file, size: bytes.count, blockBytes: block)
            // Offsets of record starts, and whether each record ends a line.
            var starts: [(Int, Bool)] = []
            var at = 0
            for line in bytes.split(separator: 10, omittingEmptySubsequences: false) {
                if at < bytes.count { starts.append((at, !CRILogRecord(line: line).isPartial)) }
                at += line.count + 1
            }
            var expected = bytes.count
            var count = 0
            for (start, ends) in starts.reversed() where lines > 0 {
                if ends {
                    if count == lines { break }
                    count += 1
                }
                expected = start
            }
            #expect(offset == expected && found == count)
        }
    }

    @Test func specFileSurvives() {
        var spec = ContainerSpec(id: "a_b-1.c", argv: ["x", "", "ä\n 5\n"], logPath: "/l")
        spec.environment = ["PATH": "/", "E": "a=b\n"]
        spec.labels = ["k": "v", "": ""]
        (spec.user, spec.group, spec.cpuMillis, spec.memoryBytes) = (0, 5, 100, 1 << 40)
        (spec.oomScoreAdjust, spec.openFileLimit, spec.attempt) = (-3, 9, 4)
        (spec.workingDirectory, spec.terminationMessagePath) = ("/w", "/t")
        let file = SpecFile(spec: spec, cgroups: ["/c"], oomEventsPath: "/o")
        let bytes = file.encoded
        #expect(SpecFile(bytes) == file)
        for count in 0..<bytes.count - 1 { #expect(SpecFile(Array(bytes.prefix(count))) == nil) }
        var generator = SplitMix(state: 3)
        for _ in 0..<2000 {
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            _ = SpecFile(damaged)
        }
    }

    @Test func startTimeBehindAnOddName() {
        let line = "12 (a) b (c)) S 1 12 12 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 1 0 987 1000 33 0\n"
        #expect(ProcessIdentity.startTicks(inStat: line) == 987)
        for line in ["garbage", ")(", ""] { #expect(ProcessIdentity.startTicks(inStat: line) == nil) }
    }

    @Test func cgroupDirectories() {
        let mounts = """
            30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
            31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
            32 30 0:28 /docker/x /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
            33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
            """
        let own = "4:memory:/docker/x/y\n3:cpu,cpuacct:/\n0::/u/v\n"
        let found = CgroupHierarchies(mounts: mounts, own: own)
        #expect(found.version1["cpu"] == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(found.version1["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(found.version1["memory"] == "/sys/fs/cgroup/memory/y")
        #expect(found.version2 == "/sys/fs/cgroup/unified/u/v")
        let given = CgroupHierarchies(mounts: mounts, own: own, parent: "apus/pods")
        #expect(given.version1["memory"] == "/sys/fs/cgroup/memory/apus/pods")
        #expect(CgroupHierarchies(mounts: "x - \n - cgroup", own: "::\n:") == CgroupHierarchies(mounts: "", own: ""))
    }

    @Test func missingControllersAreTold() {
        let manager = CgroupManager(
            hierarchies: CgroupHierarchies(mounts: "", own: ""), createsParents: false, root: "/r")
        var spec = ContainerSpec(id: "a", containerName: "main", argv: ["x"], logPath: "/l")
        #expect(manager.notices(for: spec).isEmpty)
        (spec.cpuMillis, spec.memoryBytes) = (500, 1 << 20)
        #expect(
            manager.notices(for: spec).map(\.message) == [
                "memory limit of 1048576 bytes of container main is not enforced: "
                    + "the host has no cgroup controller \"memory\"",
                "CPU limit of 500m of container main is not enforced: the host has no cgroup controller \"cpu\"",
            ])
        #expect(manager.create(for: spec) == CgroupManager.Groups())
    }

    @Test func `CPU requests count among containers, not beside the processes of the host`() throws {
        let base = "/tmp/apus-cgroups-\(RandomID.suffix(length: 10))"
        defer { _ = system("rm -rf \(base)") }
        let (cpu, memory) = ("\(base)/cpu", "\(base)/memory")
        // Plain folders, with the file that the kernel would make.
        let shared = "\(cpu)/apus-\(String(StableHash.of("/r") & 0xFFFF_FFFF, radix: 16))"
        for directory in [memory, shared] { try SystemFiles.makeDirectories(directory) }
        try SystemFiles.replace("\(shared)/cpu.shares", with: [])
        var hierarchies = CgroupHierarchies(mounts: "", own: "")
        hierarchies.version1 = ["cpu": cpu, "memory": memory]
        let manager = CgroupManager(hierarchies: hierarchies, createsParents: false, root: "/r")
        var spec = ContainerSpec(id: "a", containerName: "main", argv: ["x"], logPath: "/l")
        spec.cpuRequestMillis = 20

        let first = manager.create(for: spec)
        spec.id = "b"
        let second = manager.create(for: spec)
        #expect(first.directories == ["\(shared)/a", "\(memory)/\(shared.dropFirst(cpu.count + 1))-a"])
        #expect(second.directories.first == "\(shared)/b" && second.refused.isEmpty)
        let cores = Int64(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        #expect(SystemFiles.text("\(shared)/cpu.shares") == String(1024 * min(cores, 256)))

        // The shared group goes with the last container, and comes with the next.
        #expect(unlink("\(shared)/cpu.shares") == 0)
        try CgroupManager.remove(first.directories)
        #expect(access(shared, F_OK) == 0)
        try CgroupManager.remove(second.directories)
        #expect(access(shared, F_OK) != 0)
        #expect(manager.create(for: spec).directories == second.directories && access(shared, F_OK) == 0)
    }

    @Test func podAddresses() throws {
        var pool = try PodAddressPool(prefix: "127.80", reserved: ["127.80.0.1"])
        let first = try pool.allocate("uid-1")
        #expect(try pool.allocate("uid-1") == first)
        var other = try PodAddressPool(prefix: "127.80")
        #expect(try other.allocate("uid-1") == first)
        for address in [first, "127.81.0.5", "127.80.0.255", "127.80.0.1", "127.80.0", ""] {
            let adopted = pool.adopt("uid-2", address: address)
            #expect(!adopted)
        }
        pool.release("uid-1")
        let adopted = pool.adopt("uid-2", address: first)
        #expect(adopted)
        #expect(try pool.allocate("uid-1") != first)
        var seen: Set<String> = [first]
        for index in 0..<PodAddressPool.capacity - 2 {
            let address = try pool.allocate(index == 0 ? "uid-1" : "u\(index)")
            #expect(!address.hasSuffix(".0") && !address.hasSuffix(".255"))
            seen.insert(address)
        }
        #expect(seen.count == PodAddressPool.capacity - 1 && !seen.contains("127.80.0.1"))
        #expect(throws: RuntimeError.self) { try pool.allocate("one more") }
        for prefix in ["128.1", "127", "127.256", "127.1.2", "127.01", ""] {
            #expect(throws: RuntimeError.self) { try PodAddressPool(prefix: prefix) }
        }
    }

    /// Records, partial ones, garbage, empty lines; sometimes no line end at the end.
    private static func randomLog(_ generator: inout SplitMix) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...20, using: &generator) {
            let text = (0..<Int.random(in: 0...90, using: &generator)).map { _ in
                UInt8.random(in: 11...255, using: &generator)
            }
            switch Int.random(in: 0...5, using: &generator) {
            case 0: break
            case 1, 2: bytes += "2026-01-02T03:04:05.123456789Z stdout P ".utf8
            default: bytes += "2026-01-02T03:04:05.123456789Z stderr F ".utf8
            }
            bytes += text + [10]
        }
        if Bool.random(using: &generator), !bytes.isEmpty { bytes.removeLast() }
        return bytes
    }
}

@Suite struct UsageParserTests {
    @Test func `lines of a process`() {
        let line =
            "42 (a) b (c) S 7 42 40 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 12345 1000 10 18446744073709551615"
        #expect(ProcessCensus.parse(line, pid: 42) == .init(pid: 42, parent: 7, session: 40, ticks: 110))
        #expect(ProcessCensus.parse("42 (x) S 1 2", pid: 42) == nil)
        #expect(ProcessCensus.parse("", pid: 42) == nil)
    }

    @Test func `processes belong to the session that they or an ancestor are in`() {
        func process(_ pid: Int32, parent: Int32, session: Int32, ticks: UInt64) -> ProcessCensus.Process {
            .init(pid: pid, parent: parent, session: session, ticks: ticks)
        }
        let census = ProcessCensus(
            [
                process(10, parent: 1, session: 10, ticks: 1), process(11, parent: 10, session: 10, ticks: 2),
                // It has a session of its own, and its child is in it.
                process(12, parent: 11, session: 12, ticks: 4), process(13, parent: 12, session: 12, ticks: 8),
                process(20, parent: 1, session: 20, ticks: 16), process(30, parent: 1, session: 30, ticks: 32),
                // A loop, which a changing table can show, ends.
                process(40, parent: 41, session: 40, ticks: 64), process(41, parent: 40, session: 40, ticks: 64),
            ], leaders: [10, 20])
        #expect(census.members(of: 10) == [10, 11, 12, 13])
        #expect(census.ticks(of: 10) == 15)
        #expect(census.members(of: 20) == [20])
        #expect(census.members(of: 30).isEmpty)
    }

    @Test func `counters of groups`() {
        let stat = "usage_usec 1500\nuser_usec 1000\n"
        #expect(CgroupManager.number("usage_usec", stat) == 1500)
        #expect(CgroupManager.number("usage", stat) == nil)
    }
}
