// SPDX-License-Identifier: Apache-2.0

/// What a writer hands in; the store calls the encoder with the revision that it assigned.
package struct StoreValue: Sendable {
    /// The object's labels, for selectors.
    package var labels: [String: String]
    /// The object's selectable fields, for field selectors.
    package var fields: [String: String]
    /// Makes the complete JSON for a revision. Runs on the writer's thread: quick, no locks, no I/O.
    package var encode: @Sendable (Int64) -> [UInt8]

    /// Describes a value to store.
    package init(
        labels: [String: String] = [:], fields: [String: String] = [:], encode: @escaping @Sendable (Int64) -> [UInt8]
    ) {
        self.labels = labels
        self.fields = fields
        self.encode = encode
    }
}

/// One change of one object.
package enum StoreMutation: Sendable {
    /// Stores a new object; fails with `.alreadyExists` when the key is taken.
    case create(StoreKey, StoreValue)
    /// Replaces an object; fails with `.notFound`, or `.conflict` when its revision is another.
    case update(StoreKey, expectedRevision: Int64, StoreValue)
    /// Removes an object; the value is its last state, which watchers get in the DELETED event.
    case delete(StoreKey, expectedRevision: Int64, StoreValue)

    /// The object that is changed.
    package var key: StoreKey {
        switch self {
        case .create(let key, _), .update(let key, _, _), .delete(let key, _, _): key
        }
    }
}
