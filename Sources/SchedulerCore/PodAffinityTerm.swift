// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// Pods to be near to, or away from, and what near means (core/v1 PodAffinityTerm).
package struct PodAffinityTerm: Hashable, Sendable {
    /// Which namespaces' pods count, beside ``namespaces``.
    private enum NamespaceChoice: Hashable, Sendable {
        case listedOnly
        case all
        case matching(LabelSelector)
    }

    /// Nodes with the same value of this label are near to each other.
    package let topologyKey: String
    private let selector: LabelSelector
    private let namespaces: [String]
    private let choice: NamespaceChoice

    /// - Parameters:
    ///   - json: the term.
    ///   - namespace: of the pod that has the term.
    ///   - labels: of that pod, for `matchLabelKeys` and `mismatchLabelKeys`.
    package init(json: JSONValue, namespace: String, labels: [String: String]) {
        topologyKey = json["topologyKey"].string ?? ""
        var selector = SelectorReading.selector(json["labelSelector"])
        for key in json["matchLabelKeys"].elements.compactMap(\.string) {
            if let value = labels[key] { selector.requirements.append(.in(key, [value])) }
        }
        for key in json["mismatchLabelKeys"].elements.compactMap(\.string) {
            if let value = labels[key] { selector.requirements.append(.notIn(key, [value])) }
        }
        self.selector = selector
        let listed = json["namespaces"].elements.compactMap(\.string)
        let namespaceSelector = json["namespaceSelector"]
        if namespaceSelector.isNull {
            namespaces = listed.isEmpty ? [namespace] : listed
            choice = .listedOnly
        } else {
            namespaces = listed
            let selector = SelectorReading.selector(namespaceSelector)
            choice = selector.requirements.isEmpty ? .all : .matching(selector)
        }
    }

    /// Whether the term means pods of that kind; `namespaceLabels` are the labels of all namespaces.
    func matches(_ pod: PodKind, namespaceLabels: [String: [String: String]]) -> Bool {
        let isInNamespace =
            switch choice {
            case .listedOnly: namespaces.contains(pod.namespace)
            case .all: true
            case .matching(let selector):
                namespaces.contains(pod.namespace) || selector.matches(namespaceLabels[pod.namespace] ?? [:])
            }
        return isInNamespace && selector.matches(pod.labels)
    }
}

/// A term and its weight (core/v1 WeightedPodAffinityTerm); the weight is negative for anti-affinity.
package struct PreferredPodTerm: Hashable, Sendable {
    package var weight: Int
    package var term: PodAffinityTerm
}

enum SelectorReading {
    /// A label selector; a missing or unreadable one matches nothing.
    static func selector(_ json: JSONValue) -> LabelSelector {
        let nothing = LabelSelector(requirements: [.in("", [])])
        guard !json.isNull else { return nothing }
        return (try? LabelSelector(json: json)) ?? nothing
    }
}
