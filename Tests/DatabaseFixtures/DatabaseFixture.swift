// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Foundation
package import SQLDatabases
import Synchronization

/// The databases that every test runs on.
package enum Backend: String, CaseIterable, Sendable {
    case sqlite, postgres
}

/// A PostgreSQL server of Debian's package, on a free port, with a folder of its own; goes with the process.
package final class PostgresServer: Sendable {
    package static let shared = Result { try PostgresServer() }

    private let folder: String
    private let process = Mutex<Process?>(nil)
    private let chosen = Mutex(0)

    private init() throws {
        folder = NSTemporaryDirectory() + "apus-postgres-\(UUID().uuidString)"
        try Folder.create(folder)
        // The server refuses to run as root.
        if getuid() == 0 { try Self.run("/usr/bin/chown", ["postgres:postgres", folder]) }
        try Self.runAsOwner(
            Self.program("initdb"),
            ["-D", folder + "/data", "-U", "apus", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"])
        try startSomewhere()
        atexit {
            if case .success(let server) = PostgresServer.shared { server.remove() }
        }
    }

    /// Stays the same when it is started again.
    package var port: Int { chosen.withLock { $0 } }

    /// Whether its process is there.
    private var isRunning: Bool { process.withLock { $0?.isRunning ?? false } }

    /// Starts it on a port that nobody has: not one that the system hands out, nor one of Kubernetes' node ports.
    private func startSomewhere() throws {
        for _ in 0..<20 {
            let port = Int.random(in: 20_000..<30_000)
            guard Self.isFree(port) else { continue }
            chosen.withLock { $0 = port }
            do {
                return try start()
            } catch {
                // Another took the port meanwhile, and it ended.
                guard !isRunning else { throw error }
            }
        }
        throw SQLError(.unavailable, "PostgreSQL starts on none of 20 ports")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // A `sockaddr_in`, by its bytes: whose structure that is depends on which C module comes first.
        var address = [UInt8](repeating: 0, count: 16)
        withUnsafeBytes(of: UInt16(AF_INET)) { address.replaceSubrange(0..<2, with: $0) }
        withUnsafeBytes(of: UInt16(port).bigEndian) { address.replaceSubrange(2..<4, with: $0) }
        address.replaceSubrange(4..<8, with: [127, 0, 0, 1])
        return address.withUnsafeBytes { bytes in
            bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) == 0
        }
    }

    package func uri(_ database: String = "postgres") -> String { "postgresql://apus@127.0.0.1:\(port)/\(database)" }

    package func start() throws {
        let (program, arguments) = Self.owned(
            Self.program("postgres"),
            [
                "-D", folder + "/data", "-p", "\(port)", "-c", "listen_addresses=127.0.0.1",
                "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "log_min_messages=panic",
            ])
        let started = Process()
        started.executableURL = URL(filePath: program)
        started.arguments = arguments
        started.standardError = FileHandle.nullDevice
        try started.run()
        process.withLock { $0 = started }
        let end = ContinuousClock.now + .seconds(120)
        while isRunning, ContinuousClock.now < end {
            if (try? PostgresDatabase(uri: uri())) != nil { return }
            usleep(50_000)
        }
        throw SQLError(.unavailable, "PostgreSQL does not start on port \(port)")
    }

    package func stop() {
        process.withLock { process in
            // SIGINT: fast shutdown.
            process?.interrupt()
            process?.waitUntilExit()
            process = nil
        }
    }

    private func remove() {
        stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func program(_ name: String) -> String {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return "\(root)/\(versions.max { (Int($0) ?? 0) < (Int($1) ?? 0) } ?? "15")/bin/\(name)"
    }

    private static func owned(_ program: String, _ arguments: [String]) -> (String, [String]) {
        guard getuid() == 0 else { return (program, arguments) }
        return ("/usr/bin/setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", program] + arguments)
    }

    private static func runAsOwner(_ program: String, _ arguments: [String]) throws {
        let (program, arguments) = owned(program, arguments)
        try run(program, arguments)
    }

    private static func run(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw SQLError(.other, "\(program) failed") }
    }
}

/// Runs a test with an empty database.
package func withDatabase(_ backend: Backend, _ body: (any SQLDatabase) async throws -> Void) async throws {
    switch backend {
    case .sqlite:
        let folder = NSTemporaryDirectory() + "apus-sql-\(UUID().uuidString)"
        try Folder.create(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let database = try SQLiteDatabase(path: folder + "/test.sqlite", applicationID: 0x4150_0001)
        try await body(database)
        await database.close()
    case .postgres:
        let server = try PostgresServer.shared.get()
        let name = "t" + UUID().uuidString.lowercased().filter { $0 != "-" }
        let administration = try PostgresDatabase(uri: server.uri())
        try await administration.read { _ in }
        try createDatabase(name, server)
        let database = try PostgresDatabase(uri: server.uri(name))
        try await body(database)
        await database.close()
        await administration.close()
    }
}

/// CREATE DATABASE cannot run in a transaction.
private func createDatabase(_ name: String, _ server: PostgresServer) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/createdb")
    process.arguments = ["-h", "127.0.0.1", "-p", "\(server.port)", "-U", "apus", "-T", "template0", name]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw SQLError(.other, "createdb failed") }
}
