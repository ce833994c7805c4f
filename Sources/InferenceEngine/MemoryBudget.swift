// SPDX-License-Identifier: Apache-2.0

/// Which models there is memory for. Pure.
///
/// A model is admitted with what it seems to need before it is loaded, and corrected when that is known.
package struct MemoryBudget: Sendable {
    package enum Admission: Sendable, Equatable {
        /// There is room once these, used longest ago, are gone.
        case admitted(evicting: [String])
        /// There is no room; `free` bytes would be there at most.
        case refused(free: Int)
    }

    private struct Holder {
        var bytes: Int
        var isPinned: Bool
        var lastUse: UInt64
    }

    package let limit: Int
    /// Whether models that are not pinned go for new ones.
    package let evicts: Bool
    private var holders: [String: Holder] = [:]

    package init(limit: Int, evicts: Bool) {
        self.limit = limit
        self.evicts = evicts
    }

    package var used: Int { holders.values.reduce(0) { $0 + $1.bytes } }

    /// Asks for room. Nothing is counted when it is refused; otherwise the evicted are no longer counted.
    /// - Parameters:
    ///   - id: of the load; the same model's older load has another one and is counted until it is released.
    ///   - bytes: what it seems to need.
    ///   - isPinned: whether it stays when others come.
    ///   - lastUse: when each of the others was last used, in any ascending unit.
    /// - Returns: whether there is room, and who goes for it.
    package mutating func admit(
        _ id: String, bytes: Int, isPinned: Bool, lastUse: [String: UInt64] = [:]
    ) -> Admission {
        for (id, use) in lastUse { holders[id]?.lastUse = use }
        let others = holders.filter { $0.key != id }
        let taken = others.values.reduce(0) { $0 + $1.bytes }
        var free = limit - taken
        var evicted: [String] = []
        if free < bytes, evicts {
            let candidates = others.filter { !$0.value.isPinned }
                .sorted { ($0.value.lastUse, $0.key) < ($1.value.lastUse, $1.key) }
            for (id, holder) in candidates where free < bytes {
                evicted.append(id)
                free += holder.bytes
            }
        }
        guard free >= bytes else { return .refused(free: max(free, 0)) }
        for id in evicted { holders[id] = nil }
        holders[id] = Holder(bytes: bytes, isPinned: isPinned, lastUse: lastUse[id] ?? 0)
        return .admitted(evicting: evicted)
    }

    /// What a load turned out to need.
    /// - Returns: whether all still is within the limit.
    package mutating func correct(_ id: String, bytes: Int) -> Bool {
        holders[id]?.bytes = bytes
        return used <= limit
    }

    package mutating func release(_ id: String) { holders[id] = nil }
}
