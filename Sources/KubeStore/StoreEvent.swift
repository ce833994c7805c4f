// SPDX-License-Identifier: Apache-2.0

/// One change as watchers see it.
package struct StoreEvent: Sendable {
    /// What happened to the object.
    package enum Kind: Sendable {
        case added, modified, deleted
    }

    /// What happened to the object.
    package let kind: Kind
    /// The state after the change; for a deletion the last state, at the revision of the deletion.
    package let object: StoredObject
    /// The state before the change; nil for an added object.
    package let previous: StoredObject?

    /// The revision of the change.
    package var revision: Int64 { object.revision }

    /// Describes a change.
    package init(kind: Kind, object: StoredObject, previous: StoredObject?) {
        self.kind = kind
        self.object = object
        self.previous = previous
    }

    /// What the event may hold in memory, in bytes: both states and the bookkeeping.
    var cost: Int { object.bytes.count + (previous?.bytes.count ?? 0) + 512 }
}

/// What a watch delivers.
package enum StoreWatchItem: Sendable {
    /// A change.
    case event(StoreEvent)
    /// Every change up to this revision has been delivered (a bookmark).
    case progress(Int64)
}
