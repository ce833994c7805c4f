// SPDX-License-Identifier: Apache-2.0

/// Why no node takes a pod.
package struct FitError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What one node has against the pod.
    package struct NodeRejection: Hashable, Sendable {
        package var node: String
        package var reasons: [Rejection]

        package init(node: String, reasons: [Rejection]) {
            self.node = node
            self.reasons = reasons
        }
    }

    /// One for each node.
    package let rejections: [NodeRejection]
    /// What keeps the pod off all nodes alike; then the nodes were not looked at.
    private let refusal: Rejection?
    private let nodeCount: Int
    /// Why no pods are removed for this one; empty when some are, or when that was not looked into.
    package var preemption = ""

    package init(rejections: [NodeRejection]) {
        self.rejections = rejections
        refusal = nil
        nodeCount = rejections.count
    }

    package init(refusal: Rejection, nodeCount: Int) {
        rejections = []
        self.refusal = refusal
        self.nodeCount = nodeCount
    }

    /// The filters that were in the way.
    package var plugins: FilterPlugins {
        if let refusal { return refusal.plugin }
        return rejections.reduce(into: []) { plugins, node in
            for reason in node.reasons { plugins.insert(reason.plugin) }
        }
    }

    /// Upstream's text: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}.`
    /// Then, of pods that nothing is removed for: ` preemption: 0/3 nodes are available: 3 …`.
    package var description: String { preemption.isEmpty ? summary : "\(summary) preemption: \(preemption)" }

    private var summary: String {
        if let refusal { return "0/\(nodeCount) nodes are available: \(refusal.summary)." }
        guard !rejections.isEmpty else { return "no nodes available to schedule pods" }
        var counts: [String: Int] = [:]
        for node in rejections {
            for reason in node.reasons { counts[reason.summary, default: 0] += 1 }
        }
        return Self.text(counts, nodeCount: rejections.count)
    }

    /// Says how many nodes have each reason.
    static func text(_ counts: [String: Int], nodeCount: Int) -> String {
        let parts = counts.map { "\($0.value) \($0.key)" }.sorted()
        return "0/\(nodeCount) nodes are available: \(parts.joined(separator: ", "))."
    }

    /// ``description``, then the reasons of each node by name: of at most `nodeLimit` nodes and so many that the text
    /// stays within `maxLength` bytes (an event's message has 1,024), with the number of those left out.
    package func perNodeDescription(nodeLimit: Int = 20, maxLength: Int = 1000) -> String {
        var text = description
        guard !rejections.isEmpty else { return text }
        let sorted = rejections.sorted { $0.node < $1.node }
        var listed = 0
        for node in sorted.prefix(nodeLimit) {
            let reasons = node.reasons.map(\.detail).joined(separator: ", ")
            let entry = (listed == 0 ? " " : "; ") + "\(node.node): \(reasons)"
            // What follows the list takes at most 32 bytes.
            guard text.utf8.count + entry.utf8.count + 32 <= maxLength else { break }
            text += entry
            listed += 1
        }
        let rest = sorted.count - listed
        if rest > 0 { text += listed == 0 ? "" : "; and \(rest) more nodes" }
        return listed == 0 ? text : text + "."
    }
}
