// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI
import KubeStore
import Synchronization

/// The ``NodeGraph`` of the pods and volumes in a store.
///
/// Every read first takes in what was committed before it. A pod is parsed once in its life, when it has a node; where
/// too much changed since the last read, only objects that are new are parsed.
final class NodeGraphIndex: Sendable {
    /// What follows one kind.
    private struct Source {
        let resource: String
        var watch: StoreWatch?
        /// What was taken in: the revision that made the object, and that of the state.
        var known: [StoreKey: (created: Int64, revision: Int64, isOpen: Bool)] = [:]
    }

    private struct State {
        var graph = NodeGraph()
        var pods = Source(resource: KubeResource.pods.qualifiedName)
        var volumes = Source(resource: KubeResource.persistentVolumes.qualifiedName)
    }

    private let store: KubeStore
    private let state = Mutex(State())

    init(_ store: KubeStore) { self.store = store }

    /// Reads the present graph; quick, since others wait.
    func read<Result: Sendable>(_ body: (NodeGraph) -> Result) -> Result {
        state.withLock { state in
            catchUp(\.pods, &state, set: Self.set(pod:_:), remove: { Self.remove(pod: $0, &$1) })
            catchUp(\.volumes, &state, set: Self.set(volume:_:), remove: { Self.remove(volume: $0, &$1) })
            return body(state.graph)
        }
    }

    private func catchUp(
        _ source: WritableKeyPath<State, Source>, _ state: inout State,
        set: (StoredObject, inout State) -> Void, remove: (StoreKey, inout State) -> Void
    ) {
        if let watch = state[keyPath: source].watch {
            do throws(StoreError) {
                for case .event(let event) in try watch.takeReady() {
                    if event.kind == .deleted { remove(event.object.key, &state) } else { set(event.object, &state) }
                }
                return
            } catch {
                // Too much came at once, or the store is closed: what is there is compared with what is known.
                state[keyPath: source].watch = nil
            }
        }
        let resource = state[keyPath: source].resource
        guard let list = try? store.list(resource: resource) else { return }
        var gone = Set(state[keyPath: source].known.keys)
        for object in list.objects {
            gone.remove(object.key)
            set(object, &state)
        }
        for key in gone { remove(key, &state) }
        state[keyPath: source].watch = try? store.watch(
            resource: resource, after: list.revision, bufferBytes: LiveIndexBounds.bufferBytes)
    }

    private static func set(pod object: StoredObject, _ state: inout State) {
        // Nothing that a pod refers to changes once it has a node, except what its status names.
        guard let node = object.fields["spec.nodeName"], !node.isEmpty else { return remove(pod: object.key, &state) }
        if let known = state.pods.known[object.key], known.created == object.createRevision,
            !known.isOpen || known.revision == object.revision
        {
            return
        }
        guard let json = try? JSONParser.parse(object.bytes) else { return }
        let references = PodReferences(KubeObject(json))
        state.graph.set(
            .init(namespace: object.key.namespace, name: object.key.name), node: node, references.all)
        state.pods.known[object.key] = (object.createRevision, object.revision, references.isOpen)
    }

    private static func remove(pod key: StoreKey, _ state: inout State) {
        guard state.pods.known.removeValue(forKey: key) != nil else { return }
        state.graph.remove(.init(namespace: key.namespace, name: key.name))
    }

    private static func set(volume object: StoredObject, _ state: inout State) {
        guard state.volumes.known[object.key]?.revision != object.revision,
            let json = try? JSONParser.parse(object.bytes)
        else { return }
        state.graph.set(volume: object.key.name, VolumeReferences(KubeObject(json)))
        state.volumes.known[object.key] = (object.createRevision, object.revision, true)
    }

    private static func remove(volume key: StoreKey, _ state: inout State) {
        guard state.volumes.known.removeValue(forKey: key) != nil else { return }
        state.graph.remove(volume: key.name)
    }
}
