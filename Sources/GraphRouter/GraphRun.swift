// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ServingObjects
import Synchronization

/// One request's way through a graph.
///
/// Source: KServe's cmd/router: what a sequence, a splitter, a switch and an ensemble do.
package struct GraphRun: Sendable {
    /// Calls of one request: nodes may lead to nodes many times over.
    private static let longest = 1000
    private static let deepest = 64

    private let spec: InferenceGraphSpec
    private let headers: [(String, String)]
    private let caller: any GraphCaller
    private let draw: @Sendable () -> Int
    private let calls = CallCount()

    private final class CallCount: Sendable {
        private let count = Atomic(0)

        func isWithin(_ limit: Int) -> Bool { count.add(1, ordering: .relaxed).newValue <= limit }
    }

    /// - Parameters:
    ///   - spec: the graph.
    ///   - headers: that steps get.
    ///   - caller: reaches services.
    ///   - draw: a number from 0 to 99 for splitters.
    package init(
        _ spec: InferenceGraphSpec, headers: [(String, String)], caller: any GraphCaller,
        draw: @escaping @Sendable () -> Int = { Int.random(in: 0..<100) }
    ) {
        self.spec = spec
        self.headers = headers
        self.caller = caller
        self.draw = draw
    }

    /// - Parameter input: the request's body.
    /// - Returns: the answer of the last step, or what the graph made of several.
    /// - Throws: ``GraphFault`` where no service answered, or no way fits the request.
    package func run(_ input: [UInt8]) async throws(GraphFault) -> GraphReply {
        try await node(InferenceGraphSpec.root, input, depth: 0)
    }

    private func node(_ name: String, _ input: [UInt8], depth: Int) async throws(GraphFault) -> GraphReply {
        guard depth < Self.deepest else { throw GraphFault(500, "the graph is deeper than \(Self.deepest) nodes") }
        guard let node = spec.nodes[name] else { throw GraphFault(500, "the graph has no node \(name)") }
        switch node.kind {
        case .sequence: return try await sequence(node.steps, input, depth)
        case .splitter:
            guard let step = Self.pick(node.steps, draw()) else { throw GraphFault(500, "\(name) has no weights") }
            return try await self.step(step, input, depth)
        case .choice:
            let json = try? JSONParser.parse(input)
            guard let json, let step = node.steps.first(where: { $0.condition?.find(in: json) != nil }) else {
                throw GraphFault(404, "none of the conditions of the switch \(name) holds for the request")
            }
            return try await self.step(step, input, depth)
        case .ensemble: return try await ensemble(node.steps, input, depth)
        }
    }

    /// The step whose share a number from 0 to 99 falls into.
    package static func pick(_ steps: [InferenceGraphSpec.Step], _ number: Int) -> InferenceGraphSpec.Step? {
        var end = 0
        for step in steps {
            end += step.weight ?? 0
            if number < end { return step }
        }
        return nil
    }

    private func sequence(
        _ steps: [InferenceGraphSpec.Step], _ input: [UInt8], _ depth: Int
    ) async throws(GraphFault) -> GraphReply {
        var reply: GraphReply?
        for step in steps {
            if let condition = step.condition {
                guard let last = reply, let json = try? JSONParser.parse(last.body) else {
                    throw GraphFault(500, "the condition '\(condition.text)' has no JSON answer to look at")
                }
                // The way ends here, with what there is.
                guard condition.find(in: json) != nil else { return GraphReply(status: 200, body: last.body) }
            }
            let request = step.takesResponse ? reply?.body ?? input : input
            let answer = try await self.step(step, request, depth)
            guard answer.isSuccess || !step.isHard else { return answer }
            reply = answer
        }
        guard let reply else { throw GraphFault(500, "the sequence has no steps") }
        return reply
    }

    private func ensemble(
        _ steps: [InferenceGraphSpec.Step], _ input: [UInt8], _ depth: Int
    ) async throws(GraphFault) -> GraphReply {
        let results = await withTaskGroup(of: (Int, Result<GraphReply, GraphFault>).self) { group in
            for (index, step) in steps.enumerated() {
                group.addTask {
                    do throws(GraphFault) {
                        return (index, .success(try await self.step(step, input, depth)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var results: [Int: Result<GraphReply, GraphFault>] = [:]
            for await (index, result) in group { results[index] = result }
            return results
        }
        var members: [String: JSONValue] = [:]
        for (index, step) in steps.enumerated() {
            guard let answer = try results[index]?.get() else { continue }
            guard answer.isSuccess || !step.isHard else { return answer }
            guard let json = try? JSONParser.parse(answer.body) else {
                throw GraphFault(500, "the answer of step \(step.label(index)) is not JSON")
            }
            members[step.label(index)] = json
        }
        return GraphReply(status: 200, body: JSONValue.object(members).encoded)
    }

    private func step(
        _ step: InferenceGraphSpec.Step, _ input: [UInt8], _ depth: Int
    ) async throws(GraphFault) -> GraphReply {
        let body = step.mapsPredictions ? Self.mapped(input) : input
        let url: String
        switch step.target {
        case .node(let name): return try await node(name, body, depth: depth + 1)
        case .url(let address): url = address
        case .service(let name, let address):
            guard let address else {
                throw GraphFault(500, "the service \(name) has no address: the graph needs its serviceUrl")
            }
            url = address
        }
        guard calls.isWithin(Self.longest) else {
            throw GraphFault(500, "the graph calls more than \(Self.longest) services for one request")
        }
        return try await caller.call(url, headers, body)
    }

    /// What V1 answers, as V1 asks for.
    private static func mapped(_ input: [UInt8]) -> [UInt8] {
        guard var json = try? JSONParser.parse(input), !json["predictions"].isNull else { return input }
        json["instances"] = json["predictions"]
        json["predictions"] = .null
        return json.encoded
    }
}
