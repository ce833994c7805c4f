// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import KubeAPI
import Synchronization

/// What a controller has asked for and not yet seen in its watch: while any is outstanding its copy of the world is
/// known to be old, and it must not create or delete.
final class Expectations: Sendable {
    private struct Entry {
        var creations = 0
        var deletions: Set<String> = []
        var since: ContinuousClock.Instant = .now

        var isFulfilled: Bool { creations <= 0 && deletions.isEmpty }
    }

    private let timeout: Duration
    private let entries = Mutex<[ObjectKey: Entry]>([:])

    init(timeout: Duration) { self.timeout = timeout }

    func expectCreations(_ count: Int, of key: ObjectKey) {
        entries.withLock { entries in
            entries[key, default: Entry()].creations += count
            entries[key]?.since = .now
        }
    }

    func expectDeletions(_ uids: [String], of key: ObjectKey) {
        entries.withLock { entries in
            entries[key, default: Entry()].deletions.formUnion(uids)
            entries[key]?.since = .now
        }
    }

    /// A creation was seen, or will not happen.
    func creationSeen(_ key: ObjectKey, count: Int = 1) {
        entries.withLock { entries in
            guard let entry = entries[key], entry.creations > 0 else { return }
            entries[key]?.creations -= count
            if entries[key]?.isFulfilled == true { entries[key] = nil }
        }
    }

    /// A deletion was seen, or will not happen.
    func deletionSeen(_ key: ObjectKey, uid: String) {
        entries.withLock { entries in
            entries[key]?.deletions.remove(uid)
            if entries[key]?.isFulfilled == true { entries[key] = nil }
        }
    }

    func forget(_ key: ObjectKey) { entries.withLock { _ = $0.removeValue(forKey: key) } }

    /// How long to wait at most until the copy counts as fresh; nil when it does.
    func remaining(_ key: ObjectKey) -> Duration? {
        entries.withLock { entries in
            guard let entry = entries[key], !entry.isFulfilled else { return nil }
            let rest = timeout - (ContinuousClock.now - entry.since)
            if rest <= .zero { entries[key] = nil }
            return rest > .zero ? rest : nil
        }
    }

    /// Fulfils expectations from the changes of dependents whose controller has that kind.
    ///
    /// Call it before the informer runs, so that it sees each change before the controller does.
    func observe(_ informer: Informer, ownerKind: String) {
        informer.onChange { [weak self] event in
            guard let self, let owner = event.object.controllerOwner, owner.kind == ownerKind else { return }
            let key = ObjectKey(namespace: event.object.namespace, name: owner.name)
            switch event {
            case .added(let object):
                creationSeen(key)
                if object.isBeingDeleted { deletionSeen(key, uid: object.uid) }
            case .updated(_, let object):
                if object.isBeingDeleted { deletionSeen(key, uid: object.uid) }
            case .deleted(let object):
                deletionSeen(key, uid: object.uid)
            }
        }
    }
}
