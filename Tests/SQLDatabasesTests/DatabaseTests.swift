// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import Foundation
import SQLDatabases
import Testing

@Suite(.serialized)
struct DatabaseTests {
    private static func createTable(_ database: any SQLDatabase) async throws {
        try await database.write { session in
            try session.run(
                """
                CREATE TABLE things (id \(session.dialect.countedKey), name TEXT NOT NULL UNIQUE, number BIGINT,
                weight \(session.dialect.real), data \(session.dialect.bytes))
                """)
        }
    }

    @Test(arguments: Backend.allCases) func valuesComeBack(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            try await Self.createTable(database)
            let rows: [[SQLValue]] = [
                ["one", 1, .real(0.1), .bytes([0, 255, 7])],
                ["", .integer(.min), .real(-.infinity), .bytes([])],
                ["ünï 😀 'quoted' \"?\"", .integer(.max), .real(.greatestFiniteMagnitude), nil],
                ["null", nil, nil, nil],
            ]
            let ids = try await database.write { session in
                try rows.map { row in
                    try session.row(
                        "INSERT INTO things (name, number, weight, data) VALUES (?, ?, ?, ?) RETURNING id", row)?
                        .integer(0)
                }
            }
            #expect(ids == [1, 2, 3, 4])
            let found = try await database.read { session in
                try session.rows("SELECT name, number, weight, data, '?' FROM things WHERE id > ? ORDER BY id", [0])
            }
            #expect(found.map(\.values) == rows.map { $0 + [.text("?")] })
        }
    }

    @Test(arguments: Backend.allCases) func aChangeThatFailsLeavesTheOthers(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            try await Self.createTable(database)
            try await database.write { try $0.run("INSERT INTO things (name) VALUES (?)", ["taken"]) }
            let results = await withTaskGroup(of: (Int, SQLError.Code?).self) { group in
                for number in 0..<100 {
                    group.addTask {
                        do {
                            try await database.write { session in
                                try session.run(
                                    "INSERT INTO things (name, number) VALUES (?, ?)", [.text("n\(number)"), 1])
                                // Every tenth fails after it has changed something.
                                guard number % 10 == 0 else { return }
                                try session.run("INSERT INTO things (name) VALUES (?)", ["taken"])
                            }
                            return (number, nil)
                        } catch {
                            return (number, (error as? SQLError)?.code)
                        }
                    }
                }
                return await group.reduce(into: [Int: SQLError.Code?]()) { $0[$1.0] = $1.1 }
            }
            for number in 0..<100 { #expect(results[number] == .some(number % 10 == 0 ? .unique : nil)) }
            let names = try await database.read { try $0.rows("SELECT name FROM things").map { $0.text(0) } }
            #expect(Set(names) == Set((0..<100).filter { $0 % 10 != 0 }.map { "n\($0)" } + ["taken"]))
        }
    }

    @Test(arguments: Backend.allCases) func likeTellsCapitalLetters(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            let found = try await database.read { session in
                try session.row("SELECT 'Abc' LIKE 'abc', 'Abc' LIKE 'A%', lower('Abc') LIKE lower('aBC')")
            }
            #expect(found.map { [$0.bool(0), $0.bool(1), $0.bool(2)] } == [false, true, true])
        }
    }

    @Test(arguments: Backend.allCases) func wrongStatementsAreErrors(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            let wrong = [
                "SELEC 1", "SELECT * FROM nothing", "INSERT INTO nothing VALUES (1)", "SELECT CAST(? AS BIGINT)",
            ]
            for sql in wrong {
                await #expect(throws: SQLError.self) { try await database.write { _ = try $0.run(sql) } }
            }
            // And the connection goes on.
            let row = try await database.read { try $0.row("SELECT CAST(7 AS BIGINT)") }
            #expect(row?.integer(0) == 7)
            await database.close()
            let error = await #expect(throws: SQLError.self) { try await database.write { _ = try $0.run("SELECT 1") } }
            #expect(error?.code == .unavailable)
        }
    }

    @Test(arguments: Backend.allCases) func readersSeeOneState(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            try await Self.createTable(database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for number in 0..<200 {
                        try await database.write { session in
                            try session.run("INSERT INTO things (name) VALUES (?)", [.text("a\(number)")])
                            try session.run("INSERT INTO things (name) VALUES (?)", [.text("b\(number)")])
                        }
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<50 {
                            let counts = try await database.read { session in
                                try (0..<2).map { _ in try session.row("SELECT count(*) FROM things")?.integer(0) ?? -1
                                }
                            }
                            #expect(counts[0] == counts[1] && counts[0] % 2 == 0)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test(arguments: Backend.allCases) func aFirstReaderNeedNotWaitForTheWriter(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            try await Self.createTable(database)
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            let held = DispatchGroup()
            held.enter()
            async let change = database.write { session in
                try session.run("INSERT INTO things (name) VALUES ('a')")
                begin.finish()
                held.wait()
            }
            for await _ in begun {}
            let count = try? await database.read { try $0.row("SELECT count(*) FROM things")?.integer(0) }
            held.leave()
            try await change
            #expect(count == 0)
        }
    }

    @Test func aServerThatWasAwayIsFoundAgain() async throws {
        try await withDatabase(.postgres) { database in
            try await Self.createTable(database)
            let server = try PostgresServer.shared.get()
            server.stop()
            let error = await #expect(throws: SQLError.self) {
                try await database.write { try $0.run("INSERT INTO things (name) VALUES ('lost')") }
            }
            #expect(error?.code == .unavailable)
            try server.start()
            try await database.write { try $0.run("INSERT INTO things (name) VALUES ('kept')") }
            let names = try await database.read { try $0.rows("SELECT name FROM things").map { $0.text(0) } }
            #expect(names == ["kept"])
            // One that was away between two requests is not noticed.
            server.stop()
            try server.start()
            #expect(try await database.read { try $0.rows("SELECT name FROM things").count } == 1)
            try await database.write { try $0.run("INSERT INTO things (name) VALUES ('more')") }
        }
    }

    @Test func otherFilesAreRefused() async throws {
        let folder = NSTemporaryDirectory() + "apus-sql-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/other.sqlite"
        let first = try SQLiteDatabase(path: path, applicationID: 1)
        await first.close()
        #expect(throws: SQLError.self) { try SQLiteDatabase(path: path, applicationID: 2) }
        try Data("not a database, but long enough to be looked at as one".utf8).write(to: URL(filePath: path + "x"))
        let error = #expect(throws: SQLError.self) { try SQLiteDatabase(path: path + "x", applicationID: 1) }
        #expect(error?.code == .corrupt)
    }
}
