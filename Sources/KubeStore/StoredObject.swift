// SPDX-License-Identifier: Apache-2.0

/// One durable object: a shared, immutable snapshot at the revision that wrote it.
package final class StoredObject: Sendable {
    /// Where the object lives.
    package let key: StoreKey
    /// The complete JSON, with its resourceVersion; never mutated.
    package let bytes: [UInt8]
    /// The revision that wrote this state; for a deleted object that of the deletion.
    package let revision: Int64
    /// The revision that created the object; unique to it for ever.
    package let createRevision: Int64
    /// The object's labels, for selectors.
    package let labels: [String: String]
    /// The object's selectable fields, for field selectors.
    package let fields: [String: String]

    /// Describes one state of an object.
    package init(
        key: StoreKey, bytes: [UInt8], revision: Int64, createRevision: Int64, labels: [String: String] = [:],
        fields: [String: String] = [:]
    ) {
        self.key = key
        self.bytes = bytes
        self.revision = revision
        self.createRevision = createRevision
        self.labels = labels
        self.fields = fields
    }
}
