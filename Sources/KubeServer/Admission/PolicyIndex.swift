// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore
import Synchronization

/// The policies in the store with their bindings, compiled; made anew when one of them has changed. Only policies that
/// have changed are compiled again.
final class PolicyIndex: Sendable {
    /// A policy and what binds it.
    struct Bound: Sendable {
        let policy: CompiledPolicy
        let bindings: [PolicyBinding]
    }

    /// The policies that may concern a resource, by its plural, in the order of their names.
    struct Policies: Sendable {
        fileprivate var byPlural: [String: [Bound]] = [:]
        /// Those with a rule for every resource.
        fileprivate var forAll: [Bound] = []

        func candidates(_ plural: String) -> [Bound] {
            if byPlural.isEmpty { return forAll }
            guard let some = byPlural[plural] else { return forAll }
            return forAll.isEmpty ? some : (some + forAll).sorted { $0.policy.name < $1.policy.name }
        }

        fileprivate mutating func add(_ bound: Bound) {
            let plurals = Set(bound.policy.match.rules.flatMap { $0.resources.map(\.plural) })
            if plurals.contains("*") { return forAll.append(bound) }
            for plural in plurals { byPlural[plural, default: []].append(bound) }
        }
    }

    private struct State: Sendable {
        var change: Int64 = -1
        var validating = Policies()
        var mutating = Policies()
        var compiled: [StoreKey: (revision: Int64, policy: CompiledPolicy)] = [:]
    }

    private static let resources = [
        KubeResource.validatingAdmissionPolicies, .validatingAdmissionPolicyBindings, .mutatingAdmissionPolicies,
        .mutatingAdmissionPolicyBindings,
    ].map(\.qualifiedName)

    private let store: KubeStore
    private let state = Mutex(State())

    init(store: KubeStore) { self.store = store }

    /// The policies that may concern a resource; empty for nearly every request.
    func policies(mutating: Bool, _ plural: String) -> [Bound] {
        state.withLock { state in
            // Asked first: an object that changes meanwhile is only looked at again.
            let change = store.lastChange(of: Self.resources)
            if change != state.change {
                rebuild(&state)
                state.change = change
            }
            return (mutating ? state.mutating : state.validating).candidates(plural)
        }
    }

    private func rebuild(_ state: inout State) {
        var compiled: [StoreKey: (revision: Int64, policy: CompiledPolicy)] = [:]
        func build(_ policies: KubeResource, _ bindings: KubeResource) -> Policies {
            var byPolicy: [String: [PolicyBinding]] = [:]
            for stored in (try? store.list(resource: bindings.qualifiedName))?.objects ?? [] {
                guard let json = try? JSONParser.parse(stored.bytes) else { continue }
                let binding = PolicyBinding(KubeObject(json))
                byPolicy[binding.policy, default: []].append(binding)
            }
            var index = Policies()
            for stored in (try? store.list(resource: policies.qualifiedName))?.objects ?? [] {
                guard let bindings = byPolicy[stored.key.name] else { continue }
                var entry = state.compiled[stored.key]
                if entry?.revision != stored.revision, let json = try? JSONParser.parse(stored.bytes) {
                    entry = (stored.revision, CompiledPolicy(KubeObject(json)))
                }
                guard let entry else { continue }
                compiled[stored.key] = entry
                index.add(Bound(policy: entry.policy, bindings: bindings))
            }
            return index
        }
        state.validating = build(.validatingAdmissionPolicies, .validatingAdmissionPolicyBindings)
        state.mutating = build(.mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings)
        state.compiled = compiled
    }
}
