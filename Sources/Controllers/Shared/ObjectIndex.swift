// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import Synchronization

/// Finds the objects of an informer by terms, such as their owner, without walking all of them.
///
/// Make it before the informer runs: then each handler registered later finds the change in the index already.
final class ObjectIndex: Sendable {
    private let terms: @Sendable (KubeObject) -> [String]
    private let objects = Mutex<[String: [ObjectKey: KubeObject]]>([:])

    init(_ informer: Informer, terms: @escaping @Sendable (KubeObject) -> [String]) {
        self.terms = terms
        informer.onChange { [weak self] event in self?.take(event) }
    }

    /// The objects filed under a term, in no order.
    func find(_ term: String) -> [KubeObject] {
        objects.withLock { $0[term].map { Array($0.values) } ?? [] }
    }

    private func take(_ event: InformerEvent) {
        let key = event.object.key
        var old: [String] = []
        var new: [String] = []
        switch event {
        case .added(let object): new = terms(object)
        case .updated(let before, let object): (old, new) = (terms(before), terms(object))
        case .deleted(let object): old = terms(object)
        }
        objects.withLock { objects in
            for term in old where !new.contains(term) {
                objects[term]?[key] = nil
                if objects[term]?.isEmpty == true { objects[term] = nil }
            }
            for term in new { objects[term, default: [:]][key] = event.object }
        }
    }
}

extension ObjectIndex {
    /// Files objects under their controller, or as an orphan of their namespace; and under namespace and node.
    static func byOwner(_ informer: Informer) -> ObjectIndex {
        ObjectIndex(informer) { object in
            var terms = ["in/\(object.namespace)"]
            if let owner = object.controllerOwner {
                terms.append("owner/\(owner.uid)")
            } else {
                terms.append("orphan/\(object.namespace)")
            }
            if let node = object.spec["nodeName"].string, !node.isEmpty { terms.append("node/\(node)") }
            return terms
        }
    }

    func owned(by uid: String) -> [KubeObject] { find("owner/\(uid)") }
    func orphans(in namespace: String) -> [KubeObject] { find("orphan/\(namespace)") }
    func all(in namespace: String) -> [KubeObject] { find("in/\(namespace)") }
    func all(onNode node: String) -> [KubeObject] { find("node/\(node)") }
}
