// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DataFolders
import Dispatch
import EventCoordination
import EventLog
import KafkaProtocol
import Logging
import Synchronization

/// All topics: what they are, kept in `topics.json`, and their logs.
///
/// A change is written to the file first and done then; what a crash left between the two is completed at the start:
/// partitions that the file names are made, others are removed.
final class TopicCatalog: Sendable {
    private struct State: Sendable {
        var byName: [String: Topic] = [:]
        var byID: [KafkaUUID: Topic] = [:]
        var revision: UInt64 = 1
        /// What groups know of it; made when it is asked for.
        var image: TopicImage?

        mutating func hasChanged() {
            revision += 1
            image = nil
        }
    }

    /// Who the cluster is, for clients that see several.
    let clusterID: String
    let log: EventLog
    private let path: String
    private let configuration: BrokerConfiguration
    private let logger: Logger
    private let state = Mutex(State())
    private let changes = ChangeQueue()
    private let files = DispatchQueue(label: "apus.events.topics", qos: .userInitiated)

    /// Opens the folder.
    /// - Throws: when it cannot be read or written, or was written by a newer version.
    init(_ configuration: BrokerConfiguration, logger: Logger) async throws {
        self.configuration = configuration
        self.logger = logger
        path = configuration.dataFolder + "/topics.json"
        log = try await EventLog.open(
            folder: configuration.dataFolder, configuration: EventLogConfiguration(), logger: logger)
        let path = path
        let bytes = try await files.result { try Folder.read(path) }
        let document = try bytes.map { try CatalogDocument(decoding: $0, path: path) }
        clusterID = document?.clusterID ?? KafkaUUID.random().description
        for entry in document?.topics ?? [] {
            let topic = try await load(entry)
            state.withLock { state in
                state.byName[topic.name] = topic
                state.byID[topic.id] = topic
            }
        }
        let known = Set(all.flatMap { $0.partitions.map(\.name) })
        for name in log.partitions.map(\.name) where !known.contains(name) {
            logger.warning("a partition of a topic that was deleted goes", metadata: ["partition": "\(name)"])
            try await log.delete(name)
        }
        if document == nil { try await save() }
    }

    private func load(_ entry: CatalogDocument.Entry) async throws -> Topic {
        var partitions: [PartitionLog] = []
        for number in 0..<entry.partitions {
            partitions.append(try await partition(entry.name, number, entry.settings))
        }
        return Topic(name: entry.name, id: entry.id, partitions: partitions, settings: entry.settings)
    }

    private func partition(_ topic: String, _ number: Int, _ settings: [String: String]) async throws -> PartitionLog {
        let name = LogPartition(topic, Int32(number))
        let configuration = PartitionConfiguration(settings)
        guard let present = log.partition(name) else {
            return try await log.create(name, configuration: configuration)
        }
        present.updateConfiguration(configuration)
        return present
    }

    // MARK: Reading

    func topic(_ name: String) -> Topic? { state.withLock { $0.byName[name] } }
    func topic(id: KafkaUUID) -> Topic? { state.withLock { $0.byID[id] } }

    /// The topics as groups see them.
    var image: TopicImage {
        state.withLock { state in
            if let image = state.image { return image }
            let image = TopicImage(
                revision: state.revision,
                topics: state.byName.mapValues {
                    TopicImage.Topic(id: TopicID($0.id), partitions: Int32(clamping: $0.partitions.count))
                })
            state.image = image
            return image
        }
    }

    /// In the order of their names.
    var all: [Topic] { state.withLock { Array($0.byName.values) }.sorted { $0.name < $1.name } }

    // MARK: Changing

    /// Why a topic cannot be made.
    func check(_ name: String, partitions: Int, settings: [String: String]) throws(TopicError) {
        if let problem = TopicName.problem(name) { throw TopicError(.invalidTopic, problem) }
        if topic(name) != nil { throw TopicError(.topicAlreadyExists, "Topic '\(name)' already exists.") }
        // Kafka's metrics have no room for both, and so its tools expect them to collide.
        let plain = name.replacing(".", with: "_")
        if let other = all.first(where: { $0.name.replacing(".", with: "_") == plain }) {
            throw TopicError(.invalidTopic, "Topic '\(name)' collides with existing topic: \(other.name)")
        }
        if let problem = TopicSetting.problem(settings) { throw TopicError(.invalidConfig, problem) }
        try checkRoom(partitions)
    }

    private func checkRoom(_ more: Int) throws(TopicError) {
        let present = all.reduce(0) { $0 + $1.partitions.count }
        guard more <= configuration.maximumPartitions - present else {
            throw TopicError(
                .policyViolation,
                "There may be \(configuration.maximumPartitions) partitions; there are \(present), and \(more) more are wanted."
            )
        }
    }

    /// Makes a topic.
    func create(_ name: String, partitions: Int, settings: [String: String]) async throws(TopicError) -> Topic {
        try await changes.run { () async throws(TopicError) -> Topic in
            try self.check(name, partitions: partitions, settings: settings)
            let entry = CatalogDocument.Entry(
                name: name, id: .random(), partitions: partitions, settings: settings)
            return try await self.storing {
                try await self.save(adding: entry)
                let topic = try await self.load(entry)
                self.state.withLock { state in
                    state.byName[name] = topic
                    state.byID[topic.id] = topic
                    state.hasChanged()
                }
                return topic
            }
        }
    }

    /// The only partition of one of the broker's own topics, made at its first use.
    func internalPartition(_ name: String) async throws -> PartitionLog {
        if let partition = topic(name)?.partition(0) { return partition }
        do throws(TopicError) {
            let settings = ["cleanup.policy": "compact", "segment.bytes": "104857600"]
            return try await create(name, partitions: 1, settings: settings).partitions[0]
        } catch {
            if error.code == .topicAlreadyExists, let partition = topic(name)?.partition(0) { return partition }
            throw error
        }
    }

    /// Deletes a topic with its records.
    func delete(_ name: String) async throws(TopicError) {
        try await changes.run { () async throws(TopicError) in
            guard let topic = self.topic(name) else { throw .unknown(name) }
            try await self.storing {
                try await self.save(without: name)
                self.state.withLock { state in
                    state.byName[name] = nil
                    state.byID[topic.id] = nil
                    state.hasChanged()
                }
                for partition in topic.partitions { try await self.log.delete(partition.name) }
            }
        }
    }

    /// Adds partitions to a topic, up to a total.
    func addPartitions(_ name: String, total: Int) async throws(TopicError) {
        try await changes.run { () async throws(TopicError) in
            guard let topic = self.topic(name) else { throw .unknown(name) }
            let present = topic.partitions
            guard total > present.count else { return }
            try self.checkRoom(total - present.count)
            let entry = CatalogDocument.Entry(
                name: name, id: topic.id, partitions: total, settings: topic.settings)
            try await self.storing {
                try await self.save(adding: entry)
                let fresh = try await self.load(entry).partitions
                topic.change { $0.partitions = fresh }
                self.state.withLock { $0.hasChanged() }
            }
        }
    }

    /// Replaces the settings of a topic.
    func configure(_ topic: Topic, _ settings: [String: String], onlyValidates: Bool) async throws(TopicError) {
        if let problem = TopicSetting.problem(settings) { throw TopicError(.invalidConfig, problem) }
        if onlyValidates { return }
        try await changes.run { () async throws(TopicError) in
            let entry = CatalogDocument.Entry(
                name: topic.name, id: topic.id, partitions: topic.partitions.count, settings: settings)
            try await self.storing { try await self.save(adding: entry) }
            topic.change { $0.settings = settings }
            let configuration = PartitionConfiguration(settings)
            for partition in topic.partitions { partition.updateConfiguration(configuration) }
        }
    }

    /// Forgets records before an offset; −1 is the end. Returns the first offset that is kept.
    func deleteRecords(_ partition: PartitionLog, before offset: Int64) async throws(KafkaErrorCode) -> Int64 {
        do throws(EventLogError) {
            return try await log.deleteRecords(partition.name, before: offset)
        } catch {
            if error.code == .offsetOutOfRange { throw .offsetOutOfRange }
            logger.error(
                "records cannot be deleted", metadata: ["partition": "\(partition.name)", "error": "\(error)"])
            throw .storageError
        }
    }

    func close() async { await log.close() }

    private func storing<Value: Sendable>(
        _ body: () async throws -> Value
    ) async throws(TopicError) -> Value {
        do {
            return try await body()
        } catch {
            logger.error("topics cannot be changed", metadata: ["error": "\(error)"])
            throw TopicError(.storageError, "\(error)")
        }
    }

    private func save(adding entry: CatalogDocument.Entry? = nil, without name: String? = nil) async throws {
        var document = CatalogDocument(clusterID: clusterID)
        document.topics = all.filter { $0.name != name && $0.name != entry?.name }.map {
            CatalogDocument.Entry(name: $0.name, id: $0.id, partitions: $0.partitions.count, settings: $0.settings)
        }
        if let entry { document.topics.append(entry) }
        let bytes = document.encoded
        let path = path
        try await files.result { try Folder.replace(path, with: bytes) }
    }
}

/// Changes one after the other.
actor ChangeQueue {
    private var last: Task<Void, Never>?

    /// Runs a change when all before it have ended.
    nonisolated func run<Value: Sendable>(
        _ body: @escaping @Sendable () async throws(TopicError) -> Value
    ) async throws(TopicError) -> Value {
        try await enqueue(body).value.get()
    }

    private func enqueue<Value: Sendable>(
        _ body: @escaping @Sendable () async throws(TopicError) -> Value
    ) -> Task<Result<Value, TopicError>, Never> {
        let before = last
        let task = Task { () -> Result<Value, TopicError> in
            await before?.value
            do throws(TopicError) { return .success(try await body()) } catch { return .failure(error) }
        }
        last = Task { _ = await task.value }
        return task
    }
}
