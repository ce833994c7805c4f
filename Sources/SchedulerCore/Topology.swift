// SPDX-License-Identifier: Apache-2.0

/// The domains of a topology: nodes with the same value of a label are in one, numbered from zero.
struct Topology: Sendable {
    /// The domain of each node, by position; nil when the node lacks the label.
    private(set) var domains: [Int?]
    private(set) var domainCount = 0
    private var numbers: [String: Int] = [:]

    /// A topology in which no node has a domain.
    init(nodeCount: Int) { domains = Array(repeating: nil, count: nodeCount) }

    /// Takes in a node at a position; those behind it move up.
    mutating func insertNode(_ value: String?, at position: Int) {
        domains.insert(value.map { number($0) }, at: position)
    }

    private mutating func number(_ value: String) -> Int {
        if let number = numbers[value] { return number }
        numbers[value] = domainCount
        domainCount += 1
        return domainCount - 1
    }
}

/// The topologies of all labels that nodes have.
struct Topologies: Sendable {
    private var byKey: [String: Topology] = [:]
    private var nodeCount = 0

    init() {}

    init(_ nodes: [NodeInfo]) {
        for node in nodes { insertNode(node.spec.labels, at: nodeCount) }
    }

    /// The topology of a label; without domains when no node has it.
    subscript(_ key: String) -> Topology { byKey[key] ?? Topology(nodeCount: nodeCount) }

    /// Takes in a node at a position; those behind it move up.
    mutating func insertNode(_ labels: [String: String], at position: Int) {
        for key in labels.keys where byKey[key] == nil { byKey[key] = Topology(nodeCount: nodeCount) }
        for key in byKey.keys { byKey[key]?.insertNode(labels[key], at: position) }
        nodeCount += 1
    }
}

/// A sum over the pods in each domain of a topology.
struct DomainSums: Sendable {
    private let topology: Topology
    /// Nil for domains without a node that counts.
    private var sums: [Int?]

    /// - Parameters:
    ///   - key: label of the topology.
    ///   - weights: what a pod of each kind adds.
    ///   - cluster: whose pods are summed.
    ///   - counts: whether the node at a position counts, with its pods.
    init(_ key: String, _ weights: [Int], on cluster: ClusterState, where counts: (Int) -> Bool = { _ in true }) {
        topology = cluster.topologies[key]
        sums = Array(repeating: nil, count: topology.domainCount)
        for position in cluster.nodes.indices {
            guard let domain = topology.domains[position], counts(position) else { continue }
            var sum = sums[domain] ?? 0
            for kind in cluster.nodes[position].kinds { sum += weights[kind] }
            sums[domain] = sum
        }
    }

    /// Nothing in any domain.
    init(_ topology: Topology) {
        self.topology = topology
        sums = Array(repeating: 0, count: topology.domainCount)
    }

    /// Counts more, or less, at the node at the position.
    mutating func add(_ change: Int, at position: Int) {
        guard let domain = topology.domains[position], let sum = sums[domain] else { return }
        sums[domain] = sum + change
    }

    /// Number of domains with a node that counts.
    var domainCount: Int { sums.count { $0 != nil } }
    /// Whether there is nothing in any domain.
    var isZero: Bool { sums.allSatisfy { $0 ?? 0 == 0 } }
    /// The least sum; 0 without domains.
    var least: Int { sums.compactMap { $0 }.min() ?? 0 }

    /// The sum in the domain of the node at the position; nil when it is in none.
    subscript(_ position: Int) -> Int? { topology.domains[position].map { sums[$0] ?? 0 } }
}

/// What a pod of each kind weighs, for several topologies.
struct RelationWeights: Sendable {
    private let kindLimit: Int
    private var byKey: [String: [Int]] = [:]

    init(_ kinds: PodKinds) { kindLimit = kinds.limit }

    mutating func add(_ weight: Int, for kind: Int, in key: String) {
        byKey[key, default: Array(repeating: 0, count: kindLimit)][kind] += weight
    }

    /// The sums of each topology in which anything weighs something, by its key.
    func sums(on cluster: ClusterState) -> [String: DomainSums] {
        var sums: [String: DomainSums] = [:]
        for (key, weights) in byKey { sums[key] = DomainSums(key, weights, on: cluster) }
        return sums
    }
}
