// SPDX-License-Identifier: Apache-2.0

/// One page of a consistent snapshot.
package struct StoreList: Sendable {
    /// The page, sorted by key.
    package var objects: [StoredObject]
    /// The revision of the snapshot: pass it as `atRevision` for the next page, or watch after it.
    package var revision: Int64
    /// How many objects follow after the page.
    package var remaining: Int

    /// Whether objects follow after the page.
    package var hasMore: Bool { remaining > 0 }

    /// Describes a page.
    package init(objects: [StoredObject], revision: Int64, remaining: Int) {
        self.objects = objects
        self.revision = revision
        self.remaining = remaining
    }
}
