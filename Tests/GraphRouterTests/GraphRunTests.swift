// SPDX-License-Identifier: Apache-2.0
import ApusCore
import GraphRouter
import ServingObjects
import Synchronization
import Testing

/// Answers by the URL's last part: `echo` gives the request back, a number is a status, else `{"from": NAME}`.
private final class ScriptedCaller: GraphCaller {
    let calls = Mutex<[(url: String, body: String)]>([])

    func call(_ url: String, _ headers: [(String, String)], _ body: [UInt8]) async throws(GraphFault) -> GraphReply {
        calls.withLock { $0.append((url, String(decoding: body, as: UTF8.self))) }
        let name = url.split(separator: "/").last.map(String.init) ?? ""
        switch name {
        case "gone": throw GraphFault(500, "gone does not answer")
        case "echo": return GraphReply(status: 200, body: body)
        case "text": return GraphReply(status: 200, body: Array("text".utf8))
        case "predict": return GraphReply(status: 200, body: Array(#"{"predictions":[1,2]}"#.utf8))
        default:
            if let status = Int(name) { return GraphReply(status: status, body: Array(#"{"error":"x"}"#.utf8)) }
            return GraphReply(status: 200, body: JSONValue.object(["from": .string(name)]).encoded)
        }
    }
}

@Suite struct GraphRunTests {
    /// - Returns: status and body, and which URLs were called.
    private func run(
        _ spec: JSONValue, _ input: String = "{}", draw: Int = 0
    ) async throws -> (status: Int, body: String, calls: [String]) {
        let caller = ScriptedCaller()
        let graph = try InferenceGraphSpec(spec, name: "g", namespace: "n")
        let run = GraphRun(graph, headers: [], caller: caller, draw: { draw })
        do throws(GraphFault) {
            let reply = try await run.run(Array(input.utf8))
            return (
                reply.status, String(decoding: reply.body, as: UTF8.self), caller.calls.withLock { $0.map(\.url) }
            )
        } catch {
            return (error.status, error.description, caller.calls.withLock { $0.map(\.url) })
        }
    }

    private func graph(_ kind: String, _ steps: JSONValue, others: [String: JSONValue] = [:]) -> JSONValue {
        let root: JSONValue = ["routerType": .string(kind), "steps": steps]
        return ["nodes": .object(others.merging(["root": root]) { $1 })]
    }

    @Test func aSequenceGivesOn() async throws {
        let steps: JSONValue = [
            ["serviceUrl": "http://x/predict"],
            ["serviceUrl": "http://x/echo", "data": "$response", "mapPredictionsToInstances": true],
        ]
        let result = try await run(graph("Sequence", steps))
        #expect(result.body == #"{"instances":[1,2]}"#)
        let request = try await run(
            graph("Sequence", [["serviceUrl": "http://x/a"], ["serviceUrl": "http://x/echo"]]), #"{"q":1}"#)
        #expect(request.body == #"{"q":1}"#)
        #expect(request.calls == ["http://x/a", "http://x/echo"])
    }

    @Test func aSequenceEndsWhereItsConditionDoesNotHold() async throws {
        let steps = { (condition: String) -> JSONValue in
            [
                ["serviceUrl": "http://x/predict"],
                ["serviceUrl": "http://x/b", "data": "$response", "condition": .string(condition)],
            ]
        }
        #expect(try await run(graph("Sequence", steps("predictions.0"))).body == #"{"from":"b"}"#)
        let ended = try await run(graph("Sequence", steps("instances")))
        #expect(ended.status == 200 && ended.body == #"{"predictions":[1,2]}"# && ended.calls.count == 1)
    }

    @Test(arguments: [("Hard", 503, 1), ("Soft", 200, 2)]) func hardStepsDecide(
        _ dependency: String, _ status: Int, _ calls: Int
    ) async throws {
        let result = try await run(
            graph(
                "Sequence",
                [
                    ["serviceUrl": "http://x/503", "dependency": .string(dependency)], ["serviceUrl": "http://x/b"],
                ]))
        #expect(result.status == status && result.calls.count == calls)
    }

    @Test func whoDoesNotAnswerEndsIt() async throws {
        let result = try await run(graph("Sequence", [["serviceUrl": "http://x/gone"], ["serviceUrl": "http://x/b"]]))
        #expect(result.status == 500 && result.calls.count == 1)
    }

    @Test(arguments: [(0, "a"), (19, "a"), (20, "b"), (99, "b")]) func aSplitterGoesByWeight(
        _ number: Int, _ expected: String
    ) async throws {
        let steps: JSONValue = [
            ["serviceUrl": "http://x/a", "weight": 20], ["serviceUrl": "http://x/b", "weight": 80],
        ]
        #expect(try await run(graph("Splitter", steps), draw: number).calls == ["http://x/\(expected)"])
    }

    @Test func aSwitchTakesTheFirstThatHolds() async throws {
        let steps: JSONValue = [
            ["serviceUrl": "http://x/dog", "condition": "instances.#(animal==\"dog\")"],
            ["serviceUrl": "http://x/cat", "condition": "[@this].#(kind==\"cat\")"],
            ["serviceUrl": "http://x/any", "condition": "instances"],
        ]
        let ways = [
            (#"{"instances":[{"animal":"dog"}]}"#, "dog"), (#"{"kind":"cat"}"#, "cat"), (#"{"instances":[]}"#, "any"),
        ]
        for (input, name) in ways {
            #expect(try await run(graph("Switch", steps), input).calls == ["http://x/\(name)"])
        }
        #expect(try await run(graph("Switch", steps), #"{"other":1}"#).status == 404)
        #expect(try await run(graph("Switch", steps), "no json").status == 404)
    }

    @Test func anEnsemblePutsTogether() async throws {
        let result = try await run(
            graph("Ensemble", [["serviceUrl": "http://x/a", "name": "first"], ["serviceUrl": "http://x/b"]]))
        #expect(try JSONParser.parse(result.body) == ["first": ["from": "a"], "1": ["from": "b"]])
        let hard = try await run(
            graph("Ensemble", [["serviceUrl": "http://x/a"], ["serviceUrl": "http://x/418", "dependency": "Hard"]]))
        #expect(hard.status == 418)
        let soft = try await run(graph("Ensemble", [["serviceUrl": "http://x/a"], ["serviceUrl": "http://x/418"]]))
        #expect(soft.status == 200)
        #expect(try JSONParser.parse(soft.body)["1"] == ["error": "x"])
        #expect(try await run(graph("Ensemble", [["serviceUrl": "http://x/text"]])).status == 500)
    }

    @Test func nodesLeadToNodes() async throws {
        let inner: JSONValue = ["routerType": "Ensemble", "steps": [["serviceUrl": "http://x/a", "name": "x"]]]
        let result = try await run(
            graph(
                "Sequence", [["nodeName": "inner"], ["serviceUrl": "http://x/echo", "data": "$response"]],
                others: ["inner": inner]))
        #expect(result.body == #"{"x":{"from":"a"}}"#)
    }

    /// Twelve nodes that each lead four times to the next one: 4¹² calls, were there no bound.
    @Test func wideGraphsEnd() async throws {
        var nodes: [String: JSONValue] = [:]
        for level in 0..<12 {
            let target: JSONValue =
                level == 11 ? ["serviceUrl": "http://x/a"] : ["nodeName": .string("n\(level + 1)")]
            nodes[level == 0 ? "root" : "n\(level)"] = [
                "routerType": "Sequence", "steps": .array(.init(repeating: target, count: 4)),
            ]
        }
        let result = try await run(["nodes": .object(nodes)])
        #expect(result.status == 500 && result.calls.count == 1000)
    }
}
