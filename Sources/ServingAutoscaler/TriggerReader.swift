// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import AutoscalingCore
import KafkaClient
import KubeAPI
import KubeClient
import NIOCore
import NIOHTTP1

/// Reads what triggers of ScaledObjects look at.
actor TriggerReader {
    private let http: HTTPClient
    /// Clients of Kafka by bootstrap servers.
    private var admins: [String: KafkaAdmin] = [:]
    /// Committed offsets at the last look, by object and metric.
    private var committed: [String: [Int32: Int64]] = [:]
    private static let timeout: Duration = .seconds(5)
    private static let answerLimit = 1 << 20
    /// Clients of Kafka have threads of their own.
    private static let mostAdmins = 32

    init(http: HTTPClient) { self.http = http }

    func close() {
        for admin in admins.values { admin.close() }
        admins = [:]
    }

    func read(_ trigger: ScaleTrigger, of object: ObjectKey, now: Timestamp) async -> Result<
        TriggerReading, ScalingFault
    > {
        do {
            switch trigger.source {
            case .kafka(let kafka): return .success(try await read(kafka, id: "\(object) \(trigger.metric)"))
            case .prometheus(let query): return .success(try await read(query, now: now))
            case .cron(let cron): return .success(try cron.reading(now: now))
            // The formula reads what pods use; it is no activity.
            case .resource: return .success(TriggerReading(value: 0, isActive: false))
            }
        } catch {
            return .failure(ScalingFault("\(trigger.metric): \(error)"))
        }
    }

    private func read(_ trigger: KafkaTrigger, id: String) async throws -> TriggerReading {
        let admin = try admin(trigger.servers)
        let metadata = try await admin.metadata(topic: trigger.topic)
        guard let topic = metadata.topics.first(where: { $0.name == trigger.topic }), topic.error == nil else {
            throw ScalingFault("the topic '\(trigger.topic)' is not there")
        }
        let offsets = try await admin.committedOffsets(group: trigger.group)
        var partitions: [KafkaTrigger.Partition] = []
        for partition in topic.partitions {
            let place = TopicPartition(trigger.topic, partition.id)
            let ends = try await admin.watermarks(place)
            let offset = offsets[place].flatMap { $0 < 0 ? nil : $0 }
            partitions.append(
                KafkaTrigger.Partition(number: partition.id, committed: offset, end: ends.upperBound))
        }
        let reading = trigger.reading(partitions, before: committed[id] ?? [:])
        if committed.count > 4096 { committed = [:] }
        committed[id] = Dictionary(
            partitions.compactMap { partition in partition.committed.map { (partition.number, $0) } },
            uniquingKeysWith: { $1 })
        return reading
    }

    private func admin(_ servers: String) throws -> KafkaAdmin {
        if let known = admins[servers] { return known }
        // Those of objects that are gone, among them; the others come again.
        if admins.count >= Self.mostAdmins { close() }
        let admin = try KafkaAdmin(
            KafkaConfiguration(
                bootstrapServers: servers.split(separator: ",").map { $0.filter { !$0.isWhitespace } }),
            timeout: Self.timeout)
        admins[servers] = admin
        return admin
    }

    private func read(_ trigger: PrometheusTrigger, now: Timestamp) async throws -> TriggerReading {
        let query = "query=\(PercentEncoding.encode(trigger.query))&time=\(PercentEncoding.encode(now.rfc3339))"
        var request = HTTPClientRequest(url: "\(trigger.server)/api/v1/query?\(query)")
        for (name, value) in trigger.headers { request.headers.add(name: name, value: value) }
        let response = try await http.execute(request, timeout: .seconds(5))
        let body = try await response.body.collect(upTo: Self.answerLimit)
        let answer = try? JSONParser.parse(Array(body.readableBytesView))
        guard response.status == .ok || answer?["status"].string == "error", let answer else {
            throw ScalingFault("\(trigger.server) answers \(response.status.code)")
        }
        return try trigger.reading(answer)
    }
}
