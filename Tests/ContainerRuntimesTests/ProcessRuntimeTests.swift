// SPDX-License-Identifier: Apache-2.0
import ContainerRuntimes
import Glibc
import Testing

/// Real processes below the real shim.
@Suite(.timeLimit(.minutes(5)))
struct ProcessRuntimeTests {
    let fixture = RuntimeFixture()

    @Test(arguments: [0, 1, 42, 255] as [Int32])
    func exitCode(code: Int32) async throws {
        let state = try await fixture.run(fixture.shell("c", "exit \(code)"))
        guard case .exited(code, nil, let started, let finished, false, nil) = state else {
            Issue.record("\(state)")
            return
        }
        #expect(finished >= started)
    }

    @Test func signalIsReported() async throws {
        let state = try await fixture.run(fixture.shell("c", "kill -SEGV $$"))
        guard case .exited(139, 11, _, _, false, _) = state else {
            Issue.record("\(state)")
            return
        }
    }

    @Test func environmentAndDirectory() async throws {
        var spec = fixture.spec("c", ["env"], environment: ["A": "x y\nz", "PATH": "/usr/bin:/bin"])
        #expect(RuntimeFixture.code(try await fixture.run(spec)) == 0)
        #expect(try await fixture.log("c") == "A=x y\nz\nPATH=/usr/bin:/bin\n")
        spec = fixture.spec("d", ["pwd"])
        spec.workingDirectory = "/usr"
        #expect(RuntimeFixture.code(try await fixture.run(spec)) == 0)
        #expect(try await fixture.log("d") == "/usr\n")
    }

    @Test func startErrors() async throws {
        let missing = try await fixture.runtime.start(fixture.spec("a", ["no-such-program"]))
        #expect(missing == .failedToStart(#"exec: "no-such-program": executable file not found in $PATH"#))
        let path = try await fixture.runtime.start(fixture.spec("b", ["/no/such"]))
        #expect(path == .failedToStart(#"exec: "/no/such": stat /no/such: no such file or directory"#))
        let denied = try await fixture.runtime.start(fixture.spec("c", ["/etc/passwd"]))
        #expect(denied == .failedToStart(#"exec: "/etc/passwd": permission denied"#))
        var spec = fixture.spec("d", ["true"])
        spec.workingDirectory = "/nowhere"
        let expected = "cannot change to the working directory /nowhere: no such file or directory"
        #expect(try await fixture.runtime.start(spec) == .failedToStart(expected))
        // The same is known after a restart, and can be removed.
        let again = fixture.restarted()
        #expect(await again.state(of: "d") == .failedToStart(expected))
        try await again.remove("d")
        #expect(await again.state(of: "d") == nil)
    }

    @Test func refusesBadSpecs() async throws {
        for spec in [
            fixture.spec("../x", ["true"]), fixture.spec("c", []), fixture.spec("c", ["a\0b"]),
            fixture.spec("c", ["true"], environment: ["A=B": "c"]),
            fixture.spec("c", ["true", String(repeating: "x", count: 3 << 20)]),
        ] {
            let error = await #expect(throws: RuntimeError.self) { try await fixture.runtime.start(spec) }
            #expect(error?.code == .invalidSpec)
        }
        #expect(await fixture.runtime.containers().isEmpty)
    }

    @Test func idIsTakenUntilRemoved() async throws {
        let spec = fixture.shell("c", "echo up; sleep 1000")
        _ = try await fixture.runtime.start(spec)
        var error = await #expect(throws: RuntimeError.self) { try await fixture.runtime.start(spec) }
        #expect(error?.code == .alreadyExists)
        error = await #expect(throws: RuntimeError.self) { try await fixture.runtime.remove("c") }
        #expect(error?.code == .stillRunning)
        await fixture.runtime.kill("c")
        #expect(RuntimeFixture.code(await fixture.end(of: "c")) == 137)
        try await fixture.runtime.remove("c")
        #expect(await fixture.runtime.state(of: "c") == nil)
        #expect(RuntimeFixture.code(try await fixture.run(fixture.shell("c", "exit 5"))) == 5)
    }

    @Test func onlyStandardDescriptors() async throws {
        let file = open("/etc/passwd", O_RDONLY)
        defer { close(file) }
        #expect(RuntimeFixture.code(try await fixture.run(fixture.spec("c", ["/bin/ls", "/proc/self/fd"]))) == 0)
        // 3 is the directory that ls itself reads.
        #expect(try await fixture.log("c") == "0\n1\n2\n3\n")
    }

    @Test func shimDeathKillsContainer() async throws {
        _ = try await fixture.runtime.start(fixture.shell("c", "sleep 1000 & echo child $!; wait"))
        let output = try await fixture.logged("c", "\n")
        let child = try #require(output.split(whereSeparator: \.isWhitespace).last.flatMap { Int32($0) })
        let container = try fixture.pid("container", of: "c")
        try fixture.killShim(of: "c")
        #expect(await fixture.end(of: "c") == .lost)
        #expect(await RuntimeFixture.isGone(container))
        #expect(await RuntimeFixture.isGone(child))
        try await fixture.runtime.remove("c")
    }

    @Test func endOfMainProcessEndsAll() async throws {
        // One child in the group, one that left it for a session of its own.
        let ready = "\(fixture.root)/ready"
        let script =
            "sleep 1000 & echo $!; setsid sh -c 'echo $$; : > \(ready); exec sleep 1000' & "
            + "while ! test -e \(ready); do sleep 0.02; done; exit 3"
        #expect(RuntimeFixture.code(try await fixture.run(fixture.shell("c", script))) == 3)
        let pids = try await fixture.log("c").split(separator: "\n").compactMap { Int32($0) }
        #expect(pids.count == 2)
        for pid in pids { #expect(await RuntimeFixture.isGone(pid)) }
    }

    @Test func gracefulSignalThenKill() async throws {
        let polite = fixture.shell("a", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done")
        _ = try await fixture.runtime.start(polite)
        _ = try await fixture.logged("a", "up")
        try await fixture.runtime.signal("a", SIGTERM)
        #expect(RuntimeFixture.code(await fixture.end(of: "a")) == 7)
        let stubborn = fixture.shell("b", "trap 'echo no' TERM; echo up; while :; do sleep 0.05; done")
        _ = try await fixture.runtime.start(stubborn)
        _ = try await fixture.logged("b", "up")
        try await fixture.runtime.signal("b", SIGTERM)
        _ = try await fixture.logged("b", "no")
        await fixture.runtime.kill("b")
        #expect(RuntimeFixture.code(await fixture.end(of: "b")) == 137)
        let error = await #expect(throws: RuntimeError.self) { try await fixture.runtime.signal("b", SIGTERM) }
        #expect(error?.code == .notRunning)
    }

    @Test func adoption() async throws {
        var spec = fixture.shell("run", "echo up; read line < \(fixture.root)/gate; exit 9")
        spec.labels = ["a": "b\n"]
        spec.attempt = 3
        #expect(mkfifo("\(fixture.root)/gate", 0o600) == 0)
        let state = try await fixture.runtime.start(spec)
        #expect(RuntimeFixture.code(try await fixture.run(fixture.shell("done", "exit 4"))) == 4)
        let second = fixture.restarted()
        let records = await second.containers()
        #expect(records.map(\.spec.id) == ["done", "run"])
        var adopted = records[1].spec
        #expect(adopted.environment["PATH"] != nil)
        adopted.environment = spec.environment
        #expect(adopted == spec)
        #expect(records[1].state == state)
        #expect(RuntimeFixture.code(records[0].state) == 4)
        let gate = fopen("\(fixture.root)/gate", "w")
        fputs("go\n", gate)
        fclose(gate)
        #expect(RuntimeFixture.code(await fixture.end(of: "run", in: second)) == 9)
        #expect(RuntimeFixture.code(await fixture.end(of: "run")) == 9)
        // A third one finds only files.
        let third = fixture.restarted()
        #expect(RuntimeFixture.code(await third.state(of: "run") ?? .lost) == 9)
    }

    @Test func lostWhileNobodyLooked() async throws {
        _ = try await fixture.runtime.start(fixture.shell("c", "sleep 1000"))
        try fixture.killShim(of: "c")
        _ = await fixture.end(of: "c")
        #expect(await fixture.restarted().state(of: "c") == .lost)
    }

    @Test func execInContainer() async throws {
        var spec = fixture.spec("c", ["/bin/sh", "-c", "echo up; sleep 1000"], environment: ["WHO": "me"])
        spec.workingDirectory = "/usr"
        _ = try await fixture.runtime.start(spec)
        let run = fixture.runtime
        var result = try await run.exec(
            "c", argv: ["sh", "-c", "echo $WHO; pwd; echo err >&2; exit 3"], timeout: .seconds(60), outputLimit: 1000)
        #expect(result == ExecResult(exitCode: 3, output: Array("me\n/usr\nerr\n".utf8), timedOut: false))
        result = try await run.exec("c", argv: ["nope"], timeout: .seconds(60), outputLimit: 1000)
        #expect(result.exitCode == 127)
        let text = String(decoding: result.output, as: UTF8.self)
        #expect(text == "exec: \"nope\": executable file not found in $PATH\n")
        result = try await run.exec(
            "c", argv: ["sh", "-c", "echo start; sleep 1000"], timeout: .milliseconds(300), outputLimit: 1000)
        #expect(result.timedOut && result.exitCode == 137)
        result = try await run.exec(
            "c", argv: ["head", "-c", "1000000", "/dev/zero"], timeout: .seconds(60), outputLimit: 100)
        #expect(result.exitCode == 0 && result.output.count == 100)
        await run.kill("c")
        _ = await fixture.end(of: "c")
        let error = await #expect(throws: RuntimeError.self) {
            try await run.exec("c", argv: ["true"], timeout: .seconds(1), outputLimit: 1)
        }
        #expect(error?.code == .notRunning)
    }

    /// The number of its closed output is the next command's by the time at which the first ends.
    @Test func execWhoseOutputEndsFirst() async throws {
        _ = try await fixture.runtime.start(fixture.shell("c", "sleep 1000"))
        let (run, root) = (fixture.runtime, fixture.root)
        func waits(for name: String) -> String { "while ! test -e \(root)/\(name); do sleep 0.02; done" }
        let silent = ["sh", "-c", "exec >&- 2>&-; : > \(root)/closed; \(waits(for: "first"))"]
        let loud = ["sh", "-c", ": > \(root)/begun; \(waits(for: "second")); echo all"]
        async let first = run.exec("c", argv: silent, timeout: .seconds(120), outputLimit: 100)
        while access("\(root)/closed", F_OK) != 0 { try await Task.sleep(for: .milliseconds(5)) }
        // For the end of the output to be seen here. Where it is not the test proves less, and passes.
        try await Task.sleep(for: .milliseconds(50))
        async let second = run.exec("c", argv: loud, timeout: .seconds(120), outputLimit: 100)
        while access("\(root)/begun", F_OK) != 0 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(mkdir("\(root)/first", 0o755) == 0)
        #expect(try await first.exitCode == 0)
        #expect(mkdir("\(root)/second", 0o755) == 0)
        #expect(try await second == ExecResult(exitCode: 0, output: Array("all\n".utf8), timedOut: false))
        await run.kill("c")
        _ = await fixture.end(of: "c")
    }

    @Test func terminationMessage() async throws {
        var spec = fixture.shell("c", "printf because > \(fixture.root)/message; exit 1")
        spec.terminationMessagePath = "\(fixture.root)/message"
        guard case .exited(1, nil, _, _, _, "because") = try await fixture.run(spec) else {
            Issue.record("no message")
            return
        }
    }

    @Test(.enabled(if: geteuid() == 0)) func userAndGroup() async throws {
        var spec = fixture.shell("c", "id -u; id -g; id -G; umask; ulimit -n")
        (spec.user, spec.group, spec.supplementalGroups, spec.openFileLimit) = (1234, 2345, [77], 100)
        #expect(RuntimeFixture.code(try await fixture.run(spec)) == 0)
        #expect(try await fixture.log("c") == "1234\n2345\n2345 77\n0022\n100\n")
    }

    @Test func memoryLimit() async throws {
        var spec = fixture.shell("c", "x=y; while :; do x=$x$x; done")
        spec.memoryBytes = 32 << 20
        guard fixture.runtime.notices(for: spec).isEmpty else {
            #expect(fixture.runtime.notices(for: spec)[0].message.contains("is not enforced"))
            return
        }
        let state = try await fixture.run(spec)
        guard case .exited(137, 9, _, _, true, _) = state else {
            Issue.record("\(state)")
            return
        }
        try await fixture.runtime.remove("c")
    }

    @Test func runtimesShareNothing() async throws {
        let other = RuntimeFixture()
        _ = try await fixture.runtime.start(fixture.shell("c", "echo up; sleep 1000"))
        #expect(mkfifo("\(other.root)/gate", 0o600) == 0)
        _ = try await other.runtime.start(other.shell("c", "echo up; read line < \(other.root)/gate; exit 8"))
        await fixture.runtime.kill("c")
        #expect(RuntimeFixture.code(await fixture.end(of: "c")) == 137)
        try await fixture.runtime.remove("c")
        let gate = fopen("\(other.root)/gate", "w")
        fputs("go\n", gate)
        fclose(gate)
        #expect(RuntimeFixture.code(await other.end(of: "c")) == 8)
    }

    @Test func fiftyAtOnce() async throws {
        let fixture = fixture
        try await withThrowingTaskGroup(of: (Int32, Int32).self) { group in
            for index in 0..<50 {
                group.addTask {
                    let state = try await fixture.run(fixture.shell("c\(index)", "echo \(index); exit \(index)"))
                    try await fixture.runtime.remove("c\(index)")
                    return (Int32(index), RuntimeFixture.code(state))
                }
            }
            for try await (index, code) in group { #expect(index == code) }
        }
        #expect(await fixture.runtime.containers().isEmpty)
        for index in 0..<50 { #expect(try await fixture.log("c\(index)") == "\(index)\n") }
    }
}
