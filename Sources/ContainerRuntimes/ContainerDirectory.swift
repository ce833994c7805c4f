// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CProcessShim
import Glibc

/// The directory of one container: `spec`, `state`, `exit`, `lock` and `shim.log`. Its operations block.
struct ContainerDirectory: Sendable {
    var path: String

    var specPath: String { "\(path)/spec" }

    /// What the files and the shim's lock say together.
    enum Finding: Equatable {
        case final(ContainerState)
        /// The shim lives; the container's process is known once it is started.
        case alive(shim: ProcessIdentity, container: ProcessIdentity?, startedAt: Timestamp?)
        /// The shim lives and has not written its number yet.
        case starting
    }

    func readSpec() -> SpecFile? { SystemFiles.read(specPath).flatMap(SpecFile.init) }

    func readState() -> ShimStateFile { ShimStateFile(SystemFiles.read("\(path)/state") ?? []) }

    /// The state after the shim's end; nil when it left none.
    func finalState(of spec: ContainerSpec) -> ContainerState? {
        if let exit = SystemFiles.read("\(path)/exit").flatMap(ShimExitFile.init) {
            var message: String?
            if let file = spec.terminationMessagePath {
                message = Self.head(of: file, count: 4096)
            }
            return .exited(
                code: exit.code, signal: exit.signal, startedAt: exit.startedAt, finishedAt: exit.finishedAt,
                oomKilled: exit.oomKilled, message: message)
        }
        return readState().error.map(ContainerState.failedToStart)
    }

    func inspect(_ spec: ContainerSpec) -> Finding {
        // First the lock: a shim that ends in between leaves its files before it lets go.
        let held = isLockHeld
        let state = readState()
        if held, let shim = state.shim, state.error == nil {
            return .alive(shim: shim, container: state.container, startedAt: state.startedAt)
        }
        if let final = finalState(of: spec) { return .final(final) }
        if held { return .starting }
        if state.shim != nil { return .final(.lost) }
        return .final(.failedToStart("the node agent stopped before the container was started"))
    }

    private static func head(of path: String, count: Int) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard let bytes = SystemFiles.read(file, count: count), !bytes.isEmpty else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A shim holds it for as long as it lives, and the agent from before there is a shim.
    var isLockHeld: Bool {
        let file = open("\(path)/lock", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    /// A started shim: its process number, a pidfd, and the pipe on which it reports.
    struct Shim {
        var pid: Int32
        var pidfd: Int32
        var reports: Int32
    }

    /// Writes the specification and starts the shim on it.
    func startShim(_ file: SpecFile, command: [String]) throws(RuntimeError) -> Shim {
        try SystemFiles.makeDirectories(SystemFiles.parent(of: file.spec.logPath))
        try SystemFiles.replace(specPath, with: file.encoded)
        let lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw SystemFiles.failure("cannot create \(path)/lock") }
        defer { close(lock) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw SystemFiles.failure("cannot lock \(path)/lock") }
        let log = open("\(path)/shim.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw SystemFiles.failure("cannot create \(path)/shim.log") }
        defer { close(log) }
        let (process, reports) = try ProcessSpawner.spawn(
            command + ["--spec", specPath], errorsTo: log, lock: lock)
        return Shim(pid: process.pid, pidfd: process.pidfd, reports: reports)
    }
}

/// Starts processes that inherit nothing but what is named. Blocks.
enum ProcessSpawner {
    struct Process {
        var pid: Int32
        var pidfd: Int32
    }

    /// Starts a command whose standard output is a pipe; standard error goes there too unless `errorsTo` is given.
    static func spawn(
        _ command: [String], errorsTo: Int32? = nil, lock: Int32 = -1
    ) throws(RuntimeError) -> (Process, output: Int32) {
        var ends: [Int32] = [-1, -1]
        guard apus_pipe(&ends) == 0 else { throw SystemFiles.failure("cannot open a pipe") }
        let (output, input) = (ends[0], ends[1])
        defer { close(input) }
        var arguments = command.map { strdup($0) }
        defer { for argument in arguments { free(argument) } }
        arguments.append(nil)
        var pid: pid_t = 0
        let code = apus_spawn(&arguments, input, errorsTo ?? input, lock, &pid)
        guard code == 0 else {
            close(output)
            let text = String(cString: strerror(code))
            throw RuntimeError(.system, "cannot start \(command.first ?? "the shim"): \(text)")
        }
        let pidfd = apus_pidfd_open(pid)
        guard pidfd >= 0 else {
            let failure = SystemFiles.failure("cannot watch process \(pid)")
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            close(output)
            throw failure
        }
        return (Process(pid: pid, pidfd: pidfd), output)
    }
}
