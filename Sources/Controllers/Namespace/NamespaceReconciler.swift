// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Deletes everything in a namespace that is being deleted, and lets it go when it is empty.
struct NamespaceReconciler: Reconciler {
    let client: KubeClient
    let namespaces: Informer
    let retry: Duration

    init(_ context: ControllerContext) {
        client = context.client("namespace-controller")
        namespaces = context.informers.informer(.namespaces)
        retry = context.configuration.namespaceRetry
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: namespaces),
            // Pods go last, when their processes have ended.
            Controller.Source(informers.informer(.pods)) { [namespaces] event in
                guard case .deleted(let pod) = event else { return [] }
                let key = ObjectKey(namespace: "", name: pod.namespace)
                return namespaces.get(key)?.isBeingDeleted == true ? [key] : []
            },
        ]
    }

    /// What is left of one resource.
    struct Remainder: Equatable, Sendable {
        var resource: String
        var count: Int
        var finalizers: [String: Int]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard namespaces.get(key)?.isBeingDeleted == true else { return .done }
        // As it is now: one that is gone may be there anew, and what is in it is not to go.
        let namespace: KubeObject
        do {
            namespace = try await client.get(.namespaces, key)
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        guard namespace.isBeingDeleted, namespace.spec["finalizers"].elements.contains("kubernetes") else {
            return .done
        }
        let discovery = try await ResourceDiscovery(client: client)
        var remainders: [Remainder] = []
        var failures: [String] = []
        let entries = discovery.entries.filter {
            $0.resource.isNamespaced && $0.verbs.isSuperset(of: ["delete", "list"])
        }
        // Pods first: what they use goes when they have ended.
        let order = entries.filter { $0.resource == .pods } + entries.filter { $0.resource != .pods }
        for entry in order {
            if remainders.contains(where: { $0.resource == KubeResource.pods.qualifiedName }) { break }
            do {
                if let remainder = try await empty(entry, in: key.name) { remainders.append(remainder) }
            } catch let error as StatusError {
                failures.append("\(entry.resource.qualifiedName): \(error.message)")
            }
        }
        let status = Self.status(
            namespace.status, remainders: remainders, discoveryFailures: discovery.failures, failures: failures,
            now: .now())
        let isEmpty = remainders.isEmpty && failures.isEmpty && discovery.failures.isEmpty
        if !isEmpty {
            if status != namespace.status {
                var new = namespace
                new.status = status
                _ = try await client.updateStatus(.namespaces, new)
            }
            return .after(retry)
        }
        try await finalize(namespace)
        return .done
    }

    /// Deletes the objects of one resource; returns what is left.
    private func empty(_ entry: ResourceDiscovery.Entry, in namespace: String) async throws -> Remainder? {
        let found = try await all(entry.resource, in: namespace)
        let live = found.filter { !$0.isBeingDeleted }
        guard !found.isEmpty else { return nil }
        if entry.verbs.contains("deletecollection"), !live.isEmpty {
            let options: JSONValue = [
                "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
            ]
            _ = try await client.call("DELETE", entry.resource.path(namespace: namespace), body: options)
        } else {
            for object in live {
                do {
                    try await client.delete(entry.resource, object.key, .init(propagationPolicy: "Background"))
                } catch let error as StatusError where error.isNotFound {
                    continue
                }
            }
        }
        let left = live.isEmpty ? found : try await all(entry.resource, in: namespace)
        guard !left.isEmpty else { return nil }
        var finalizers: [String: Int] = [:]
        for finalizer in left.flatMap(\.finalizers) { finalizers[finalizer, default: 0] += 1 }
        return Remainder(resource: entry.resource.qualifiedName, count: left.count, finalizers: finalizers)
    }

    private func all(_ resource: KubeResource, in namespace: String) async throws -> [KubeObject] {
        var objects: [KubeObject] = []
        var token = ""
        repeat {
            let page = try await client.list(resource, namespace: namespace, limit: 500, continueToken: token)
            objects += page.items
            token = page.continueToken
        } while !token.isEmpty
        return objects
    }

    private func finalize(_ namespace: KubeObject) async throws {
        var new = namespace
        let rest = namespace.spec["finalizers"].elements.filter { $0 != "kubernetes" }
        new.spec["finalizers"] = rest.isEmpty ? .null : .array(rest)
        do {
            _ = try await client.update(.namespaces, new, subresource: "finalize")
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }

    /// The conditions that tell what keeps a namespace from going away.
    static func status(
        _ old: JSONValue, remainders: [Remainder], discoveryFailures: [String], failures: [String], now: Timestamp
    ) -> JSONValue {
        var status = old
        func set(_ type: String, _ problem: String?, bad: String, good: String, fine: String) {
            Conditions.set(
                type, problem == nil ? "False" : "True", reason: problem == nil ? good : bad,
                message: problem ?? fine, now: now, in: &status)
        }
        func joined(_ parts: [String]) -> String? { parts.isEmpty ? nil : parts.sorted().joined(separator: ", ") }
        set(
            "NamespaceDeletionDiscoveryFailure", joined(discoveryFailures).map { "Discovery failed: \($0)" },
            bad: "DiscoveryFailed", good: "ResourcesDiscovered", fine: "All resources successfully discovered")
        set(
            "NamespaceDeletionGroupVersionParsingFailure", nil, bad: "GroupVersionParsingFailed",
            good: "ParsedGroupVersions", fine: "All legacy kube types successfully parsed")
        set(
            "NamespaceDeletionContentFailure", joined(failures).map { "Failed to delete all resource types: \($0)" },
            bad: "ContentDeletionFailed", good: "ContentDeleted",
            fine: "All content successfully deleted, may be waiting on finalization")
        let content = joined(remainders.map { "\($0.resource) has \($0.count) resource instances" })
        set(
            "NamespaceContentRemaining", content.map { "Some resources are remaining: \($0)" },
            bad: "SomeResourcesRemain", good: "ContentRemoved", fine: "All content successfully removed")
        var finalizers: [String: Int] = [:]
        for remainder in remainders { finalizers.merge(remainder.finalizers, uniquingKeysWith: +) }
        let waiting = joined(finalizers.map { "\($0) in \($1) resource instances" })
        set(
            "NamespaceFinalizersRemaining",
            waiting.map { "Some content in the namespace has finalizers remaining: \($0)" },
            bad: "SomeFinalizersRemain", good: "ContentHasNoFinalizers",
            fine: "All content-preserving finalizers finished")
        return status
    }
}
