// SPDX-License-Identifier: Apache-2.0

/// ConsumerGroupHeartbeat, versions 0–1. What is nil has not changed since the last one.
package struct ConsumerHeartbeat: Sendable {
    package var groupID: String
    /// Empty where the coordinator is to choose it: only version 0 may.
    package var memberID: String
    /// 0 to join, −1 to leave, −2 where a static member leaves and will come back.
    package var epoch: Int32
    package var instanceID: String?
    package var rackID: String?
    package var rebalanceTimeout: Duration?
    package var topics: [String]?
    /// Empty for none.
    package var pattern: String?
    package var assignor: String?
    /// The partitions that it has.
    package var owned: TopicPartitions?
    package var clientID: String
    /// Kafka writes a slash before it.
    package var clientHost: String
    /// The id of a member that has none yet; must be unlike any other's, nil where members choose theirs.
    package var newMemberID: String?

    package init(groupID: String, memberID: String, epoch: Int32, clientID: String = "", clientHost: String = "") {
        self.groupID = groupID
        self.memberID = memberID
        self.epoch = epoch
        self.clientID = clientID
        self.clientHost = clientHost
    }

    /// Whether it says everything, as after an error: its answer then does too.
    var isFull: Bool {
        epoch == 0 || (rebalanceTimeout != nil && (topics != nil || pattern != nil) && owned != nil)
    }
}

/// The answer to ConsumerGroupHeartbeat.
package struct ConsumerHeartbeatAnswer: Hashable, Sendable {
    package var code = CoordinationCode.ok
    package var message: String?
    package var memberID: String?
    package var epoch: Int32 = 0
    package var interval: Duration = .zero
    /// What the member is to have; nil where it has not changed.
    package var assignment: TopicPartitions?

    init(memberID: String, epoch: Int32, interval: Duration = .zero, assignment: TopicPartitions? = nil) {
        self.memberID = memberID
        self.epoch = epoch
        self.interval = interval
        self.assignment = assignment
    }

    init(_ refusal: GroupRefusal) {
        code = refusal.code
        message = refusal.message
    }

    /// It was decided, and could not be written.
    package static var notWritten: ConsumerHeartbeatAnswer {
        ConsumerHeartbeatAnswer(GroupRefusal(.coordinatorNotAvailable, "The coordinator is not available."))
    }
}

/// Why a request of a group is refused, as Kafka says it.
package struct GroupRefusal: Error, Hashable, Sendable {
    package var code: CoordinationCode
    package var message: String

    package init(_ code: CoordinationCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// Which topics the patterns of a group's members stand for.
///
/// Found by the caller, away from the coordinator, as that may take a moment: ``GroupCoordinator/patterns(for:topics:now:)``
/// says which are wanted.
package struct PatternTopics: Sendable {
    package var revision: UInt64
    package var topics: [String: Set<String>]

    /// - Parameters:
    ///   - revision: of the topics that were looked at.
    ///   - topics: names by pattern.
    package init(revision: UInt64, topics: [String: Set<String>]) {
        self.revision = revision
        self.topics = topics
    }
}

/// A group of the answer to ConsumerGroupDescribe.
package struct ModernGroupDescription: Sendable {
    package struct Member: Sendable {
        package var member: ModernMember
        package var target: TopicPartitions
    }

    package var state: ModernGroup.State
    package var epoch: Int32
    package var assignmentEpoch: Int32
    package var assignor: String
    package var members: [Member]
}
