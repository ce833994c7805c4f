// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Tells of custom kinds when they come, change and go, from the CustomResourceDefinitions.
///
/// A server may show a definition a moment before the discovery documents agree with it: whoever looks
/// there asks ``notShown(_:in:)`` and looks again.
struct CustomKinds: Sendable {
    private let definitions: Informer

    init(_ informers: InformerFactory) { definitions = informers.informer(.customResourceDefinitions) }

    /// Calls the handler with `plural.group` when the kind is served, is served otherwise than before, or goes.
    func onChange(_ handler: @escaping @Sendable (String) -> Void) {
        definitions.onChange { event in
            switch event {
            case .added(let definition): if Self.isServed(definition) { handler(definition.name) }
            case .updated(let old, let new): if Self.face(old) != Self.face(new) { handler(new.name) }
            case .deleted(let definition): handler(definition.name)
            }
        }
    }

    /// Whether there is a definition of that name, and its kind is served.
    func isServed(_ name: String) -> Bool {
        definitions.get(ObjectKey(namespace: "", name: name)).map(Self.isServed) ?? false
    }

    /// Those of the names of which discovery does not say yet what is true now.
    func notShown(_ names: Set<String>, in discovery: ResourceDiscovery) -> Set<String> {
        let shown = Set(discovery.entries.map(\.resource.qualifiedName))
        return names.filter { shown.contains($0) != isServed($0) }
    }

    private static func isServed(_ definition: KubeObject) -> Bool {
        Conditions.isTrue("Established", in: definition.status)
            && definition.spec["versions"].elements.contains { $0["served"].bool ?? false }
    }

    /// What decides where, and as what, objects are found.
    private static func face(_ definition: KubeObject) -> [String] {
        guard isServed(definition) else { return [] }
        let names = definition.status["acceptedNames"]
        let versions = definition.spec["versions"].elements.filter { $0["served"].bool ?? false }
        return [definition.uid, names["plural"].string ?? "", names["kind"].string ?? ""]
            + versions.map { $0["name"].string ?? "" }
    }
}
