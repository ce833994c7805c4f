// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import Glibc
import Testing

/// A runtime on a directory of its own, with the shim compiled from its C sources.
final class RuntimeFixture: Sendable {
    let root: String
    let runtime: ProcessRuntime

    private static let shim: String = {
        let sources = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let output = "/tmp/apus-test-shim-\(getpid())"
        let code = system("cc -O1 -DAPUS_SHIM_STANDALONE -o \(output) /\(sources)/Sources/CProcessShim/*.c")
        precondition(code == 0, "the shim does not compile")
        return output
    }()

    init() {
        root = "/tmp/apus-runtime-\(RandomID.suffix(length: 10))"
        mkdir(root, 0o755)
        runtime = ProcessRuntime(root: "\(root)/containers", shimCommand: [Self.shim])
    }

    /// Cgroups of containers that the test did not remove are empty by now, or their removal fails and harms nothing.
    deinit {
        _ = system(
            "cat \(root)/containers/*/spec 2>/dev/null | grep -a '^/sys/fs/cgroup/.*/apus-' | xargs -r rmdir -p 2>/dev/null"
        )
        _ = system("rm -rf \(root)")
    }

    /// Another runtime on the same data, as after a restart of the node agent.
    func restarted() -> ProcessRuntime { ProcessRuntime(root: "\(root)/containers", shimCommand: [Self.shim]) }

    func spec(_ id: String, _ argv: [String], environment: [String: String] = [:]) -> ContainerSpec {
        ContainerSpec(
            id: id, podUID: "uid", namespace: "default", podName: "pod", containerName: "main", argv: argv,
            environment: environment, logPath: "\(root)/logs/\(id)/0.log")
    }

    func shell(_ id: String, _ script: String) -> ContainerSpec { spec(id, ["/bin/sh", "-c", script]) }

    /// Starts a container, waits for its end, and returns its last state.
    func run(_ spec: ContainerSpec) async throws -> ContainerState {
        _ = try await runtime.start(spec)
        return await end(of: spec.id)
    }

    func end(of id: String, in other: ProcessRuntime? = nil) async -> ContainerState {
        let runtime = other ?? runtime
        let events = runtime.events()
        if let state = await runtime.state(of: id), state.isFinal { return state }
        for await event in events where event == id {
            if let state = await runtime.state(of: id), state.isFinal { return state }
        }
        return .lost
    }

    /// The log's text so far.
    func log(_ id: String, _ options: LogOptions = LogOptions()) async throws -> String {
        var bytes: [UInt8] = []
        let path = "\(root)/logs/\(id)/0.log"
        for try await chunk in ContainerLogs.read(path: path, options: options) { bytes += chunk }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Follows a running container's log until it holds a text, and returns what came so far.
    func logged(_ id: String, _ text: String) async throws -> String {
        var options = LogOptions()
        options.follow = true
        var bytes: [UInt8] = []
        let path = "\(root)/logs/\(id)/0.log"
        for try await chunk in ContainerLogs.read(
            path: path, options: options,
            isFinished: { [runtime] in
                await runtime.state(of: id)?.isFinal ?? true
            })
        {
            bytes += chunk
            let all = String(decoding: bytes, as: UTF8.self)
            if all.contains(text) { return all }
        }
        return ""
    }

    /// Exit code of an ended container; -1 for any other state.
    static func code(_ state: ContainerState) -> Int32 {
        if case .exited(let code, _, _, _, _, _) = state { return code }
        return -1
    }

    /// The number that a shim wrote to its state file for `shim` or `container`; never one that `kill` takes for many.
    func pid(_ role: String, of id: String) throws -> Int32 {
        let text = Self.text("\(root)/containers/\(id)/state")
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(role) ") }
        let number = try #require(line.flatMap { Int32($0.split(separator: " ")[1]) }, "no \(role) in: \(text)")
        try #require(number > 1 && number != getpid())
        return number
    }

    /// Kills one process, the shim of a container.
    func killShim(of id: String) throws {
        #expect(kill(try pid("shim", of: id), SIGKILL) == 0)
    }

    static func text(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Waits until a process is gone, through a pidfd's equivalent that needs no child: its entry in /proc.
    static func isGone(_ pid: Int32) async -> Bool {
        let end = ContinuousClock.now + .seconds(60)
        repeat {
            let status = text("/proc/\(pid)/stat")
            if status.isEmpty || status.contains(") Z ") { return true }
            try? await Task.sleep(for: .milliseconds(5))
        } while ContinuousClock.now < end
        return false
    }
}
