// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI
import KubeServer
import KubeStore
import Listening
import Logging
import ServiceLifecycle
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Keys and certificates in a directory of their own.
struct TemporaryPKI {
    let directory: String
    let pki: ClusterPKI

    init(names: [String] = []) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        pki = try ClusterPKI(directory: directory, names: names)
    }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }
}

@Suite struct ClusterPKITests {
    @Test func filesAreKeptAndOnlyTheirOwnerReadsThem() throws {
        let first = try TemporaryPKI(names: ["127.96.0.1"])
        defer { first.remove() }
        let files = try FileManager.default.contentsOfDirectory(atPath: first.directory)
        #expect(files.count == 7)
        for file in files {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(first.directory)/\(file)")
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        }
        let again = try ClusterPKI(directory: first.directory, names: ["127.96.0.1"])
        #expect(again.servingCertificatePEM == first.pki.servingCertificatePEM)
        #expect(again.authorityPEM == first.pki.authorityPEM)
        let moved = try ClusterPKI(directory: first.directory, names: ["127.96.0.1", "example.test"])
        #expect(moved.servingCertificatePEM != first.pki.servingCertificatePEM, "a name was missing")
        #expect(moved.adminCertificatePEM == first.pki.adminCertificatePEM)
    }

    @Test func nothingThatIsPrintedHasKeys() throws {
        let keys = try TemporaryPKI()
        defer { keys.remove() }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = APIServer(store: try KubeStore(inMemory: StoreConfiguration(), logger: logger), logger: logger)
        let http = HTTPAPIServer(server: server, configuration: .init(pki: keys.pki), logger: logger)
        #expect(!"\(http) \(String(reflecting: http))".contains("PRIVATE KEY"))
        var dumped = ""
        dump(http, to: &dumped)
        #expect(!dumped.contains("PRIVATE KEY"))
    }

    @Test func damagedKeysAreReported() throws {
        let first = try TemporaryPKI()
        defer { first.remove() }
        try "nonsense".write(toFile: "\(first.directory)/ca.key", atomically: false, encoding: .utf8)
        #expect(throws: PKIError.self) { try ClusterPKI(directory: first.directory, names: []) }
    }
}

/// The server over HTTPS, with other programs as clients.
@Suite struct HTTPServerTests {
    /// Runs a server while `body` runs.
    private func withServer(_ body: @Sendable @escaping (Int, TemporaryPKI) async throws -> Void) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let pki = try TemporaryPKI()
        defer { pki.remove() }
        let server = APIServer(
            store: try KubeStore(inMemory: StoreConfiguration(), logger: logger), logger: logger)
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let http = HTTPAPIServer(
            server: server, configuration: .init(port: 0, pki: pki.pki), logger: logger
        ) { continuation.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await http.run() }
            let port = try #require(await ports.first { _ in true })
            try await server.bootstrap(host: "127.0.0.1", port: port)
            try pki.pki.kubeconfig(server: "https://127.0.0.1:\(port)").write(
                toFile: "\(pki.directory)/kubeconfig", atomically: false, encoding: .utf8)
            try await body(port, pki)
            group.cancelAll()
        }
    }

    /// Runs a program to its end on a thread of its own.
    private func run(_ program: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                let process = Process()
                let pipe = Pipe()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                process.arguments = [program] + arguments
                process.standardOutput = pipe
                process.standardError = pipe
                do {
                    try process.run()
                    let data = pipe.fileHandleForReading.readDataToEndOfFile()
                    process.waitUntilExit()
                    continuation.resume(
                        returning: (process.terminationStatus, String(decoding: data, as: UTF8.self)))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    private func curl(_ arguments: String...) async throws -> (status: Int32, output: String) {
        try await run("curl", ["-s", "-w", " %{http_code}"] + arguments)
    }

    @Test func certificatesAuthenticate() async throws {
        try await withServer { port, pki in
            let url = "https://127.0.0.1:\(port)"
            let authority = "\(pki.directory)/ca.crt"
            let anonymous = try await curl("--cacert", authority, "\(url)/api/v1/namespaces")
            #expect(anonymous.output.hasSuffix(" 401"))
            for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
                let health = try await curl("--cacert", authority, flag, "\(url)/readyz", "-w", " %{http_version}")
                #expect(health.output == "ok \(version)")
            }
            let wrong = try await curl("--cacert", authority, "-H", "Authorization: Bearer x", "\(url)/readyz")
            #expect(wrong.output.hasSuffix(" 401"))
            let admin = try await curl(
                "--cacert", authority, "--cert", "\(pki.directory)/admin.crt", "--key", "\(pki.directory)/admin.key",
                "\(url)/api/v1/namespaces")
            #expect(admin.output.hasSuffix(" 200"))
        }
    }

    @Test func largeBodiesAndGarbageLeaveTheServerAlive() async throws {
        try await withServer { port, pki in
            let large = "\(pki.directory)/large"
            try Data(count: 4 << 20).write(to: URL(fileURLWithPath: large))
            let url = "https://127.0.0.1:\(port)"
            let answer = try await curl(
                "-k", "--cert", "\(pki.directory)/admin.crt", "--key", "\(pki.directory)/admin.key",
                "--data-binary", "@\(large)", "\(url)/api/v1/namespaces/default/configmaps")
            #expect(answer.output.hasSuffix(" 413"))
            for garbage in ["garbage\r\n\r\n", "\u{16}\u{3}\u{1}", "GET / HTTP/1.1\r\n\r\n", ""] {
                try Self.send(garbage, port: port)
            }
            let health = try await curl("-k", "\(url)/livez")
            #expect(health.output == "ok 200")
        }
    }

    /// Connects, sends bytes and closes.
    private static func send(_ text: String, port: Int) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(connected == 0)
        let bytes = Array(text.utf8)
        #expect(Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    @Test func takenPortsAreReported() async throws {
        try await withServer { port, pki in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let server = APIServer(
                store: try KubeStore(inMemory: StoreConfiguration(), logger: logger), logger: logger)
            let second = HTTPAPIServer(
                server: server, configuration: .init(port: port, pki: pki.pki), logger: logger)
            let error = await #expect(throws: ListenError.self) { try await second.run() }
            #expect(
                error?.description == "address 127.0.0.1:\(port) is already in use: stop the other program or choose "
                    + "another with --listen")
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: ["--http1.1", "--http2"])
    func gracefulShutdownEndsWatches(version: String) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let pki = try TemporaryPKI()
        defer { pki.remove() }
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: logger)
        let server = APIServer(store: store, logger: logger)
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let http = HTTPAPIServer(
            server: server, configuration: .init(port: 0, pki: pki.pki), logger: logger
        ) { continuation.yield($0) }
        let services = ServiceGroup(configuration: .init(services: [http], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            let port = try #require(await ports.first { _ in true })
            async let watch = curl(
                version, "-k", "--cert", "\(pki.directory)/admin.crt", "--key", "\(pki.directory)/admin.key",
                "https://127.0.0.1:\(port)/api/v1/namespaces?watch=true&allowWatchBookmarks=true")
            while store.watcherCount == 0 { await Task.yield() }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            let answer = try await watch
            #expect(answer.status == 0, "the answer is complete")
            #expect(answer.output.contains("BOOKMARK"))
        }
        #expect(store.watcherCount == 0)
    }

    @Test(.timeLimit(.minutes(5)), arguments: ["--http1.1", "--http2"])
    func clientsThatLeaveEndTheirWatch(version: String) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let pki = try TemporaryPKI()
        defer { pki.remove() }
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: logger)
        let server = APIServer(store: store, logger: logger)
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let http = HTTPAPIServer(
            server: server, configuration: .init(port: 0, pki: pki.pki), logger: logger
        ) { continuation.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await http.run() }
            let port = try #require(await ports.first { _ in true })
            // The client leaves by itself: its output is closed after the first byte.
            async let client = run(
                "sh",
                [
                    "-c",
                    "curl \(version) -skN --cert \(pki.directory)/admin.crt --key \(pki.directory)/admin.key "
                        + "'https://127.0.0.1:\(port)/api/v1/namespaces?watch=true' | head -c 1",
                ])
            while store.watcherCount == 0 { await Task.yield() }
            while store.watcherCount > 0 {
                _ = await server.handle(
                    KubeRequest(
                        method: "POST", path: "/api/v1/namespaces", contentType: "application/json",
                        body: Array("{\"metadata\":{\"generateName\":\"n-\"}}".utf8)),
                    user: .admin)
            }
            #expect(try await client.output == "{")
            group.cancelAll()
        }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/kubectl")))
    func kubectlCreatesGetsAndDeletes() async throws {
        try await withServer { _, pki in
            func kubectl(_ arguments: String...) async throws -> (status: Int32, output: String) {
                // Its own cache: the user's has what an earlier server on the same port has said.
                let files = ["--kubeconfig", "\(pki.directory)/kubeconfig", "--cache-dir", "\(pki.directory)/cache"]
                return try await run("kubectl", files + arguments)
            }
            #expect(try await kubectl("create", "namespace", "n").output == "namespace/n created\n")
            let made = try await kubectl("create", "configmap", "a", "-n", "n", "--from-literal=k=v")
            #expect(made.output == "configmap/a created\n")
            let columns = try await kubectl("get", "configmap", "-n", "n", "--no-headers")
            #expect(columns.output.split(separator: " ").prefix(2) == ["a", "1"])
            let path = try await kubectl("get", "cm", "a", "-n", "n", "-o", "jsonpath={.data.k}")
            #expect(path.output == "v")
            #expect(try await kubectl("label", "cm", "a", "-n", "n", "x=y").output == "configmap/a labeled\n")
            #expect(try await kubectl("auth", "whoami").output.contains("apus-admin"))
            #expect(try await kubectl("delete", "cm", "a", "-n", "n").output == "configmap \"a\" deleted\n")
        }
    }
}
