// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore
import Synchronization

/// The objects of one kind as values, for decisions: parsed when they change, looked up when they are needed.
///
/// Every read first takes in what was committed before it, so a decision never rests on an old state. With no change
/// since the last read that is one look at an empty buffer.
final class LiveIndex<Value: Sendable>: Sendable {
    /// The values by namespace and name; the namespace is empty for cluster-scoped kinds.
    struct Content {
        fileprivate(set) var values: [String: [String: Value]] = [:]
        /// Moves with every change.
        fileprivate(set) var generation = 0

        /// The namespaces that have any.
        var namespaces: Set<String> { Set(values.keys) }

        subscript(namespace: String, name: String) -> Value? { values[namespace]?[name] }
        /// All of a namespace, by name.
        subscript(namespace: String) -> [String: Value] { values[namespace] ?? [:] }
    }

    private struct State {
        var content = Content()
        var watch: StoreWatch?
    }

    private let store: KubeStore
    private let resource: String
    private let parse: @Sendable (KubeObject) -> Value
    private let state = Mutex(State())

    /// - Parameters:
    ///   - store: where the objects are.
    ///   - resource: which objects.
    ///   - parse: makes a value of an object.
    init(_ store: KubeStore, _ resource: KubeResource, parse: @escaping @Sendable (KubeObject) -> Value) {
        self.store = store
        self.resource = resource.qualifiedName
        self.parse = parse
    }

    /// Reads the present content; quick, since others wait.
    func read<Result: Sendable>(_ body: (Content) -> Result) -> Result {
        state.withLock { state in
            catchUp(&state)
            return body(state.content)
        }
    }

    subscript(namespace: String, name: String) -> Value? { read { $0[namespace, name] } }

    private func catchUp(_ state: inout State) {
        if let watch = state.watch {
            do throws(StoreError) {
                for case .event(let event) in try watch.takeReady() { apply(event, &state.content) }
                return
            } catch {
                // Too much came at once, or the store is closed: what is there is read again.
                state.watch = nil
            }
        }
        guard let list = try? store.list(resource: resource) else { return }
        state.content.values = [:]
        state.content.generation += 1
        for object in list.objects { set(object, &state.content) }
        state.watch = try? store.watch(
            resource: resource, after: list.revision, bufferBytes: LiveIndexBounds.bufferBytes)
    }

    private func apply(_ event: StoreEvent, _ content: inout Content) {
        content.generation += 1
        if event.kind == .deleted {
            content.values[event.object.key.namespace]?[event.object.key.name] = nil
            if content.values[event.object.key.namespace]?.isEmpty == true {
                content.values[event.object.key.namespace] = nil
            }
        } else {
            set(event.object, &content)
        }
    }

    private func set(_ object: StoredObject, _ content: inout Content) {
        guard let json = try? JSONParser.parse(object.bytes) else { return }
        content.values[object.key.namespace, default: [:]][object.key.name] = parse(KubeObject(json))
    }
}

/// Bounds of all indices.
enum LiveIndexBounds {
    /// How much may change, in bytes of objects, until an index that nobody reads is made anew when it is read.
    static let bufferBytes = 1 << 20
}
