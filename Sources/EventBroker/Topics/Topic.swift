// SPDX-License-Identifier: Apache-2.0
import EventLog
import KafkaProtocol
import Synchronization

/// A topic: its identity, its settings and the logs of its partitions.
final class Topic: Sendable {
    struct State: Sendable {
        /// In the order of their numbers.
        var partitions: [PartitionLog]
        /// Those that differ from the defaults.
        var settings: [String: String]
    }

    let name: String
    let id: KafkaUUID
    private let state: Mutex<State>

    init(name: String, id: KafkaUUID, partitions: [PartitionLog], settings: [String: String]) {
        self.name = name
        self.id = id
        state = Mutex(State(partitions: partitions, settings: settings))
    }

    var isInternal: Bool { TopicName.isInternal(name) }
    var partitions: [PartitionLog] { state.withLock { $0.partitions } }
    var settings: [String: String] { state.withLock { $0.settings } }

    /// The log of a partition; nil when there is none of this number.
    func partition(_ number: Int32) -> PartitionLog? {
        state.withLock { state in
            state.partitions.indices.contains(Int(number)) ? state.partitions[Int(number)] : nil
        }
    }

    /// The value of a setting, given or default.
    func value(_ name: String) -> String { settings[name] ?? TopicSetting.byName[name]?.defaultValue ?? "" }

    func change(_ body: @Sendable (inout State) -> Void) { state.withLock { body(&$0) } }
}

/// Why a topic was not made or changed.
struct TopicError: Error, Sendable {
    var code: KafkaErrorCode
    var message: String

    init(_ code: KafkaErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }

    static func unknown(_ name: String) -> TopicError {
        TopicError(.unknownTopicOrPartition, "This server does not host this topic-partition.")
    }
}

extension PartitionConfiguration {
    /// What the settings of a topic say; they are valid.
    init(_ settings: [String: String]) {
        self.init()
        func number(_ name: String, _ value: inout Int64) {
            if let given = settings[name].flatMap({ Int64($0) }) { value = given }
        }
        number("segment.bytes", &segmentBytes)
        number("segment.ms", &segmentAge)
        number("retention.ms", &retentionAge)
        number("retention.bytes", &retentionBytes)
        number("delete.retention.ms", &deleteRetention)
        number("min.compaction.lag.ms", &minCompactionLag)
        if let policy = settings["cleanup.policy"] {
            deletes = policy.contains("delete")
            compacts = policy.contains("compact")
        }
        if let ratio = settings["min.cleanable.dirty.ratio"].flatMap({ Double($0) }) { minCleanableDirtyRatio = ratio }
        if let bytes = settings["max.message.bytes"].flatMap({ Int($0) }) { maxMessageBytes = bytes }
        isLogAppendTime = settings["message.timestamp.type"] == "LogAppendTime"
    }
}
