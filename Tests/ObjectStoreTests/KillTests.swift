// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Dispatch
import Logging
import Testing

@testable import ObjectStore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A process of its own that writes, and is killed.
@Suite struct KillTests {
    private static let variable = "APUS_OBJECTSTORE_KILLED"
    private static let sizes = [0, 100, 4096, 40_000, 300_000]

    private static func bytes(_ key: String) -> [UInt8] {
        let sum = key.utf8.reduce(UInt64(17)) { ($0 &* 31 &+ UInt64($1)) & 0xFFFF_FFFF }
        return pattern(sizes[Int(sum % 5)], seed: sum)
    }

    /// The child: writes until it is killed, and says on its standard output what was acknowledged.
    @Test(.enabled(if: getenv(variable) != nil)) func child() async throws {
        let folder = String(cString: try #require(getenv(Self.variable)))
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        let store = try await ObjectStore.open(folder: folder, logger: logger, clock: { 1_700_000_000_000 })
        let round = getpid()
        if (try? await store.bucket("b")) == nil { try await store.createBucket("b", owner: "me") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for index in 0..<1_000_000 {
                        let key = "r\(round)-w\(writer)-\(index)"
                        try await store.put(Self.bytes(key), to: key)
                        Self.say("put \(key)\n")
                        guard index % 4 == 3 else { continue }
                        let gone = "r\(round)-w\(writer)-\(index - 2)"
                        Self.say("del \(gone)\n")
                        try await store.delete(bucket: "b", key: gone)
                        Self.say("gone \(gone)\n")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func say(_ line: String) {
        let bytes = Array(line.utf8)
        _ = write(STDOUT_FILENO, bytes, bytes.count)
    }

    /// Starts the child, kills it after some acknowledgements, and returns what it said.
    private static func killed(folder: String, after count: Int) throws -> [Substring] {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw ObjectStoreError(FileError("make", "a pipe")) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        let words = ["tests", "--testing-library", "swift-testing", "--filter", "KillTests/child"]
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let variable = next.pointee {
            variables.append(variable)
            next += 1
        }
        let own = strdup("\(variable)=\(folder)")
        defer { free(own) }
        variables += [own, nil]
        var process: pid_t = 0
        let code = posix_spawn(&process, "/proc/self/exe", &actions, nil, &arguments, variables)
        close(ends[1])
        guard code == 0 else { throw ObjectStoreError(FileError("start", "/proc/self/exe", code: code)) }
        var text: [UInt8] = []
        var lines = 0
        var isKilled = false
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let read = read(ends[0], &buffer, buffer.count)
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { break }
            text += buffer[..<read]
            lines += buffer[..<read].count { $0 == UInt8(ascii: "\n") }
            if lines >= count, !isKilled {
                kill(process, SIGKILL)
                isKilled = true
            }
        }
        var status: CInt = 0
        waitpid(process, &status, 0)
        return String(decoding: text, as: UTF8.self).split(separator: "\n")
    }

    @Test(.enabled(if: getenv(variable) == nil)) func killedWritersLoseNothingAcknowledged() async throws {
        let fixture = try StoreFixture()
        let folder = fixture.folder + "/store"
        var there: Set<String> = []
        var maybe: Set<String> = []
        for round in 1...4 {
            let lines = try await withCheckedThrowingContinuation { continuation in
                DispatchQueue(label: "child").async {
                    continuation.resume(with: Result { try Self.killed(folder: folder, after: 150 * round) })
                }
            }
            var acknowledged = 0
            for line in lines {
                let words = line.split(separator: " ")
                guard words.count == 2, words[1].hasPrefix("r") else { continue }
                let key = String(words[1])
                switch words[0] {
                case "put":
                    there.insert(key)
                    acknowledged += 1
                case "del":
                    there.remove(key)
                    maybe.insert(key)
                case "gone": maybe.remove(key)
                default: continue
                }
            }
            #expect(acknowledged > 50, "the child wrote \(acknowledged) objects: \(lines.suffix(5))")
            let store = try await fixture.open()
            for key in there { #expect(try await store.bytes(key) == Self.bytes(key)) }
            let listed = Set(try await store.keys())
            #expect(there.isSubset(of: listed))
            // At most what was under way in each round beyond that: a put and a deletion of each writer.
            #expect(listed.subtracting(there).subtracting(maybe).count <= 8 * round)
            for key in listed { #expect(try await store.bytes(key) == Self.bytes(key)) }
            try await store.settled()
            #expect(fixture.bodyFiles().count == listed.count { Self.bytes($0).count > 32 << 10 })
            await store.close()
        }
    }
}
