// SPDX-License-Identifier: Apache-2.0

/// One partition of OffsetCommit or TxnOffsetCommit.
package struct OffsetToCommit: Hashable, Sendable {
    package var partition: PartitionName
    package var offset: Int64
    /// −1 where unknown.
    package var leaderEpoch: Int32
    /// Empty where the request has null.
    package var metadata: String

    package init(partition: PartitionName, offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "") {
        self.partition = partition
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
    }
}

/// OffsetCommit (versions 2–9) or TxnOffsetCommit (0–3).
package struct CommitRequest: Sendable {
    package var groupID: String
    /// Empty for a simple consumer.
    package var memberID: String
    /// −1 for a simple consumer.
    package var generation: Int32
    package var instanceID: String?
    package var offsets: [OffsetToCommit]
    /// Of TxnOffsetCommit: the offsets wait for the transaction's marker. The caller has checked the producer, and
    /// appends the records as a batch of its transaction.
    package var producerID: Int64?
    /// Whether the generation may be a member's epoch (KIP-848): from version 9 of OffsetCommit.
    package var knowsMemberEpochs: Bool

    package init(
        groupID: String, memberID: String = "", generation: Int32 = -1, instanceID: String? = nil,
        offsets: [OffsetToCommit], producerID: Int64? = nil, knowsMemberEpochs: Bool = false
    ) {
        self.groupID = groupID
        self.memberID = memberID
        self.generation = generation
        self.instanceID = instanceID
        self.offsets = offsets
        self.producerID = producerID
        self.knowsMemberEpochs = knowsMemberEpochs
    }
}

/// What a commit leads to.
package struct CommitOutcome: Hashable, Sendable {
    /// A code a partition, in the order of the request.
    package var codes: [CoordinationCode]
    package var records: [CoordinatorRecord] = []

    init(codes: [CoordinationCode], records: [CoordinatorRecord] = []) {
        self.codes = codes
        self.records = records
    }
}

/// One partition of the answer to OffsetFetch.
package struct FetchedOffset: Hashable, Sendable {
    package var partition: PartitionName
    /// −1 where nothing is committed.
    package var offset: Int64 = -1
    package var leaderEpoch: Int32 = -1
    package var metadata = ""
    package var code = CoordinationCode.ok
}

/// A group of the answer to DescribeGroups.
package struct GroupDescription: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package var memberID: String
        package var instanceID: String?
        package var clientID: String
        package var clientHost: String
        /// Empty while the group is not stable, as is the assignment.
        package var metadata: [UInt8]
        package var assignment: [UInt8]
    }

    package var groupID: String
    package var code = CoordinationCode.ok
    package var state: ConsumerGroup.State
    package var protocolType = ""
    package var protocolName = ""
    package var members: [Member] = []
}

/// A group of the answer to ListGroups.
package struct GroupListing: Hashable, Sendable {
    package var groupID: String
    package var protocolType: String
    /// Kafka's name of the state (KIP-518).
    package var state: String
    /// `classic` or `consumer` (KIP-848).
    package var type: String
}
