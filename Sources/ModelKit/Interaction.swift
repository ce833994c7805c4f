// SPDX-License-Identifier: Apache-2.0

/// One user's rating (or weight of interest) of one item.
package struct Interaction: Sendable, Hashable {
    /// The user's external identifier.
    package var user: Int64
    /// The item's external identifier.
    package var item: Int64
    /// A rating in stars (explicit feedback) or a positive weight (implicit feedback).
    package var value: Float
    /// Seconds since the Unix epoch.
    package var timestamp: Int64

    /// An interaction.
    package init(user: Int64, item: Int64, value: Float, timestamp: Int64) {
        self.user = user
        self.item = item
        self.value = value
        self.timestamp = timestamp
    }
}

/// A two-way map between external identifiers and dense indices `0..<count`, in ascending order of identifier.
package struct IDIndex: Sendable, Equatable {
    /// The external identifiers by index, strictly ascending.
    package let ids: [Int64]
    private let indices: [Int64: Int32]

    /// An index of `ids`; order and duplicates do not matter.
    package init(_ ids: some Sequence<Int64>) {
        let sorted = Set(ids).sorted()
        self.init(ascending: sorted)
    }

    /// An index of identifiers that are strictly ascending already.
    init(ascending ids: [Int64]) {
        self.ids = ids
        var indices: [Int64: Int32] = Dictionary(minimumCapacity: ids.count)
        for (index, id) in ids.enumerated() { indices[id] = Int32(index) }
        self.indices = indices
    }

    /// The number of identifiers.
    package var count: Int { ids.count }

    /// The dense index of `id`, or nil when unknown.
    package func index(of id: Int64) -> Int? { indices[id].map(Int.init) }
}
