// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CProcessShim
import Glibc
package import Logging
import Synchronization

/// Runs containers as processes of the host, each below a shim that outlives this process.
///
/// Everything is on disk under `root`, a directory for each container; a runtime that is created later on the same root
/// adopts what runs. Not enforced: file system, network and process isolation.
package final class ProcessRuntime: ContainerRuntime {
    struct Entry {
        var file: SpecFile
        var state: ContainerState
        /// The container's main process.
        var process: ProcessIdentity?
        /// Limits that the kernel refused at the start.
        var refused: [RuntimeNotice] = []
    }

    private enum Loading {
        case notStarted
        case running([CheckedContinuation<Void, Never>])
        case done
    }

    private struct Table {
        var entries: [String: Entry] = [:]
        var listeners: [Int: AsyncStream<String>.Continuation] = [:]
        var nextListener = 0
        var loading = Loading.notStarted
    }

    private let root: String
    let shimCommand: [String]
    private let cgroups: CgroupManager
    private let logger: Logger
    let monitor = DescriptorMonitor()
    private let table = Mutex(Table())

    /// Prepares a runtime; what is on disk is read at the first use.
    ///
    /// - Parameters:
    ///   - root: An absolute directory for the containers' state; created when missing.
    ///   - shimCommand: The program, an absolute path, and its first arguments that run `apus_shim_main`.
    ///   - cgroupParent: A cgroup path below which groups are made; this process's own cgroup by default.
    ///   - logger: Where starts, ends and losses are told.
    package init(
        root: String, shimCommand: [String], cgroupParent: String? = nil, logger: Logger = Logger(label: "apus.runtime")
    ) {
        self.root = root
        self.shimCommand = shimCommand
        self.cgroups = CgroupManager(parent: cgroupParent, root: root)
        self.logger = logger
    }

    deinit {
        monitor.stop()
        for listener in table.withLock({ $0.listeners }).values { listener.finish() }
    }

    func directory(_ id: String) -> ContainerDirectory { ContainerDirectory(path: "\(root)/\(id)") }

    // MARK: Starting

    /// Starts a container and returns once it runs, or `failedToStart` when its program cannot be executed.
    package func start(_ spec: ContainerSpec) async throws(RuntimeError) -> ContainerState {
        try spec.validate()
        await load()
        let isNew = table.withLock { table in
            guard table.entries[spec.id] == nil else { return false }
            table.entries[spec.id] = Entry(file: SpecFile(spec: spec), state: .created)
            return true
        }
        guard isNew else { throw RuntimeError(.alreadyExists, "container \(spec.id) exists already") }
        do {
            return try await launch(spec)
        } catch {
            _ = table.withLock { $0.entries.removeValue(forKey: spec.id) }
            throw error
        }
    }

    private func launch(_ spec: ContainerSpec) async throws(RuntimeError) -> ContainerState {
        let directory = directory(spec.id)
        let shim = try await BlockingWork.run { () throws(RuntimeError) in
            try SystemFiles.makeDirectories(directory.path, mode: 0o700)
            let groups = self.cgroups.create(for: spec)
            for notice in groups.refused { self.logger.warning("\(notice.message)") }
            let file = SpecFile(spec: spec, cgroups: groups.directories, oomEventsPath: groups.oomEventsPath)
            self.table.withLock { table in
                table.entries[spec.id]?.file = file
                table.entries[spec.id]?.refused = groups.refused
            }
            do throws(RuntimeError) {
                return try directory.startShim(file, command: self.shimCommand)
            } catch {
                try? CgroupManager.remove(groups.directories)
                try? SystemFiles.removeFlatDirectory(directory.path)
                throw error
            }
        }
        return await withCheckedContinuation { continuation in
            let report = ByteBox()
            monitor.watch(shim.reports) { [weak self] file in
                while let bytes = SystemFiles.read(file, count: 4096) {
                    if bytes.isEmpty {
                        let state = self?.started(spec.id, shim: shim, report: report.take()) ?? .lost
                        continuation.resume(returning: state)
                        return false
                    }
                    report.append(bytes)
                }
                return true
            }
        }
    }

    /// Takes in what a new shim reported before it closed the pipe, and watches the shim from then on.
    private func started(_ id: String, shim: ContainerDirectory.Shim, report: [UInt8]) -> ContainerState {
        let state = ShimStateFile(report)
        let result: ContainerState
        if let process = state.container, let startedAt = state.startedAt {
            result = .running(pid: process.pid, startedAt: startedAt)
        } else if let error = state.error {
            result = .failedToStart(error)
        } else {
            let log = SystemFiles.text("\(directory(id).path)/shim.log") ?? ""
            result = .failedToStart("the container's shim ended before the container ran. \(log.suffix(1000))")
        }
        table.withLock { table in
            table.entries[id]?.process = state.container
            table.entries[id]?.state = result
        }
        watch(id, pidfd: shim.pidfd, childPID: shim.pid)
        emit(id)
        return result
    }

    // MARK: Ends

    /// Waits for the shim's end. `childPID`: its number where this process started it and so must collect it.
    private func watch(_ id: String, pidfd: Int32, childPID: Int32?) {
        monitor.watch(pidfd) { [weak self] _ in
            if let childPID { waitpid(childPID, nil, 0) }
            self?.shimEnded(id)
            return false
        }
    }

    private func shimEnded(_ id: String) {
        guard let entry = table.withLock({ $0.entries[id] }), !entry.state.isFinal else { return }
        var state = directory(id).finalState(of: entry.file.spec)
        if state == nil {
            logger.warning("the shim of container \(id) died; what is left of the container is killed")
            killProcesses(of: entry)
            state = .lost
        }
        table.withLock { $0.entries[id]?.state = state ?? .lost }
        emit(id)
    }

    private func killProcesses(of entry: Entry) {
        _ = entry.process?.signalGroup(SIGKILL)
        CgroupManager.kill(entry.file.cgroups)
    }

    private func emit(_ id: String) {
        for listener in table.withLock({ $0.listeners }).values { listener.yield(id) }
    }

    /// The ids of containers whose state changed, from now on.
    package func events() -> AsyncStream<String> {
        // Unbounded: a container's state changes twice at most, so what waits is bounded by the containers.
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let number = table.withLock { table in
            table.nextListener += 1
            table.listeners[table.nextListener] = continuation
            return table.nextListener
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.table.withLock { $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    // MARK: Adoption

    /// Reads what is on disk, once.
    func load() async {
        if case .done = table.withLock({ $0.loading }) { return }
        await withCheckedContinuation { continuation in
            let begins = table.withLock { table in
                switch table.loading {
                case .notStarted:
                    table.loading = .running([continuation])
                    return true
                case .running(let waiting):
                    table.loading = .running(waiting + [continuation])
                case .done:
                    continuation.resume()
                }
                return false
            }
            if begins { BlockingWork.submit { self.adoptAll() } }
        }
    }

    private func adoptAll() {
        try? SystemFiles.makeDirectories(root, mode: 0o700)
        for id in SystemFiles.names(in: root) where ContainerSpec.isValid(id: id) {
            let directory = directory(id)
            if let file = directory.readSpec(), file.spec.id == id {
                adopt(file, in: directory)
            } else if !directory.isLockHeld {
                // The agent died before it had written what to start.
                try? SystemFiles.removeFlatDirectory(directory.path)
            }
        }
        let waiting = table.withLock { table in
            defer { table.loading = .done }
            if case .running(let waiting) = table.loading { return waiting }
            return []
        }
        for continuation in waiting { continuation.resume() }
    }

    private func adopt(_ file: SpecFile, in directory: ContainerDirectory) {
        let id = file.spec.id
        var finding = directory.inspect(file.spec)
        // A shim that was started just before the agent died has its process in the files within milliseconds.
        for _ in 0..<400 {
            if case .final = finding { break }
            if case .alive(_, .some, _) = finding { break }
            usleep(5000)
            finding = directory.inspect(file.spec)
        }
        var entry = Entry(file: file, state: .lost)
        switch finding {
        case .alive(let shim, let container, let startedAt):
            entry.process = container
            if let container, let startedAt { entry.state = .running(pid: container.pid, startedAt: startedAt) }
            let pidfd = apus_pidfd_open(shim.pid)
            guard pidfd >= 0, shim.exists else {
                if pidfd >= 0 { close(pidfd) }
                table.withLock { $0.entries[id] = entry }
                shimEnded(id)
                return
            }
            table.withLock { $0.entries[id] = entry }
            watch(id, pidfd: pidfd, childPID: nil)
            logger.info("adopted container \(id)")
        case .final(let state):
            entry.state = state
            entry.process = directory.readState().container
            if state == .lost { killProcesses(of: entry) }
            table.withLock { $0.entries[id] = entry }
        case .starting:
            table.withLock { $0.entries[id] = entry }
            logger.error("the shim of container \(id) does not come up; the container counts as lost")
        }
    }

    // MARK: Questions and orders

    func entry(_ id: String) throws(RuntimeError) -> Entry {
        guard let entry = table.withLock({ $0.entries[id] }) else {
            throw RuntimeError(.notFound, "container \(id) is not known")
        }
        return entry
    }

    /// The container's state; nil when the id is not known.
    package func state(of id: String) async -> ContainerState? {
        await load()
        return table.withLock { $0.entries[id]?.state }
    }

    /// Everything that is known, in the order of ids.
    package func containers() async -> [ContainerRecord] {
        await load()
        let entries = table.withLock { $0.entries.values.map { ContainerRecord(spec: $0.file.spec, state: $0.state) } }
        return entries.sorted { $0.spec.id < $1.spec.id }
    }

    /// Id, main process and cgroups of each container that runs.
    func runningContainers() async -> [(id: String, process: ProcessIdentity, cgroups: [String])] {
        await load()
        return table.withLock { table in
            table.entries.compactMap { id, entry in
                guard case .running = entry.state, let process = entry.process else { return nil }
                return (id, process, entry.file.cgroups)
            }
        }
    }

    /// Sends a signal to the container's whole process group.
    package func signal(_ id: String, _ signal: Int32) async throws(RuntimeError) {
        await load()
        let entry = try entry(id)
        guard case .running = entry.state, let process = entry.process else {
            throw RuntimeError(.notRunning, "container \(id) does not run")
        }
        let code = await BlockingWork.run { process.signalGroup(signal) }
        if code == ESRCH { throw RuntimeError(.notRunning, "container \(id) has just ended") }
        guard code == 0 else {
            throw RuntimeError(.system, "cannot signal container \(id): \(String(cString: strerror(code)))")
        }
    }

    /// Sends SIGKILL to everything that belongs to the container.
    package func kill(_ id: String) async {
        await load()
        guard let entry = try? entry(id), !entry.state.isFinal else { return }
        await BlockingWork.run { self.killProcesses(of: entry) }
    }

    /// Forgets a container that has ended, with its directory and its cgroups; the log files stay.
    package func remove(_ id: String) async throws(RuntimeError) {
        await load()
        let entry = try entry(id)
        guard entry.state.isFinal else {
            throw RuntimeError(.stillRunning, "container \(id) still runs: kill it first, then remove it")
        }
        let directory = directory(id)
        try await BlockingWork.run { () throws(RuntimeError) in
            try CgroupManager.remove(entry.file.cgroups)
            try SystemFiles.removeFlatDirectory(directory.path)
        }
        _ = table.withLock { $0.entries.removeValue(forKey: id) }
    }

    /// What of this description would not be (or, once started, is not) enforced.
    package func notices(for spec: ContainerSpec) -> [RuntimeNotice] {
        cgroups.notices(for: spec) + (table.withLock { $0.entries[spec.id]?.refused } ?? [])
    }
}

/// Bytes that gather on one thread and are taken on another.
final class ByteBox: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    func append(_ more: [UInt8]) { bytes.withLock { $0 += more } }

    func take() -> [UInt8] {
        bytes.withLock { bytes in
            defer { bytes = [] }
            return bytes
        }
    }
}
