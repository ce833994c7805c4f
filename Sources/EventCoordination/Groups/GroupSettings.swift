// SPDX-License-Identifier: Apache-2.0

/// Limits of groups and their offsets; defaults are Kafka's unless said otherwise.
package struct GroupSettings: Hashable, Sendable {
    /// `group.min.session.timeout.ms`
    package var minSessionTimeout: Duration = .seconds(6)
    /// `group.max.session.timeout.ms`
    package var maxSessionTimeout: Duration = .seconds(1800)
    /// `group.initial.rebalance.delay.ms`: how long the first rebalance of an empty group waits for more members.
    /// Kafka's default is 3 s; here 0.
    package var initialRebalanceDelay: Duration = .zero
    /// `group.max.size`: members a group, those included that were given an id and have not joined. Kafka's default is
    /// unlimited; here 10,000.
    package var maxSize = 10_000
    /// `group.consumer.session.timeout.ms`: how long a member of the consumer protocol may be silent.
    package var consumerSessionTimeout: Duration = .seconds(45)
    /// `group.consumer.heartbeat.interval.ms`: how often it is asked to send heartbeats.
    package var consumerHeartbeatInterval: Duration = .seconds(5)
    /// How long a new member may wait for the end of its first rebalance (KAFKA-7610).
    package var newMemberJoinTimeout: Duration = .seconds(300)
    /// `offset.metadata.max.bytes`
    package var maxOffsetMetadataBytes = 4096
    /// `offsets.retention.minutes`, from the moment that the group is empty (KIP-211).
    package var offsetsRetention: Duration = .seconds(7 * 24 * 3600)
    /// `offsets.retention.check.interval.ms`
    package var offsetsCheckInterval: Duration = .seconds(600)

    package init() {}
}
