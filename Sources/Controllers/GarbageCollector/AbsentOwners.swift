// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Owners that are known to be gone; uids are never used again, so an entry stays true. Bounded.
final class AbsentOwners: Sendable {
    /// An owner as seen from a namespace: a reference into another namespace names nothing.
    struct Key: Hashable, Sendable {
        var uid: String
        var namespace: String
    }

    private static let limit = 8192
    private let keys = Mutex<Set<Key>>([])

    func contains(_ key: Key) -> Bool { keys.withLock { $0.contains(key) } }

    func insert(_ key: Key) {
        keys.withLock { keys in
            if keys.count >= Self.limit { keys.removeAll() }
            keys.insert(key)
        }
    }

    func removeAll() { keys.withLock { $0.removeAll() } }
}
