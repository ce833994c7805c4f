// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

extension ProcessRuntime {
    /// Runs a command in the environment, directory, user and cgroups of a running container.
    package func exec(
        _ id: String, argv: [String], timeout: Duration, outputLimit: Int
    ) async throws(RuntimeError) -> ExecResult {
        await load()
        guard case .running = try entry(id).state else {
            throw RuntimeError(.notRunning, "container \(id) does not run")
        }
        guard let program = argv.first, !program.isEmpty, !argv.contains(where: { $0.utf8.contains(0) }) else {
            throw RuntimeError(.invalidSpec, "container \(id): the command to execute is empty or holds a NUL byte")
        }
        let command = shimCommand + ["--spec", directory(id).specPath, "exec"] + argv
        let (process, output) = try await BlockingWork.run { () throws(RuntimeError) in
            try ProcessSpawner.spawn(command)
        }
        let session = ExecSession(process, output: output, limit: outputLimit, monitor: monitor)
        return await withTaskGroup(of: ExecResult?.self) { group in
            group.addTask { await session.result() }
            group.addTask {
                // Cancellation of the caller ends the command as its time does.
                try? await Task.sleep(for: timeout)
                session.timeOut()
                return nil
            }
            var result = ExecResult(exitCode: -1, output: [], timedOut: false)
            while let next = await group.next() {
                guard let next else { continue }
                result = next
                break
            }
            group.cancelAll()
            return result
        }
    }
}

/// One command that runs in a container: collects its output and its end.
private final class ExecSession: Sendable {
    private struct State {
        var output: [UInt8] = []
        var outputIsOpen = true
        var timedOut = false
        var result: ExecResult?
        var waiting: CheckedContinuation<ExecResult, Never>?
    }

    private let state = Mutex(State())
    private let process: ProcessSpawner.Process
    private let limit: Int

    init(_ process: ProcessSpawner.Process, output: Int32, limit: Int, monitor: DescriptorMonitor) {
        self.process = process
        self.limit = limit
        monitor.watch(output) { self.read($0) }
        monitor.watch(process.pidfd) { [weak monitor] _ in
            // Output that has ended is closed: its number may be another's by now.
            let isWatched = self.isOutputOpen
            self.end(output)
            if isWatched { monitor?.unwatch(output) }
            return false
        }
    }

    private var isOutputOpen: Bool { state.withLock { $0.outputIsOpen } }

    func result() async -> ExecResult {
        await withCheckedContinuation { continuation in
            let result = state.withLock { state in
                if state.result == nil { state.waiting = continuation }
                return state.result
            }
            if let result { continuation.resume(returning: result) }
        }
    }

    /// Kills the command, unless it has ended.
    func timeOut() {
        state.withLock { state in
            guard state.result == nil else { return }
            state.timedOut = true
            killGroup()
        }
    }

    /// Only before the process is waited for, while the number is its own. -1 would mean every process.
    private func killGroup() {
        if process.pid > 1 { Glibc.kill(-process.pid, SIGKILL) }
    }

    /// Reads what is there; false at the end of the output. On the monitor's thread.
    private func read(_ file: Int32) -> Bool {
        state.withLock { state in
            while state.outputIsOpen, let bytes = SystemFiles.read(file, count: 16384) {
                if bytes.isEmpty { state.outputIsOpen = false }
                state.output += bytes.prefix(max(0, limit - state.output.count))
            }
            return state.outputIsOpen
        }
    }

    /// Collects the ended process. On the monitor's thread, as `read`, so the output is not closed in between.
    private func end(_ file: Int32) {
        // Not waited for yet, so the group's number is still its own.
        killGroup()
        _ = read(file)
        let waiting = state.withLock { state in
            var status: Int32 = 0
            waitpid(process.pid, &status, 0)
            let signal = status & 0x7F
            let code = signal == 0 ? (status >> 8) & 0xFF : 128 + signal
            let result = ExecResult(exitCode: code, output: state.output, timedOut: state.timedOut)
            state.result = result
            defer { state.waiting = nil }
            return state.waiting.map { ($0, result) }
        }
        if let (continuation, result) = waiting { continuation.resume(returning: result) }
    }
}
