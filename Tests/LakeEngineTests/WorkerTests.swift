// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import Foundation
import Synchronization
import Testing

@testable import LakeEngine

/// The worker's protocol: its serving side on a thread of the test, over a socket pair, with DuckDB behind it. The
/// binary's `lake-worker` is tried by Tests/RealClients/test_lake.py.
struct WorkerTests {
    private func pair() throws -> (WorkerSocket, WorkerSocket) {
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        return (WorkerSocket(ends[0]), WorkerSocket(ends[1]))
    }

    private func serve() throws -> WorkerSocket {
        let (ours, theirs) = try pair()
        Thread.detachNewThread {
            LakeWorker.serve(theirs) { _ throws(LakeError) in try DuckDB.open(.init(), options: [:]).connect() }
        }
        return ours
    }

    private func expectDone(_ socket: WorkerSocket) throws {
        let answer = try #require(socket.read())
        #expect(answer.kind == .done, "\(String(decoding: answer.payload, as: UTF8.self))")
    }

    @Test func statementsRowsAndErrorsCrossTheSocket() throws {
        let socket = try serve()
        #expect(socket.write(.open, WorkerMessage.json([:])))
        try expectDone(socket)

        let sql = LakeStatement(sql: "SELECT i, [i] AS l FROM range(5000) t(i)")
        #expect(socket.write(.execute, try WorkerMessage.execute(sql)))
        let head = try #require(socket.read())
        #expect(head.kind == .head)
        var decoder = IPCDecoder()
        _ = try decoder.feed(head.payload.dropFirst(8))
        #expect(decoder.schema?.fields.map(\.name) == ["i", "l"])
        var rows = 0
        while true {
            #expect(socket.write(.next))
            let answer = try #require(socket.read())
            if answer.kind == .end { break }
            #expect(answer.kind == .batch)
            for batch in try decoder.feed(answer.payload) {
                #expect(batch.row(0)[1] == .list([batch.row(0)[0]]))
                rows += batch.rowCount
            }
        }
        #expect(rows == 5000)
        #expect(socket.write(.finish))
        try expectDone(socket)

        #expect(socket.write(.execute, try WorkerMessage.execute(LakeStatement(sql: "SELECT * FROM missing"))))
        let failure = try #require(socket.read())
        #expect(failure.kind == .failed)
        #expect(WorkerMessage.error(failure.payload).code == .notFound)
        #expect(socket.write(.next))
        #expect(try #require(socket.read()).kind == .end)
        socket.shutDown()
    }

    @Test func parametersAndIngestionCrossTheSocket() throws {
        let batch = try ArrowBatch([(ArrowField("a", .int64), [.int(1), .int(2)])])
        var statement = LakeStatement(sql: "SELECT ?", parameters: batch, options: ["o": "v"])
        let back = try WorkerMessage.execute(WorkerMessage.execute(statement))
        #expect(back.sql == "SELECT ?" && back.options == ["o": "v"] && back.parameters?.rows == batch.rows)
        #expect(back.ingest == nil)
        statement = LakeStatement(
            ingest: .init(table: "t", mode: .replace, schema: batch.schema, batches: [batch, batch]))
        let ingest = try #require(try WorkerMessage.execute(WorkerMessage.execute(statement)).ingest)
        #expect(ingest.table == "t" && ingest.mode == .replace && ingest.batches.count == 2)
        for bytes: [UInt8] in [[], [1], [255, 255, 255, 255, 1], [0, 0, 0, 0, 9]] {
            #expect(throws: LakeError.self) { try WorkerMessage.execute(bytes) }
        }
    }

    @Test func cancellationReachesARunningStatement() throws {
        let socket = try serve()
        #expect(socket.write(.open, WorkerMessage.json([:])))
        try expectDone(socket)
        let endless = "SELECT count(*) FROM range(10000000000) a, range(10000000000) b WHERE a.range % 7 = b.range % 3"
        #expect(socket.write(.execute, try WorkerMessage.execute(LakeStatement(sql: endless))))
        // Said until it is heard, as the watch does: it may come before the statement is there.
        let stop = Stop()
        Thread.detachNewThread {
            while !stop.isSet {
                _ = socket.write(.cancel)
                usleep(10_000)
            }
        }
        var answer = try #require(socket.read())
        if answer.kind == .head {
            #expect(socket.write(.next))
            answer = try #require(socket.read())
        }
        stop.set()
        #expect(answer.kind == .failed)
        #expect(WorkerMessage.error(answer.payload).code == .cancelled)
        socket.shutDown()
    }

    @Test func aWorkerThatDiesIsAnErrorThatSaysHow() async throws {
        let cases = [
            (["/bin/sh", "-c", "exit 7"], "exited with status 7"),
            (["/bin/sh", "-c", "kill -SEGV $$"], "died of signal 11"),
            (["/no/such/program"], "cannot be started"), (["/bin/echo", "hello"], "exited with status 0"),
        ]
        for (command, expected) in cases {
            let database = try await LakeDatabase.open(.path("/bin/sh"), worker: command)
            let error = await #expect(throws: LakeError.self) { try await database.connect() }
            #expect(error?.code == .driver)
            #expect(error?.message.contains(expected) == true, "\(String(describing: error))")
        }
    }

    @Test func framesThatAreTooLongOrUnknownEndTheConversation() throws {
        let (ours, theirs) = try pair()
        #expect(ours.write(.done, [1, 2, 3]))
        let frame = try #require(theirs.read())
        #expect(frame.kind == .done && frame.payload == [1, 2, 3])
        var ends: [CInt] = [-1, -1]
        for bytes: [UInt8] in [[0, 0, 0, 0, 1], [255, 255, 255, 255, 1], [1, 0, 0, 0, 200], [2, 0, 0, 0, 64]] {
            try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
            let socket = WorkerSocket(ends[0])
            #expect(write(ends[1], bytes, bytes.count) == bytes.count)
            close(ends[1])
            #expect(socket.read() == nil)
        }
    }
}

/// A flag that another thread reads.
private final class Stop: Sendable {
    private let flag = Mutex(false)

    var isSet: Bool { flag.withLock { $0 } }

    func set() { flag.withLock { $0 = true } }
}
