// SPDX-License-Identifier: Apache-2.0

/// A member of a group of the consumer protocol (KIP-848), and how far it has come on its way to what it is to have.
package struct ModernMember: Hashable, Sendable {
    /// Where it stands; raw values are those of its record.
    package enum State: Int8, Hashable, Sendable {
        /// Has what its epoch gives it.
        case stable = 0
        /// Has to give up partitions first. Leads to any state once it says that it has.
        case unrevokedPartitions = 1
        /// Waits for partitions that others have not given up yet.
        case unreleasedPartitions = 2
    }

    /// The epoch of a static member that has gone and will come back (KIP-848).
    package static let awayEpoch: Int32 = -2

    package internal(set) var id: String
    package internal(set) var instanceID: String?
    package internal(set) var rackID: String?
    package internal(set) var clientID = ""
    package internal(set) var clientHost = ""
    /// Names that it subscribes to.
    package internal(set) var topics: Set<String> = []
    /// A pattern of names that it subscribes to; nil without one.
    package internal(set) var pattern: String?
    var rebalanceTimeout: Duration = .zero
    var assignor: String?
    package internal(set) var epoch: Int32 = 0
    var previousEpoch: Int32 = 0
    var state = State.stable
    /// What it has, or gets with the next answer.
    package internal(set) var assigned = TopicPartitions()
    /// What it has to give up.
    var revoking = TopicPartitions()

    init(id: String) { self.id = id }

    /// Whether there is nothing left to do towards the target of an epoch.
    func isReconciled(to target: Int32) -> Bool { state == .stable && epoch == target }

    /// The next step towards a target, where there is one now: first partitions are given up, then those that are free
    /// are given.
    ///
    /// - Parameters:
    ///   - target: what the member is to have.
    ///   - targetEpoch: the epoch of the target.
    ///   - reported: what the member says that it has; nil where it does not say.
    ///   - taken: partitions that a member has, this one's among them.
    mutating func reconcile(
        to target: TopicPartitions, epoch targetEpoch: Int32, reported: TopicPartitions?, taken: TopicPartitions
    ) {
        // The epoch that its client knows.
        let known = epoch
        switch state {
        case .stable:
            guard epoch != targetEpoch else { return }
        case .unrevokedPartitions:
            guard let reported, reported.isDisjoint(with: revoking) else { return }
            epoch += 1
        case .unreleasedPartitions: break
        }
        previousEpoch = known
        let kept = assigned.intersection(target)
        let revoked = assigned.subtracting(kept)
        let wanted = target.subtracting(kept)
        let free = wanted.subtracting(taken)
        if !revoked.isEmpty, reported.map({ !$0.isDisjoint(with: revoked) }) ?? true {
            state = .unrevokedPartitions
            assigned = kept
            revoking = revoked
            return
        }
        epoch = targetEpoch
        state = free == wanted ? .stable : .unreleasedPartitions
        assigned = kept
        assigned.formUnion(free)
        revoking = TopicPartitions()
    }
}
