// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// Requirements on a node's labels and name; all must hold (core/v1 NodeSelectorTerm).
package struct NodeSelectorTerm: Hashable, Sendable {
    private var labels: LabelSelector
    private var fields: LabelSelector
    /// A term with nothing in it, or with something that cannot be understood, matches no node.
    private var isUsable: Bool

    package init(json: JSONValue) {
        let labels = json["matchExpressions"].elements.map { try? LabelSelector.requirement($0) }
        let fields = json["matchFields"].elements.map { try? LabelSelector.requirement($0) }
        self.labels = LabelSelector(requirements: labels.compactMap { $0 })
        self.fields = LabelSelector(requirements: fields.compactMap { $0 })
        isUsable = !(labels.isEmpty && fields.isEmpty) && !(labels + fields).contains { $0 == nil }
    }

    /// Whether the node meets all requirements of the term.
    package func matches(_ node: NodeSpec) -> Bool {
        isUsable && labels.matches(node.labels)
            && (fields.requirements.isEmpty || fields.matches(["metadata.name": node.name]))
    }
}

/// A term and how much it is liked when it holds (core/v1 PreferredSchedulingTerm).
package struct PreferredNodeTerm: Hashable, Sendable {
    package var weight: Int
    package var term: NodeSelectorTerm
}
