// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// A consumer group as the broker sees it.
package struct GroupDescription: Sendable {
    package struct Member: Sendable {
        package let id: String
        /// nil: not a static member.
        package let instanceID: String?
        package let clientID: String
        package let host: String
        package let assignment: [TopicPartition]
    }

    package let name: String
    package let state: GroupState
    /// How partitions are given out, such as `range`; empty without members.
    package let assignor: String
    package let members: [Member]
    package let error: KafkaError?
}

/// A group's name and state.
package struct GroupListing: Sendable, Hashable {
    package let name: String
    package let state: GroupState
}

/// Kafka's states of groups.
package enum GroupState: String, Sendable {
    case unknown = "Unknown"
    case preparingRebalance = "PreparingRebalance"
    case completingRebalance = "CompletingRebalance"
    case stable = "Stable"
    /// Of the consumer protocol (KIP-848): partitions are to be shared anew.
    case assigning = "Assigning"
    /// Of the consumer protocol (KIP-848): members give up and get partitions.
    case reconciling = "Reconciling"
    case dead = "Dead"
    case empty = "Empty"

    fileprivate init(_ native: rd_kafka_consumer_group_state_t) {
        self =
            rd_kafka_consumer_group_state_name(native).flatMap { GroupState(rawValue: String(cString: $0)) } ?? .unknown
    }
}

extension KafkaAdmin {
    /// All groups, by name.
    package func listGroups() async throws -> [GroupListing] {
        try await request(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, "listing groups") { client, options, queue in
            rd_kafka_ListConsumerGroups(client, options, queue)
        } parse: { event in
            let result = rd_kafka_event_ListConsumerGroups_result(event)
            var count = 0
            let errors = rd_kafka_ListConsumerGroups_result_errors(result, &count)
            if let error = PointerList.elements(errors, count).first {
                throw KafkaError(reading: error, "listing groups")
            }
            let array = rd_kafka_ListConsumerGroups_result_valid(result, &count)
            return PointerList.elements(array, count).map { group in
                GroupListing(
                    name: string(rd_kafka_ConsumerGroupListing_group_id(group)) ?? "",
                    state: GroupState(rd_kafka_ConsumerGroupListing_state(group)))
            }.sorted { $0.name < $1.name }
        }
    }

    /// Groups with their members. Kafka describes a group that does not exist as `Dead`.
    package func describeGroups(_ names: [String]) async throws -> [GroupDescription] {
        guard !names.isEmpty else { return [] }
        return try await request(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, "describing groups") {
            client, options, queue in
            let copies = names.map { Array($0.utf8CString) }
            withPointers(copies) { rd_kafka_DescribeConsumerGroups(client, $0, names.count, options, queue) }
        } parse: { event in
            var count = 0
            let result = rd_kafka_event_DescribeConsumerGroups_result(event)
            let array = rd_kafka_DescribeConsumerGroups_result_groups(result, &count)
            return PointerList.elements(array, count).map(GroupDescription.init)
        }
    }

    /// Deletes groups that have no members, with their commits.
    /// - Returns: nil, or the error, for each group.
    package func deleteGroups(_ names: [String]) async throws -> [String: KafkaError?] {
        try await request(RD_KAFKA_ADMIN_OP_DELETEGROUPS, "deleting groups") { client, options, queue in
            PointerList.with(names.map { rd_kafka_DeleteGroup_new($0) }, free: rd_kafka_DeleteGroup_destroy) {
                rd_kafka_DeleteGroups(client, $0, $1, options, queue)
            }
        } parse: { event in
            var count = 0
            let array = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count)
            var results: [String: KafkaError?] = [:]
            for result in PointerList.elements(array, count) {
                let name = string(rd_kafka_group_result_name(result)) ?? ""
                let error = rd_kafka_group_result_error(result).map { KafkaError(reading: $0, "group \(name)") }
                results.updateValue(error, forKey: name)
            }
            return results
        }
    }

    /// What a group committed.
    package func committedOffsets(group: String) async throws -> [TopicPartition: Int64] {
        try await request(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, "group \(group)") { client, options, queue in
            PointerList.with(
                [rd_kafka_ListConsumerGroupOffsets_new(group, nil)], free: rd_kafka_ListConsumerGroupOffsets_destroy
            ) { rd_kafka_ListConsumerGroupOffsets(client, $0, $1, options, queue) }
        } parse: { event in
            var count = 0
            let result = rd_kafka_event_ListConsumerGroupOffsets_result(event)
            return try Self.offsets(rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count), count, group)
        }
    }

    /// Sets what a group committed. The group must have no members.
    package func alterCommittedOffsets(group: String, _ offsets: [TopicPartition: Int64]) async throws {
        _ = try await request(RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, "group \(group)") { client, options, queue in
            try PartitionList.with(offsets.map { ($0.key, $0.value) }) { list in
                PointerList.with(
                    [rd_kafka_AlterConsumerGroupOffsets_new(group, list)],
                    free: rd_kafka_AlterConsumerGroupOffsets_destroy
                ) { rd_kafka_AlterConsumerGroupOffsets(client, $0, $1, options, queue) }
            }
        } parse: { event in
            var count = 0
            let result = rd_kafka_event_AlterConsumerGroupOffsets_result(event)
            return try Self.offsets(rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &count), count, group)
        }
    }

    /// Forgets what a group committed for partitions that it does not read now.
    package func deleteCommittedOffsets(group: String, _ partitions: [TopicPartition]) async throws {
        _ = try await request(RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, "group \(group)") {
            client, options, queue in
            try PartitionList.with(places: partitions) { list in
                PointerList.with(
                    [rd_kafka_DeleteConsumerGroupOffsets_new(group, list)],
                    free: rd_kafka_DeleteConsumerGroupOffsets_destroy
                ) { rd_kafka_DeleteConsumerGroupOffsets(client, $0, $1, options, queue) }
            }
        } parse: { event in
            var count = 0
            let result = rd_kafka_event_DeleteConsumerGroupOffsets_result(event)
            return try Self.offsets(rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, &count), count, group)
        }
    }

    private static func offsets(
        _ array: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ group: String
    ) throws(KafkaError) -> [TopicPartition: Int64] {
        guard let first = PointerList.elements(array, count).first else { return [:] }
        if let error = rd_kafka_group_result_error(first) { throw KafkaError(reading: error, "group \(group)") }
        return try PartitionList.offsets(rd_kafka_group_result_partitions(first), "group \(group): the offset")
    }
}

/// Calls `body` with an array of C strings.
private func withPointers(
    _ strings: [[CChar]], _ body: (UnsafeMutablePointer<UnsafePointer<CChar>?>?) -> Void
) {
    func step(_ index: Int, _ pointers: inout [UnsafePointer<CChar>?]) {
        guard index < strings.count else {
            return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress) }
        }
        strings[index].withUnsafeBufferPointer { buffer in
            pointers.append(buffer.baseAddress)
            step(index + 1, &pointers)
        }
    }
    var pointers: [UnsafePointer<CChar>?] = []
    step(0, &pointers)
}

extension GroupDescription {
    fileprivate init(_ native: OpaquePointer) {
        let name = string(rd_kafka_ConsumerGroupDescription_group_id(native)) ?? ""
        self.name = name
        state = GroupState(rd_kafka_ConsumerGroupDescription_state(native))
        assignor = string(rd_kafka_ConsumerGroupDescription_partition_assignor(native)) ?? ""
        error = rd_kafka_ConsumerGroupDescription_error(native).map { KafkaError(reading: $0, "group \(name)") }
        members = (0..<rd_kafka_ConsumerGroupDescription_member_count(native)).compactMap { index in
            rd_kafka_ConsumerGroupDescription_member(native, index).map(Member.init)
        }
    }
}

extension GroupDescription.Member {
    fileprivate init(_ native: OpaquePointer) {
        id = string(rd_kafka_MemberDescription_consumer_id(native)) ?? ""
        instanceID = string(rd_kafka_MemberDescription_group_instance_id(native))
        clientID = string(rd_kafka_MemberDescription_client_id(native)) ?? ""
        host = string(rd_kafka_MemberDescription_host(native)) ?? ""
        let assigned = rd_kafka_MemberDescription_assignment(native)
        assignment = assigned.map { PartitionList.places(rd_kafka_MemberAssignment_partitions($0)).sorted() } ?? []
    }
}
