// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Synchronization

/// What taint eviction remembers: since when a taint is there that does not say so, and which pods were told to go.
final class EvictionMemory: Sendable {
    private struct State {
        var taints: [String: [String: Timestamp]] = [:]
        var planned: [String: Set<String>] = [:]
    }

    private let state = Mutex(State())

    /// Forgets the taints of a node that are gone, and notes when the others were first seen.
    func note(_ node: KubeObject, now: Timestamp) {
        let present = Set(
            node.spec["taints"].elements.filter { $0["effect"].string == "NoExecute" }.map(Self.id))
        state.withLock { state in
            var known = (state.taints[node.name] ?? [:]).filter { present.contains($0.key) }
            for id in present where known[id] == nil { known[id] = now }
            state.taints[node.name] = known.isEmpty ? nil : known
        }
    }

    /// Since when a taint of a node is there.
    func firstSeen(_ taint: JSONValue, of node: String) -> Timestamp? {
        state.withLock { $0.taints[node]?[Self.id(taint)] }
    }

    /// The pods of a node that will have to go; returns those that had to before and need not any more.
    func plan(_ uids: Set<String>, on node: String) -> Set<String> {
        state.withLock { state in
            let before = state.planned[node] ?? []
            state.planned[node] = uids.isEmpty ? nil : uids
            return before.subtracting(uids)
        }
    }

    func forget(_ node: String) {
        state.withLock { state in
            state.taints[node] = nil
            state.planned[node] = nil
        }
    }

    private static func id(_ taint: JSONValue) -> String {
        "\(taint["key"].string ?? "")=\(taint["value"].string ?? "")"
    }
}
