// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Starts the platform in a process and session of its own.
package struct DetachedPlatform: Sendable {
    private let configuration: PlatformConfiguration

    package init(_ configuration: PlatformConfiguration) { self.configuration = configuration }

    /// Starts it and returns when it is ready.
    /// - Throws: ``PlatformError`` with what it said, when it ends before that.
    package func start(arguments: [String]) async throws -> PlatformSummary {
        do {
            try FileManager.default.createDirectory(
                atPath: configuration.dataDir, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw PlatformError(Platform.unwritable(configuration.dataDir))
        }
        let log = "\(configuration.dataDir)/apus.log"
        let pid = try spawn(arguments, log: log)
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(60) {
            if let state = RunState.live(in: configuration.dataDir), state.pid == pid {
                return PlatformSummary(state, dataDir: configuration.dataDir, extra: [("log", log)])
            }
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                let text = FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self) } ?? ""
                let said = text.split(separator: "\n").last { $0.hasPrefix("apus: ") }?.dropFirst("apus: ".count)
                throw PlatformError(said.map(String.init) ?? "it ended at once: see \(log)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw PlatformError("it was not ready within 60 s: see \(log)")
    }

    private func spawn(_ arguments: [String], log: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID of glibc's <spawn.h>, a macro that Swift does not import.
        posix_spawnattr_setflags(&attributes, 0x80)
        var argv = ([configuration.executable] + arguments).map { strdup($0) }
        argv.append(nil)
        defer { for argument in argv { free(argument) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, configuration.executable, &actions, &attributes, argv, environ)
        guard code == 0 else {
            throw PlatformError("\(configuration.executable) cannot be started: \(String(cString: strerror(code)))")
        }
        return pid
    }
}
