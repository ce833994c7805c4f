// SPDX-License-Identifier: Apache-2.0

/// How the whole log works.
package struct EventLogConfiguration: Sendable, Hashable {
    /// What partitions that are found in the folder begin with, until `PartitionLog.updateConfiguration`.
    package var partitionDefaults = PartitionConfiguration()
    /// Segment files kept open while nobody reads them.
    package var openFiles = 256
    /// Bytes that one round of the writer takes before it syncs.
    package var cycleBytes = 4 << 20
    /// Bytes of appends that may wait for the writer; more are refused as `busy`.
    package var queueBytes = 256 << 20
    /// Bytes written to a partition after which the writer makes a checkpoint: what a start after kill -9 has to read.
    package var checkpointBytes: Int64 = 128 << 20
    /// How long an idempotent producer that does nothing is remembered, in milliseconds (`producer.id.expiration.ms`).
    package var producerExpiration: Int64 = 86_400_000
    /// Keys that one pass of compaction remembers; more are left to the next pass.
    package var compactionKeys = 500_000

    /// The defaults.
    package init() {}
}

/// What a topic's configuration says about each of its partitions. Names and defaults are Kafka's.
package struct PartitionConfiguration: Sendable, Hashable {
    /// `segment.bytes`
    package var segmentBytes: Int64 = 1 << 30
    /// `segment.ms`, milliseconds
    package var segmentAge: Int64 = 604_800_000
    /// `retention.ms`, milliseconds; −1 keeps for ever
    package var retentionAge: Int64 = 604_800_000
    /// `retention.bytes`; −1 keeps all
    package var retentionBytes: Int64 = -1
    /// Whether `cleanup.policy` has `delete`
    package var deletes = true
    /// Whether `cleanup.policy` has `compact`
    package var compacts = false
    /// `delete.retention.ms`: how long a tombstone is kept once it is compacted, milliseconds
    package var deleteRetention: Int64 = 86_400_000
    /// `min.compaction.lag.ms`, milliseconds
    package var minCompactionLag: Int64 = 0
    /// `min.cleanable.dirty.ratio`
    package var minCleanableDirtyRatio = 0.5
    /// `max.message.bytes`: the largest batch as sent
    package var maxMessageBytes = 1_048_588
    /// Whether `message.timestamp.type` is `LogAppendTime`
    package var isLogAppendTime = false
    /// `message.timestamp.before.max.ms`, milliseconds
    package var timestampBeforeMax: Int64 = .max
    /// `message.timestamp.after.max.ms`, milliseconds
    package var timestampAfterMax: Int64 = .max
    /// `index.interval.bytes`
    package var indexIntervalBytes: Int64 = 4096

    /// Kafka's defaults.
    package init() {}
}
