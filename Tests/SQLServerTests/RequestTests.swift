// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import HTTPTypes
import Testing

@testable import SQLServer

struct RequestTests {
    private func request(
        _ body: String, query: String = "", type: String? = nil, accept: String? = nil
    ) throws -> SQLRequest {
        try SQLRequest(
            .init(query: try SQLRequest.Head.pairs(query), contentType: type, accept: accept), body: Array(body.utf8))
    }

    @Test func statementsComeFromBodyAndURL() throws {
        #expect(try request("SELECT 1").sql == "SELECT 1")
        #expect(try request("", query: "query=SELECT+1%2B1").sql == "SELECT 1+1")
        #expect(try request("VALUES (1)", query: "query=SELECT%201%20UNION").sql == "SELECT 1 UNION\nVALUES (1)")
        #expect(throws: SQLFault.self) { try request(" \n") }
        #expect(throws: SQLFault.self) { try request("SELECT 1", query: "readonly=0") }
        #expect(throws: SQLFault.self) { try request("", query: "query=%FF") }
        #expect(throws: SQLFault.self) { try SQLRequest(.init(), body: [0x53, 0xFF]) }
    }

    @Test func bodiesOfJSON() throws {
        let wanted = try request(
            #"{"sql": "SELECT $a", "parameters": {"a": 1.5}, "engine": "spark", "format": "csv", "limits": {"seconds": 0.5, "rows": 10, "bytes": 100}}"#,
            type: "application/json; charset=utf-8")
        #expect(wanted.sql == "SELECT $a" && wanted.engine == "spark" && wanted.format == .csv)
        #expect(wanted.parameters == .named(["a": .double(1.5)]))
        #expect(wanted.limits == RequestLimits(seconds: 0.5, rows: 10, bytes: 100))
        #expect(
            try request(#"{"sql": "S", "parameters": [null, true, "x", 7]}"#, type: "application/json").parameters
                == .list([.null, .bool(true), .string("x"), .int(7)]))
        for bad in [
            "[]", "{}", "{\"sql\": 1}", "{\"sql\": \"S\", \"extra\": 1}", "{\"sql\": \"S\", \"parameters\": 1}",
            "{\"sql\": \"S\", \"parameters\": [[1]]}", "{\"sql\": \"S\", \"limits\": {\"rows\": 0}}",
            "{\"sql\": \"S\", \"limits\": {\"memory\": 1}}", "{\"sql\": \"S\", \"format\": \"xml\"}", "{",
        ] {
            let fault = #expect(throws: SQLFault.self) { try request(bad, type: "application/json") }
            #expect(fault?.status == .badRequest)
        }
    }

    @Test func formats() throws {
        #expect(try request("SELECT 1").format == .jsonLines)
        #expect(try request("SELECT 1", accept: "*/*").format == .jsonLines)
        #expect(try request("SELECT 1", accept: "application/vnd.apache.arrow.stream").format == .arrowStream)
        #expect(try request("SELECT 1", accept: "text/csv;q=0.5, application/json").format == .json)
        #expect(try request("SELECT 1", accept: "text/html, */*;q=0.1").format == .jsonLines)
        #expect(try request("SELECT 1", query: "default_format=JSONEachRow", accept: "text/csv").format == .jsonLines)
        let clause = try request("SELECT 1 AS x\n format CSVWithNames ; ", query: "default_format=JSON")
        #expect(clause.format == .csvNamed && clause.sql.hasPrefix("SELECT 1 AS x") && !clause.sql.contains("format"))
        for kept in ["SELECT 'FORMAT CSV'", "SELECT 1 FORMAT", "SELECT x AS format_csv", "SELECT 1 FORMAT XML", "CSV"] {
            #expect(ResultFormat.clause(in: kept).sql == kept && ResultFormat.clause(in: kept).format == nil)
        }
        #expect(throws: SQLFault.self) { try request("SELECT 1", accept: "image/png") }
    }

    @Test func parametersAreBoundByPlace() throws {
        #expect(try SQLRequest.Parameters.none.row([:]) == nil)
        let row = try #require(
            try SQLRequest.Parameters.named(["b": .string("x"), "A": .int(1)]).row(["a": 1, "b": 2]))
        #expect(row.row(0) == [.int(1), .string("x")])
        #expect(try SQLRequest.Parameters.list([.null]).row(["1": 1])?.row(0) == [.null])
        #expect(throws: SQLFault.self) { try SQLRequest.Parameters.none.row(["1": 1]) }
        #expect(throws: SQLFault.self) { try SQLRequest.Parameters.list([.int(1)]).row([:]) }
        #expect(throws: SQLFault.self) { try SQLRequest.Parameters.named(["z": .int(1)]).row(["a": 1]) }
        #expect(throws: SQLFault.self) { try SQLRequest.Parameters.named(["a": .int(1)]).row(["a": 1, "b": 2]) }
    }

    /// Whatever comes, it is a request or a fault of the client.
    @Test func anyBytes() {
        var seed: UInt64 = 7
        func next(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % bound
        }
        let start = Array(#"{"sql":"SELECT $a FORMAT CSV","parameters":{"a":[1,"x"]},"limits":{"rows":1}}"#.utf8)
        for round in 0..<2000 {
            var body = start
            for _ in 0...next(6) {
                switch next(3) {
                case 0: body[next(body.count)] = UInt8(next(256))
                case 1: body.remove(at: next(body.count))
                default: body.insert(UInt8(next(128)), at: next(body.count))
                }
            }
            do throws(SQLFault) {
                _ = try SQLRequest(.init(contentType: round % 2 == 0 ? "application/json" : nil), body: body)
            } catch {
                #expect(error.status.kind == .clientError)
            }
        }
    }
}

struct AdmissionTests {
    @Test func firstComeFirstServed() {
        var state = AdmissionState(places: 2, maximumWaiting: 2)
        #expect(state.arrive(1) == .run && state.arrive(2) == .run)
        #expect(state.arrive(3) == .wait && state.arrive(4) == .wait)
        #expect(state.arrive(5) == .refuse)
        #expect(state.giveUp(3) && !state.giveUp(3) && !state.giveUp(1))
        #expect(state.leave() == 4)
        #expect(state.running == 2)
        #expect(state.leave() == nil && state.leave() == nil && state.running == 0)
        #expect(state.arrive(6) == .run)
    }

    @Test(.timeLimit(.minutes(1)))
    func placesAreHandedOn() async throws {
        let queue = AdmissionQueue(places: 1, maximumWaiting: 100)
        var first = try await queue.enter()
        let others = Task {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<50 { group.addTask { try await queue.enter() != nil } }
                var count = 0
                for try await isIn in group where isIn { count += 1 }
                return count
            }
        }
        #expect(first != nil)
        while queue.load.waiting < 50 { await Task.yield() }
        first = nil
        #expect(try await others.value == 50)
        #expect(queue.load == (0, 0))
    }

    @Test(.timeLimit(.minutes(1)))
    func whoGivesUpLeavesNoTrace() async throws {
        let queue = AdmissionQueue(places: 1, maximumWaiting: 1)
        let first = try await queue.enter()
        let second = Task { try await queue.enter() }
        while queue.load.waiting == 0 { await Task.yield() }
        #expect(try await queue.enter() == nil)
        second.cancel()
        await #expect(throws: CancellationError.self) { _ = try await second.value }
        #expect(first != nil && queue.load == (1, 0))
    }
}
