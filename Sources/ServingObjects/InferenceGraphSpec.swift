// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// What an InferenceGraph declares (serving.kserve.io/v1alpha1).
///
/// Source: kserve/kserve, pkg/apis/serving/v1alpha1/inference_graph.go and its validation.
package struct InferenceGraphSpec: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case sequence = "Sequence", splitter = "Splitter", ensemble = "Ensemble", choice = "Switch"
    }

    package enum Target: Sendable, Hashable {
        /// Another node of the graph.
        case node(String)
        /// An InferenceService of the same namespace; the operator gives its address beside it.
        case service(String, url: String?)
        case url(String)
    }

    package struct Step: Sendable, Hashable {
        package var name: String?
        package var target: Target
        /// Whether it gets the answer of the step before it, not the request.
        package var takesResponse = false
        /// Percent, of a splitter.
        package var weight: Int?
        package var condition: GraphPath?
        /// Whether the graph fails when it fails.
        package var isHard = false
        /// Whether `predictions` of what it gets are called `instances`.
        package var mapsPredictions = false

        package init(target: Target) { self.target = target }

        /// Under which an ensemble has its answer: the step's name, else its number.
        package func label(_ index: Int) -> String { name.flatMap { $0.isEmpty ? nil : $0 } ?? String(index) }
    }

    package struct Node: Sendable, Hashable {
        package var kind: Kind
        package var steps: [Step]

        package init(kind: Kind, steps: [Step]) {
            self.kind = kind
            self.steps = steps
        }
    }

    /// Of the router's server.
    package struct Timeouts: Sendable, Hashable {
        package var read: Duration?
        package var write: Duration?
        package var idle: Duration?
        /// Of each call of a step.
        package var call: Duration?
    }

    /// Where requests come in.
    package static let root = "root"
    private static let maximumNodes = 256
    private static let maximumSteps = 256

    package var name: String
    package var namespace: String
    package var generation: Int
    package var nodes: [String: Node]
    /// Of the whole.
    package var timeout: Duration?
    package var timeouts = Timeouts()
    package var minimum = 1
    /// 0: no limit.
    package var maximum = 0
    package var scaleTarget: Int?
    package var scaleMetric: ComponentSpec.ScaleMetric?
    package var resources: JSONValue = .null
    /// Fields of the router's pod: affinity, nodeSelector, tolerations, serviceAccountName.
    package var podSpec: JSONValue = [:]

    /// - Throws: ``SpecFault`` naming the field.
    package init(_ object: KubeObject) throws(SpecFault) {
        try self.init(
            object.spec, name: object.name, namespace: object.namespace, generation: object.generation)
    }

    /// From the spec alone, as a router gets it.
    package init(_ spec: JSONValue, name: String, namespace: String, generation: Int = 0) throws(SpecFault) {
        self.name = name
        self.namespace = namespace
        self.generation = generation
        nodes = [:]
        let declared = spec["nodes"].members
        guard declared.count <= Self.maximumNodes else {
            throw Self.fault("spec.nodes has \(declared.count) nodes, more than \(Self.maximumNodes)")
        }
        for (key, node) in declared { nodes[key] = try Self.node(key, node) }
        guard nodes[Self.root] != nil else { throw Self.fault("spec.nodes has no node 'root', where requests begin") }
        timeout = spec["timeout"].int.map { .seconds($0) }
        let seconds = spec["routerTimeouts"]
        timeouts = Timeouts(
            read: seconds["serverRead"].int.map { .seconds($0) },
            write: seconds["serverWrite"].int.map { .seconds($0) },
            idle: seconds["serverIdle"].int.map { .seconds($0) },
            call: seconds["serviceClient"].int.map { .seconds($0) })
        minimum = max(0, spec["minReplicas"].int ?? 1)
        maximum = max(0, spec["maxReplicas"].int ?? 0)
        guard maximum == 0 || minimum <= maximum else {
            throw Self.fault("spec.minReplicas is \(minimum), more than spec.maxReplicas, which is \(maximum)")
        }
        scaleTarget = spec["scaleTarget"].int
        scaleMetric = spec["scaleMetric"].string.flatMap(ComponentSpec.ScaleMetric.init(rawValue:))
        resources = spec["resources"]
        for field in ["affinity", "nodeSelector", "nodeName", "tolerations", "serviceAccountName"]
        where !spec[field].isNull {
            podSpec[field] = spec[field]
        }
        try checkNodes()
    }

    private static func fault(_ text: String) -> SpecFault { SpecFault(reason: "InvalidSpec", text) }

    private static func node(_ name: String, _ json: JSONValue) throws(SpecFault) -> Node {
        let place = "spec.nodes.\(name.prefix(100))"
        guard let kind = json["routerType"].string.flatMap(Kind.init(rawValue:)) else {
            throw fault("\(place).routerType must be Sequence, Splitter, Ensemble or Switch")
        }
        let declared = json["steps"].elements
        guard (1...maximumSteps).contains(declared.count) else {
            throw fault("\(place).steps must have 1 to \(maximumSteps) steps, not \(declared.count)")
        }
        var steps: [Step] = []
        var names: Set<String> = []
        for (index, json) in declared.enumerated() {
            let step = try self.step("\(place).steps[\(index)]", json)
            if let name = step.name, !name.isEmpty, !names.insert(name).inserted {
                throw fault("\(place).steps has two steps of the name '\(name)'")
            }
            steps.append(step)
        }
        if kind == .splitter {
            guard steps.allSatisfy({ ($0.weight ?? -1) >= 0 }) else {
                throw fault("\(place) is a Splitter: each step needs a weight of 0 to 100")
            }
            let sum = steps.reduce(0) { $0 + min($1.weight ?? 0, 101) }
            guard sum == 100 else { throw fault("\(place) is a Splitter: the weights must add up to 100, not \(sum)") }
        }
        return Node(kind: kind, steps: steps)
    }

    private static func step(_ place: String, _ json: JSONValue) throws(SpecFault) -> Step {
        let node = json["nodeName"].string ?? ""
        let service = json["serviceName"].string ?? ""
        let url = json["serviceUrl"].string ?? ""
        var step: Step
        switch (node.isEmpty, service.isEmpty, url.isEmpty) {
        case (false, true, true): step = Step(target: .node(node))
        case (true, false, _): step = Step(target: .service(service, url: url.isEmpty ? nil : url))
        case (true, true, false): step = Step(target: .url(url))
        default: throw fault("\(place) needs one of nodeName, serviceName and serviceUrl")
        }
        if !url.isEmpty, !url.hasPrefix("http://"), !url.hasPrefix("https://") {
            throw fault("\(place).serviceUrl must begin with http:// or https://, not be '\(url.prefix(200))'")
        }
        step.name = json["name"].string
        switch json["data"].string ?? "" {
        case "", "$request": step.takesResponse = false
        case "$response": step.takesResponse = true
        case let other: throw fault("\(place).data must be $request or $response, not '\(other.prefix(100))'")
        }
        step.weight = json["weight"].int
        if let condition = json["condition"].string, !condition.isEmpty {
            do {
                step.condition = try GraphPath.parse(condition)
            } catch {
                throw fault("\(place).\(error.description)")
            }
        }
        switch json["dependency"].string ?? "" {
        case "", "Soft": step.isHard = false
        case "Hard": step.isHard = true
        case let other: throw fault("\(place).dependency must be Soft or Hard, not '\(other.prefix(100))'")
        }
        step.mapsPredictions = json["mapPredictionsToInstances"].bool ?? false
        return step
    }

    /// Each node that a step names is there, and no request goes round in a circle.
    private func checkNodes() throws(SpecFault) {
        var finished: Set<String> = []
        for start in nodes.keys.sorted() {
            // Depth first with a stack of its own: the graph may be deep.
            var path: [(name: String, next: [String])] = [(start, try children(start))]
            var open: Set<String> = [start]
            while let last = path.last {
                guard let child = last.next.first else {
                    open.remove(last.name)
                    finished.insert(last.name)
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next.removeFirst()
                if open.contains(child) {
                    throw Self.fault("spec.nodes go round in a circle: \(last.name) → \(child)")
                }
                if finished.contains(child) { continue }
                open.insert(child)
                path.append((child, try children(child)))
            }
        }
    }

    private func children(_ name: String) throws(SpecFault) -> [String] {
        var found: [String] = []
        for case .node(let child) in nodes[name]?.steps.map(\.target) ?? [] {
            guard nodes[child] != nil else {
                throw Self.fault("spec.nodes.\(name) has a step to the node '\(child.prefix(100))', which is not there")
            }
            found.append(child)
        }
        return found
    }
}
