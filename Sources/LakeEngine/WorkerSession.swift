// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat
import Foundation
import Synchronization

/// How a worker is started, and what it opens.
struct WorkerConfiguration: Sendable {
    /// The program and its arguments.
    let command: [String]
    let library: String
    let entryPoint: String?
    var options: [String: String]
    /// Libraries to load before the driver's.
    var before: [String] = []
    /// Statements to run before any other.
    var setup: [String] = []
    var limits: WorkerLimits?

    init(command: [String], library: String, entryPoint: String?, options: [String: String]) {
        self.command = command
        self.library = library
        self.entryPoint = entryPoint
        self.options = options
    }

    /// `apus lake-worker`, of the binary that runs; `APUS_LAKE_WORKER` names another binary.
    static var ownCommand: [String] {
        [ProcessInfo.processInfo.environment["APUS_LAKE_WORKER"] ?? "/proc/self/exe", "lake-worker"]
    }
}

/// A connection whose driver lives in a worker process: a driver that crashes, or that replaces signal handlers, takes
/// only its worker along.
///
/// Sendable: `decoder` is only touched by calls that come one at a time (`LakeSession`); all else is constant or has
/// its own lock.
final class WorkerSession: LakeSession, @unchecked Sendable {
    private let socket: WorkerSocket
    private let process: WorkerProcess
    private var decoder: IPCDecoder?
    private let name: String
    private let limits: WorkerLimits?
    /// When the statement was told to stop first.
    private let stopped = Mutex<ContinuousClock.Instant?>(nil)

    init(_ configuration: WorkerConfiguration, connectionOptions: [String: String]) throws(LakeError) {
        let (process, socket) = try WorkerProcess.start(configuration.command)
        self.process = process
        self.socket = socket
        name = (configuration.library as NSString).lastPathComponent
        limits = configuration.limits
        let open = WorkerMessage.json([
            "library": .string(configuration.library), "entryPoint": JSONValue(configuration.entryPoint),
            "options": JSONValue(configuration.options), "connectionOptions": JSONValue(connectionOptions),
            "before": .array(configuration.before.map { .string($0) }),
            "setup": .array(configuration.setup.map { .string($0) }),
            "memory": limits?.memory.map { .int(Int64($0)) } ?? .null,
            "batch": limits.map { .int(Int64($0.batch)) } ?? .null,
        ])
        _ = try ask(.open, open, for: .done)
    }

    deinit { close() }

    func begin() { stopped.withLock { $0 = nil } }

    func execute(_ statement: LakeStatement) throws(LakeError) -> StatementHead {
        decoder = nil
        let request: [UInt8]
        do { request = try WorkerMessage.execute(statement) } catch { throw LakeError(error) }
        let payload = try ask(.execute, request, for: .head)
        guard payload.count >= 8 else { throw lost() }
        let affected = payload.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) }
        var decoder = IPCDecoder()
        do { _ = try decoder.feed(payload.dropFirst(8)) } catch { throw LakeError(error) }
        guard let schema = decoder.schema else { throw lost() }
        self.decoder = decoder
        return StatementHead(schema: schema, rowsAffected: affected >= 0 ? affected : nil)
    }

    func next() throws(LakeError) -> ArrowBatch? {
        guard decoder != nil else { return nil }
        guard socket.write(.next), let answer = socket.read() else { throw lost() }
        switch answer.kind {
        case .batch:
            do {
                guard let batch = try decoder?.feed(answer.payload).first else { throw lost() }
                return batch
            } catch let error as ArrowError { throw LakeError(error) } catch let error as LakeError {
                throw error
            } catch {
                throw lost()
            }
        case .end: return nil
        case .failed: throw WorkerMessage.error(answer.payload)
        default: throw lost()
        }
    }

    func finish() {
        guard decoder != nil else { return }
        decoder = nil
        _ = try? ask(.finish, [], for: .done)
    }

    /// Is said again and again while a statement does not stop, so that one that never does is found here.
    func cancel() {
        let now = ContinuousClock.now
        let first = stopped.withLock { stopped in
            let first = stopped ?? now
            stopped = first
            return first
        }
        if let limits, first.duration(to: now) > limits.patience { process.kill() }
        _ = socket.write(.cancel)
    }

    func setOption(_ name: String, _ value: String) throws(LakeError) {
        _ = try ask(.setOption, WorkerMessage.json(["name": .string(name), "value": .string(value)]), for: .done)
    }

    func commit() throws(LakeError) { _ = try ask(.commit, [], for: .done) }

    func rollback() throws(LakeError) { _ = try ask(.rollback, [], for: .done) }

    var isAlive: Bool { process.isAlive }

    func close() {
        socket.shutDown()
        process.end()
    }

    /// Sends a request and gives the payload of an answer of the kind that is expected.
    private func ask(_ kind: WorkerFrameKind, _ payload: [UInt8], for wanted: WorkerFrameKind) throws(LakeError)
        -> [UInt8]
    {
        guard payload.count < WorkerSocket.maximum else {
            throw LakeError(.limit, "a request of \(payload.count) bytes: ingest in smaller parts")
        }
        guard socket.write(kind, payload), let answer = socket.read() else { throw lost() }
        if answer.kind == .failed { throw WorkerMessage.error(answer.payload) }
        guard answer.kind == wanted else { throw lost() }
        return answer.payload
    }

    /// The worker is gone, or speaks out of turn: it is ended, and what became of it is told.
    private func lost() -> LakeError {
        socket.shutDown()
        let fate = process.end()
        if let memory = limits?.memory, process.isSignalled, stopped.withLock({ $0 }) == nil {
            return LakeError(
                .memory,
                "the engine's process is gone, most likely because the statement needed more than \(memory) bytes "
                    + "beside what the engine counts: \(fate)")
        }
        return LakeError(.driver, "the worker process of the driver \(name) is gone: \(fate)")
    }
}

/// A child process that is waited for once.
final class WorkerProcess: Sendable {
    private let state: Mutex<(pid: pid_t, fate: String?, isSignalled: Bool)>

    private init(_ pid: pid_t) { state = Mutex((pid, nil, false)) }

    /// Whether it has not ended; asks, and does not wait.
    var isAlive: Bool {
        state.withLock { state in
            guard state.fate == nil else { return false }
            var information = siginfo_t()
            // It stays to be waited for, by `end`.
            let result = waitid(P_PID, id_t(state.pid), &information, CInt(WEXITED | WNOHANG | WNOWAIT))
            return result == 0 && information.si_signo == 0
        }
    }

    /// Whether it died of a signal.
    var isSignalled: Bool { state.withLock { $0.isSignalled } }

    /// Ends it at once; it is waited for by `end`.
    func kill() {
        state.withLock { state in
            if state.fate == nil { _ = Glibc.kill(state.pid, SIGKILL) }
        }
    }

    /// Starts a worker whose standard input is one end of a socket pair; it writes what it prints to standard error.
    static func start(_ command: [String]) throws(LakeError) -> (WorkerProcess, WorkerSocket) {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw LakeError(.driver, "no socket pair for a worker: \(String(cString: strerror(errno)))")
        }
        let socket = WorkerSocket(ends[0])
        defer { Glibc.close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
        var arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, command.first ?? "", &actions, nil, &arguments, environ)
        guard status == 0 else {
            throw LakeError(
                .driver, "the worker \(command.first ?? "") cannot be started: \(String(cString: strerror(status)))")
        }
        return (WorkerProcess(pid), socket)
    }

    /// Waits until the process is gone, a second at most, then kills it. Tells how it ended.
    @discardableResult
    func end() -> String {
        state.withLock { state in
            if let fate = state.fate { return fate }
            var status: CInt = 0
            var waited = 0
            while true {
                let result = waitpid(state.pid, &status, WNOHANG)
                if result < 0, errno == EINTR { continue }
                if result != 0 { break }
                if waited == 1000 { _ = Glibc.kill(state.pid, SIGKILL) }
                usleep(1000)
                waited += 1
            }
            let signal = status & 0x7F
            let fate =
                signal == 0
                ? "it exited with status \(status >> 8 & 0xFF)"
                : "it died of signal \(signal) (\(String(cString: strsignal(signal))))"
            state.fate = fate
            state.isSignalled = signal != 0
            return fate
        }
    }
}
