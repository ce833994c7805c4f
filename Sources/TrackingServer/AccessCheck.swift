// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import NIOCore
import S3Protocol
import ServiceHTTP
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Refuses what the caller may not, before the route is called.
    ///
    /// The body of a call of MLflow's is read for it; the route reads it again.
    /// - Returns: the call for the route.
    /// - Throws: PERMISSION_DENIED; what is wrong with the request.
    func authorise(_ call: Call, _ rule: AccessRule, _ caller: TrackingCaller) async throws -> Call {
        switch rule.subject {
        case .everybody, .anybody, .answer: return call
        case .allExperiments:
            try await require(caller, TrackingRight(rule.verb, .experiments, ""))
            return call
        case .allModels:
            try await require(caller, TrackingRight(rule.verb, .registeredmodels, ""))
            return call
        case .artifact:
            let path = try ArtifactPath(call.path["artifact_path"] ?? call.parameter("path") ?? "")
            try await require(caller, try await owner(of: path, rule.verb))
            return call
        case .experiments, .experimentName, .model: break
        }
        var call = call
        let members: JSONValue
        if call.message.isEmpty {
            members = .object(Self.members(call.query))
        } else {
            let bytes = try await call.request.bytes(limit: call.maximumBodyBytes)
            call.request.body = RequestBody(buffer: ByteBuffer(bytes: bytes))
            members = .object(try await call.fields().members)
        }
        for right in try await rights(call, members, rule) { try await require(caller, right) }
        return call
    }

    /// - Throws: PERMISSION_DENIED.
    func require(_ caller: TrackingCaller, _ right: TrackingRight) async throws {
        guard try await access.allows(caller, right) else {
            let what =
                right.name.isEmpty ? "all \(right.resource.rawValue)" : "\(right.resource.rawValue) '\(right.name)'"
            throw TrackingError(
                .permissionDenied,
                "Permission denied: \(caller.name) may not \(right.verb.rawValue) \(what) in \(TrackingRight.group)")
        }
    }

    private static func members(_ query: [(name: String, value: String)]) -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        for (name, value) in query { members[name] = .array((members[name]?.elements ?? []) + [.string(value)]) }
        return members
    }

    private func rights(_ call: Call, _ members: JSONValue, _ rule: AccessRule) async throws -> Set<TrackingRight> {
        switch rule.subject {
        case .experimentName(let field): return [TrackingRight(rule.verb, .experiments, Self.text(members[field]))]
        case .model(let field):
            var rights: Set = [TrackingRight(rule.verb, .registeredmodels, Self.text(members[field]))]
            if case .string(let name) = members["new_name"] {
                rights.insert(TrackingRight(.create, .registeredmodels, name))
            }
            guard call.name == "createModelVersion" else { return rights }
            // What a version is made of can be read through it.
            rights.formUnion(try await experiments(call, members, .get).rights)
            if case .string(let source) = members["source"],
                let rest = Self.proxied(source) ?? artifacts.rest(of: source)
            {
                rights.insert(try await owner(of: ArtifactPath(rest), .get))
            }
            return rights
        default:
            var (rights, isNamed) = try await experiments(call, members, rule.verb)
            if case .string(let name) = members["new_name"] {
                rights.insert(TrackingRight(.create, .experiments, name))
            }
            // An experiment or a run that is not there is told by the route.
            return isNamed ? rights : [TrackingRight(rule.verb, .experiments, "")]
        }
    }

    /// Rights on the experiments that a request names, by whatever is theirs; and whether it names any.
    private func experiments(
        _ call: Call, _ members: JSONValue, _ verb: TrackingRight.Verb
    ) async throws -> (rights: Set<TrackingRight>, isNamed: Bool) {
        var named = Named()
        for (name, value) in call.path { named.add(name, .string(value)) }
        if let id = call.request.headers[.experiment] { named.add("experiment_id", .string(id)) }
        for (name, value) in members.members { named.add(name, value) }
        // Only where nothing stands at the top: what a trace is in, or where to search.
        if named.isEmpty { named.addAll(below: members, depth: 0) }
        if call.name == "createRun", named.isEmpty { named.experiments.insert("0") }
        var rights: Set<TrackingRight> = []
        for id in try await ids(named) {
            if let experiment = try await existing({ try await store.experiment(id) }) {
                rights.insert(TrackingRight(verb, .experiments, experiment.name))
            }
        }
        return (rights, !named.isEmpty)
    }

    private func ids(_ named: Named) async throws -> Set<String> {
        var ids = named.experiments
        for id in named.runs {
            if let run = try await existing({ try await store.runInfo(id) }) { ids.insert(String(run.experimentID)) }
        }
        for id in named.models {
            if let model = try await existing({ try await store.loggedModel(id) }) {
                ids.insert(String(model.experimentID))
            }
        }
        for id in named.traces {
            if let trace = try await existing({ try await store.trace(id) }) { ids.insert(trace.experiment) }
        }
        return ids
    }

    /// Nil for what is not there, which the route then says.
    private func existing<Value: Sendable>(_ find: () async throws -> Value) async throws -> Value? {
        do {
            return try await find()
        } catch let error as TrackingError where error.code != .internalError {
            return nil
        }
    }

    /// The right on the experiment whose folder a path is in; on all where it is in none.
    func owner(of path: ArtifactPath, _ verb: TrackingRight.Verb) async throws -> TrackingRight {
        guard let id = path.names.first, id.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let experiment = try await existing({ try await store.experiment(id) })
        else { return TrackingRight(verb, .experiments, "") }
        return TrackingRight(verb, .experiments, experiment.name)
    }

    private static func text(_ value: JSONValue) -> String { value.string ?? value.elements.first?.string ?? "" }

    // MARK: Answers

    /// An answer without what the caller may not read.
    func readable(
        _ response: Response, _ resource: TrackingRight.Resource, list: String, name: String, _ caller: TrackingCaller
    ) async throws -> Response {
        guard response.status == .ok, try await !access.allows(caller, TrackingRight(.get, resource, "")) else {
            return response
        }
        var answer = try await response.json()
        let names = Set(answer[list].elements.compactMap { $0[name].string })
        let allowed = try await withThrowingTaskGroup(of: String?.self) { group in
            for name in names {
                group.addTask {
                    try await access.allows(caller, TrackingRight(.get, resource, name)) ? name : nil
                }
            }
            return try await group.reduce(into: Set<String>()) { if let name = $1 { $0.insert(name) } }
        }
        let kept = answer[list].elements.filter { allowed.contains($0[name].string ?? "") }
        answer[list] = kept.isEmpty ? .null : .array(kept)
        return .json(answer)
    }
}

/// What a request names that belongs to an experiment.
private struct Named {
    var experiments: Set<String> = []
    var runs: Set<String> = []
    var models: Set<String> = []
    var traces: Set<String> = []

    var isEmpty: Bool { experiments.isEmpty && runs.isEmpty && models.isEmpty && traces.isEmpty }

    mutating func add(_ name: String, _ value: JSONValue) {
        let texts = (value.array ?? [value]).compactMap(\.string).filter { !$0.isEmpty }
        switch name {
        case "experiment_id", "experiment_ids": experiments.formUnion(texts)
        case "run_id", "run_uuid", "run_ids": runs.formUnion(texts)
        case "model_id": models.formUnion(texts)
        case "trace_id", "trace_ids", "request_id", "request_ids": traces.formUnion(texts)
        default: return
        }
    }

    mutating func addAll(below value: JSONValue, depth: Int) {
        guard depth < 12 else { return }
        for element in value.elements { addAll(below: element, depth: depth + 1) }
        for (name, member) in value.members {
            if name.hasPrefix("experiment_id") { add(name, member) }
            addAll(below: member, depth: depth + 1)
        }
    }
}

extension HTTPField.Name {
    /// Of OTLP's requests.
    fileprivate static var experiment: HTTPField.Name { HTTPField.Name("x-mlflow-experiment-id") ?? .from }
}
