// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// A way of assigning partitions that a member knows, with its subscription in that way's own format.
package struct GroupProtocol: Hashable, Sendable {
    package var name: String
    package var metadata: [UInt8]

    package init(name: String, metadata: [UInt8]) {
        self.name = name
        self.metadata = metadata
    }
}

/// JoinGroup, versions 0–9.
package struct JoinRequest: Sendable {
    package var groupID: String
    /// Empty for a member that joins for the first time.
    package var memberID: String
    /// `group.instance.id` of a static member (KIP-345); from version 5.
    package var instanceID: String?
    package var clientID: String
    /// The address of the client; Kafka writes a slash before it.
    package var clientHost: String
    package var sessionTimeout: Duration
    /// Version 0 has none: its session timeout.
    package var rebalanceTimeout: Duration
    package var protocolType: String
    /// In the order of the member's preference.
    package var protocols: [GroupProtocol]
    /// Whether a first join of a dynamic member is sent back with an id (KIP-394): from version 4.
    package var needsKnownMemberID: Bool
    /// Whether a static leader can be told to keep the assignment (KIP-814): from version 9.
    package var supportsSkippingAssignment: Bool
    /// What a new id of a member ends with; must be unlike any other's.
    package var newIDSuffix: String

    package init(
        groupID: String, memberID: String, instanceID: String? = nil, clientID: String, clientHost: String,
        sessionTimeout: Duration, rebalanceTimeout: Duration, protocolType: String, protocols: [GroupProtocol],
        needsKnownMemberID: Bool, supportsSkippingAssignment: Bool, newIDSuffix: String = RandomID.uuid()
    ) {
        self.groupID = groupID
        self.memberID = memberID
        self.instanceID = instanceID
        self.clientID = clientID
        self.clientHost = clientHost
        self.sessionTimeout = sessionTimeout
        self.rebalanceTimeout = rebalanceTimeout
        self.protocolType = protocolType
        self.protocols = protocols
        self.needsKnownMemberID = needsKnownMemberID
        self.supportsSkippingAssignment = supportsSkippingAssignment
        self.newIDSuffix = newIDSuffix
    }
}

/// The answer to JoinGroup.
package struct JoinAnswer: Hashable, Sendable {
    /// What the leader learns of a member.
    package struct Member: Hashable, Sendable {
        package var memberID: String
        package var instanceID: String?
        package var metadata: [UInt8]
    }

    package var code: CoordinationCode
    package var generation: Int32 = -1
    package var protocolType: String?
    /// Null on the wire from version 7 where nil; empty before.
    package var protocolName: String?
    package var leaderID = ""
    package var memberID = ""
    package var skipsAssignment = false
    /// All members, for the leader; empty for others.
    package var members: [Member] = []

    /// An answer that refuses.
    package static func failure(_ code: CoordinationCode, memberID: String = "") -> JoinAnswer {
        JoinAnswer(code: code, memberID: memberID)
    }
}

/// SyncGroup, versions 0–5.
package struct SyncRequest: Sendable {
    package var groupID: String
    package var memberID: String
    package var generation: Int32
    /// From version 3.
    package var instanceID: String?
    /// From version 5.
    package var protocolType: String?
    /// From version 5.
    package var protocolName: String?
    /// By member; of the leader only.
    package var assignments: [String: [UInt8]]

    package init(
        groupID: String, memberID: String, generation: Int32, instanceID: String? = nil, protocolType: String? = nil,
        protocolName: String? = nil, assignments: [String: [UInt8]] = [:]
    ) {
        self.groupID = groupID
        self.memberID = memberID
        self.generation = generation
        self.instanceID = instanceID
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignments = assignments
    }
}

/// The answer to SyncGroup.
package struct SyncAnswer: Hashable, Sendable {
    package var code: CoordinationCode
    package var protocolType: String?
    package var protocolName: String?
    package var assignment: [UInt8] = []

    /// An answer that refuses.
    package static func failure(_ code: CoordinationCode) -> SyncAnswer { SyncAnswer(code: code) }
}

/// One member of LeaveGroup; versions below 3 name one.
package struct LeavingMember: Hashable, Sendable {
    /// May be empty where the instance is named.
    package var memberID: String
    package var instanceID: String?

    package init(memberID: String, instanceID: String? = nil) {
        self.memberID = memberID
        self.instanceID = instanceID
    }
}

/// An answer to a request that may have waited.
package enum GroupAnswer: Hashable, Sendable {
    case join(Ticket, JoinAnswer)
    case sync(Ticket, SyncAnswer)

    /// The request that is answered.
    package var ticket: Ticket {
        switch self {
        case .join(let ticket, _), .sync(let ticket, _): ticket
        }
    }
}

/// What follows from an event of a group.
///
/// The caller appends `records` to `__consumer_offsets` first, and gives out no answer (those in here, and those that
/// calls returned later) before they are durable.
package struct GroupEffects: Hashable, Sendable {
    package var records: [CoordinatorRecord] = []
    package var answers: [GroupAnswer] = []

    package init() {}

    package var isEmpty: Bool { records.isEmpty && answers.isEmpty }

    mutating func append(_ other: GroupEffects) {
        records += other.records
        answers += other.answers
    }
}
