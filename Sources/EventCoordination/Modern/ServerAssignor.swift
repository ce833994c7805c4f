// SPDX-License-Identifier: Apache-2.0

/// A way in which the coordinator shares partitions among members (KIP-848); raw values are Kafka's names.
package enum ServerAssignor: String, Hashable, Sendable, CaseIterable {
    /// As even as it can be, and as little moved as that allows. The default.
    case uniform
    /// Of every topic a row of partitions to each, in the order of the members: topics with as many partitions are
    /// shared alike. What members have does not count.
    case range

    /// What there is to share.
    struct Problem: Sendable {
        struct Member: Sendable {
            var id: String
            var instanceID: String?
            var topics: Set<TopicID>
            /// What it was to have before.
            var target: TopicPartitions
        }

        var members: [Member]
        /// Partitions of each topic that a member subscribes to.
        var partitions: [TopicID: Int32]
    }

    /// What each member is to have, in the order of the members.
    func assign(_ problem: Problem) -> [TopicPartitions] {
        switch self {
        case .uniform: UniformAssignment(problem).targets
        case .range: Self.ranges(problem)
        }
    }

    private static func ranges(_ problem: Problem) -> [TopicPartitions] {
        let order = problem.members.indices.sorted { left, right in
            let (left, right) = (problem.members[left], problem.members[right])
            switch (left.instanceID, right.instanceID) {
            case (let left?, let right?): return left < right
            case (_?, nil): return true
            case (nil, _?): return false
            case (nil, nil): return left.id < right.id
            }
        }
        var subscribers: [TopicID: [Int]] = [:]
        for index in order {
            for topic in problem.members[index].topics { subscribers[topic, default: []].append(index) }
        }
        var targets = problem.members.map { _ in TopicPartitions() }
        for (topic, members) in subscribers {
            let count = problem.partitions[topic] ?? 0
            let (quota, rest) = count.quotientAndRemainder(dividingBy: Int32(members.count))
            var (next, more): (Int32, Int32) = (0, rest)
            for index in members {
                let end = next + quota + (more > 0 ? 1 : 0)
                more = max(0, more - 1)
                targets[index][topic] = Set(next..<end)
                next = end
            }
        }
        return targets
    }
}
