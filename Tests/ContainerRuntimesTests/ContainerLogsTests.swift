// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import Glibc
import Testing

/// The shim writes, the reader reads.
@Suite(.timeLimit(.minutes(5)))
struct ContainerLogsTests {
    let fixture = RuntimeFixture()

    @Test func formatAndLongLines() async throws {
        let script =
            "head -c 40000 /dev/zero | tr '\\0' x; echo; head -c 16384 /dev/zero | tr '\\0' y; echo; printf end"
        #expect(RuntimeFixture.code(try await fixture.run(fixture.shell("c", script))) == 0)
        let raw = RuntimeFixture.text("\(fixture.root)/logs/c/0.log").split(separator: "\n")
        let tags = raw.compactMap { $0.split(separator: " ").dropFirst(2).first }
        #expect(tags == ["P", "P", "F", "F", "F"])
        let lengths = raw.compactMap { $0.split(separator: " ").dropFirst(3).first?.count }
        #expect(lengths == [16384, 16384, 40000 - 2 * 16384, 16384, 3])
        for line in raw { #expect(Timestamp(rfc3339: String(line.split(separator: " ")[0])) != nil) }
        let text = try await fixture.log("c")
        #expect(text == String(repeating: "x", count: 40000) + "\n" + String(repeating: "y", count: 16384) + "\nend\n")
        var options = LogOptions()
        options.tailLines = 3
        options.limitBytes = 10
        #expect(try await fixture.log("c", options) == "xxxxxxxxxx")
        options = LogOptions()
        (options.tailLines, options.timestamps) = (1, true)
        let last = try await fixture.log("c", options)
        #expect(last.hasSuffix("Z end\n") && last.count == 35)
    }

    @Test func rotation() async throws {
        var spec = fixture.shell("c", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done")
        spec.logMaxBytes = 100_000
        #expect(RuntimeFixture.code(try await fixture.run(spec)) == 0)
        let older = RuntimeFixture.text("\(fixture.root)/logs/c/0.log.1")
        let current = RuntimeFixture.text("\(fixture.root)/logs/c/0.log")
        #expect(older.utf8.count > 99_000 && older.utf8.count <= 100_000 && current.utf8.count <= 100_000)
        #expect(access("\(fixture.root)/logs/c/0.log.2", F_OK) != 0)
        let all = (1...3000).map { "line \($0)\n" }
        for count in [0, 1, 7, 1500, 2100] {
            var options = LogOptions()
            options.tailLines = count
            #expect(try await fixture.log("c", options) == all.suffix(count).joined())
        }
    }

    @Test func followsAcrossRotations() async throws {
        // The writer goes on only when the reader has seen the step before, so no rotated file is lost.
        #expect(mkfifo("\(fixture.root)/gate", 0o600) == 0)
        let round = "j=0; while [ $j -lt 300 ]; do j=$((j+1)); echo $i-$j; done; echo step $i; read l <&3"
        var spec = fixture.shell(
            "c", "exec 3<>\(fixture.root)/gate; i=0; while [ $i -lt 10 ]; do i=$((i+1)); \(round); done")
        spec.logMaxBytes = 10_000
        _ = try await fixture.runtime.start(spec)
        var options = LogOptions()
        options.follow = true
        let gate = open("\(fixture.root)/gate", O_RDWR)
        defer { close(gate) }
        var bytes: [UInt8] = []
        var step = 1
        let runtime = fixture.runtime
        let stream = ContainerLogs.read(path: spec.logPath, options: options) {
            await runtime.state(of: "c")?.isFinal ?? true
        }
        // Two files of 10 kB hold a round.
        for try await chunk in stream {
            bytes += chunk
            if String(decoding: bytes, as: UTF8.self).contains("step \(step)\n") {
                step += 1
                write(gate, "x\n", 2)
            }
        }
        let expected = (1...10).map { i in (1...300).map { "\(i)-\($0)\n" }.joined() + "step \(i)\n" }.joined()
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test func missingFile() async throws {
        let error = await #expect(throws: RuntimeError.self) { try await fixture.log("nothing") }
        #expect(error?.code == .notFound)
    }

    @Test func fullDisk() async throws {
        // A file size limit of the shim stands in for a full disk; here the log is a device that is always full.
        mkdir("\(fixture.root)/logs", 0o755)
        mkdir("\(fixture.root)/logs/c", 0o755)
        #expect(symlink("/dev/full", "\(fixture.root)/logs/c/0.log") == 0)
        let spec = fixture.shell("c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; exit 6")
        #expect(RuntimeFixture.code(try await fixture.run(spec)) == 6)
        #expect(RuntimeFixture.text("\(fixture.root)/containers/c/exit").contains("dropped 20000\n"))
    }

    @Test func sinceAndStream() async throws {
        let path = "\(fixture.root)/0.log"
        let lines = """
            2026-01-02T03:04:05.000000001Z stdout F one
            2026-01-02T03:04:05.000000002Z stderr F two
            2026-01-02T03:04:06Z stdout P thr
            2026-01-02T03:04:06.5Z stdout F ee
            not a record

            """
        let file = fopen(path, "w")
        fputs(lines, file)
        fclose(file)
        func read(_ change: (inout LogOptions) -> Void) async throws -> String {
            var options = LogOptions()
            change(&options)
            var bytes: [UInt8] = []
            for try await chunk in ContainerLogs.read(path: path, options: options) { bytes += chunk }
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(try await read { _ in } == "one\ntwo\nthree\nnot a record\n")
        let moment = Timestamp(rfc3339: "2026-01-02T03:04:05.000000002Z")
        #expect(try await read { $0.since = moment } == "two\nthree\nnot a record\n")
        #expect(try await read { $0.stream = .stderr } == "two\nnot a record\n")
        #expect(try await read { $0.tailLines = 2 } == "three\nnot a record\n")
        #expect(try await read { $0.limitBytes = 0 } == "")
    }
}
