// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The arithmetic of a rolling update: how many pods may exist and how many may be missing.
struct RollingUpdate: Equatable, Sendable {
    /// Pods wanted.
    let replicas: Int
    /// Pods allowed beyond that.
    let maxSurge: Int
    /// Pods allowed to be missing.
    let maxUnavailable: Int

    var maxTotal: Int { replicas + maxSurge }
    var minAvailable: Int { max(0, replicas - maxUnavailable) }

    init(replicas: Int, maxSurge: Int, maxUnavailable: Int) {
        self.replicas = replicas
        self.maxSurge = maxSurge
        self.maxUnavailable = maxUnavailable
    }

    /// From a Deployment's spec; both are 0 for `Recreate`.
    ///
    /// Percentages of the surge are rounded up, of the unavailable down; when both come to 0 one may be unavailable.
    init(spec: JSONValue) {
        let replicas = spec["replicas"].int ?? 1
        let strategy = spec["strategy"]
        guard strategy["type"].string != "Recreate" else {
            self.init(replicas: replicas, maxSurge: 0, maxUnavailable: 0)
            return
        }
        let values = strategy["rollingUpdate"]
        let surge = Self.count(values["maxSurge"], of: replicas, roundsUp: true)
        var unavailable = Self.count(values["maxUnavailable"], of: replicas, roundsUp: false)
        if surge == 0, unavailable == 0 { unavailable = 1 }
        self.init(replicas: replicas, maxSurge: surge, maxUnavailable: min(unavailable, replicas))
    }

    /// An integer or percentage of `total`; 25 % when it is missing.
    static func count(_ value: JSONValue, of total: Int, roundsUp: Bool) -> Int {
        if let number = value.int { return max(0, number) }
        let text = value.string ?? "25%"
        guard text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
        return max(0, roundsUp ? (total * percent + 99) / 100 : total * percent / 100)
    }

    /// The size of one version's ReplicaSet.
    struct Size: Equatable, Sendable {
        var replicas: Int
        var available: Int
        /// `deployment.kubernetes.io/max-replicas` as last written; 0 when unknown.
        var maxReplicas = 0
    }

    /// The next size of the new version's ReplicaSet, `total` being the size of all together.
    func newSize(current: Int, total: Int) -> Int {
        if current >= replicas { return replicas }
        guard total < maxTotal else { return current }
        return current + min(maxTotal - total, replicas - current)
    }

    /// The next sizes of the old versions' ReplicaSets, oldest first: unhealthy pods go first.
    func oldSizes(new: Size, old: [Size]) -> [Int] {
        var sizes = old.map(\.replicas)
        let total = new.replicas + sizes.reduce(0, +)
        var spare = total - minAvailable - max(0, new.replicas - new.available)
        guard spare > 0 else { return sizes }
        for index in old.indices where sizes[index] > old[index].available {
            let count = min(spare, sizes[index] - old[index].available)
            sizes[index] -= count
            spare -= count
        }
        // A status that is older than the size counts pods that are about to go.
        let present = ([new] + old).reduce(0) { $0 + min($1.available, $1.replicas) }
        var available = present - minAvailable
        for index in old.indices where available > 0 {
            let count = min(sizes[index], available)
            sizes[index] -= count
            available -= count
        }
        return sizes
    }

    /// Sizes after the Deployment was scaled in the middle of a rollout: the change is shared in proportion.
    ///
    /// `sizes`: the active ReplicaSets, newest first.
    func proportionalSizes(_ sizes: [Size]) -> [Int] {
        let total = sizes.reduce(0) { $0 + $1.replicas }
        let toAdd = (replicas > 0 ? maxTotal : 0) - total
        let order = sizes.indices.sorted { left, right in
            let (a, b) = (sizes[left].replicas, sizes[right].replicas)
            return a == b ? (toAdd > 0 ? left < right : left > right) : a > b
        }
        var result = sizes.map(\.replicas)
        var added = 0
        for index in order where toAdd != 0 {
            let share = fraction(sizes[index], total: total)
            let allowed = toAdd - added
            let part = toAdd > 0 ? min(share, allowed) : max(share, allowed)
            result[index] += part
            added += part
        }
        if let first = order.first, toAdd != 0 { result[first] = max(0, result[first] + toAdd - added) }
        return result
    }

    private func fraction(_ size: Size, total: Int) -> Int {
        guard replicas > 0 else { return -size.replicas }
        let before = size.maxReplicas > 0 ? size.maxReplicas : max(total, 1)
        let exact = Double(size.replicas * maxTotal) / Double(before)
        return Int(exact.rounded(.toNearestOrAwayFromZero)) - size.replicas
    }
}
