// SPDX-License-Identifier: Apache-2.0

extension ConsumerHeartbeat {
    /// Longest name or id, in bytes: records of Kafka could hold 32,767.
    private static let maximumText = 4096
    /// Topics that one member may name.
    private static let maximumTopics = 10_000

    /// What is wrong with it, whatever the group.
    /// - Throws: with Kafka's code.
    package func check() throws(GroupRefusal) {
        func refuse(_ message: String) -> GroupRefusal { GroupRefusal(.invalidRequest, message) }
        if groupID.isEmpty { throw refuse("GroupId can't be empty.") }
        if instanceID?.isEmpty ?? false { throw refuse("InstanceId can't be empty.") }
        if rackID?.isEmpty ?? false { throw refuse("RackId can't be empty.") }
        if memberID.isEmpty, newMemberID == nil || epoch != 0 {
            throw refuse("MemberId can't be empty.")
        }
        switch epoch {
        case 0:
            guard rebalanceTimeout != nil else {
                throw refuse("RebalanceTimeoutMs must be provided in first request.")
            }
            guard owned?.isEmpty ?? false else {
                throw refuse("TopicPartitions must be empty when (re-)joining.")
            }
            guard topics != nil || pattern != nil else {
                throw refuse(
                    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
            }
        case ModernMember.awayEpoch:
            guard instanceID != nil else { throw refuse("InstanceId can't be null.") }
        case -1, 1...: break
        default: throw refuse("MemberEpoch is invalid.")
        }
        if let name = assignor, ServerAssignor(rawValue: name) == nil {
            let known = ServerAssignor.allCases.map(\.rawValue).joined(separator: ", ")
            throw GroupRefusal(
                .unsupportedAssignor, "ServerAssignor \(name) is not supported. Supported assignors: \(known).")
        }
        let texts =
            [groupID, memberID, clientID]
            + [instanceID, rackID, pattern].compactMap { $0 }
        guard texts.allSatisfy({ $0.utf8.count <= Self.maximumText }) else {
            throw refuse("A text of a member may have \(Self.maximumText) bytes.")
        }
        guard topics?.count ?? 0 <= Self.maximumTopics else {
            throw refuse("A member may name \(Self.maximumTopics) topics; it may subscribe to a pattern instead.")
        }
        guard topics?.allSatisfy({ $0.utf8.count <= Self.maximumText }) ?? true else {
            throw refuse("A name of a topic may have 249 characters.")
        }
    }
}
