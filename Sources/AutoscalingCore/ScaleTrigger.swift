// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// One trigger of a ScaledObject.
package struct ScaleTrigger: Sendable, Hashable {
    package enum Source: Sendable, Hashable {
        case kafka(KafkaTrigger)
        case prometheus(PrometheusTrigger)
        case cron(CronTrigger)
        /// `cpu` or `memory`, of all containers or of one.
        case resource(String, container: String?)
    }

    /// What is wanted.
    package enum Target: Sendable, Hashable {
        /// So much for each pod, for all pods together, or percent of what pods request.
        case average(Double), total(Double), utilization(Int)
    }

    /// As KEDA names the metric: `s0-kafka-TOPIC`.
    package var metric: String
    package var type: String
    package var source: Source
    package var target: Target

    package var isResource: Bool { if case .resource = source { true } else { false } }

    init(_ json: JSONValue, index: Int) throws(ScalingFault) {
        type = json["type"].string ?? ""
        guard json["authenticationRef"].isNull else { throw ScalingFault("authenticationRef is not supported") }
        let values = SettingReader(values: json["metadata"].stringMembers, prefix: "")
        let amount: Double
        switch type {
        case "kafka", "apache-kafka":
            let trigger = try KafkaTrigger(values)
            source = .kafka(trigger)
            metric = "s\(index)-kafka-\(trigger.topic)"
            amount = trigger.threshold
        case "prometheus":
            let trigger = try PrometheusTrigger(values)
            source = .prometheus(trigger)
            metric = "s\(index)-prometheus"
            amount = trigger.threshold
        case "cron":
            let trigger = try CronTrigger(values)
            source = .cron(trigger)
            metric = "s\(index)-cron"
            amount = 1
        case "cpu", "memory":
            source = .resource(type, container: values.values["containerName"])
            metric = type
            target = try Self.resourceTarget(json, values)
            return
        default: throw ScalingFault("type '\(type)' is not supported: kafka, prometheus, cron, cpu and memory are")
        }
        switch json["metricType"].string ?? "AverageValue" {
        case "AverageValue": target = .average(amount)
        case "Value": target = .total(amount)
        case let other: throw ScalingFault("metricType \(other) is not supported with \(type)")
        }
    }

    private static func resourceTarget(
        _ json: JSONValue, _ values: SettingReader
    ) throws(ScalingFault) -> Target {
        let text = values.values["value"] ?? ""
        switch json["metricType"].string ?? values.values["type"] ?? "" {
        case "Utilization":
            guard let percent = Int(text), percent > 0 else {
                throw ScalingFault("metadata.value is '\(text)': percent of the request, 1 at least")
            }
            return .utilization(percent)
        case "AverageValue":
            guard let quantity = Quantity(text), quantity.millis > 0 else {
                throw ScalingFault("metadata.value is '\(text)': a quantity such as 500m or 1Gi")
            }
            return .average(Double(quantity.millis) / 1000)
        case let other: throw ScalingFault("metricType is '\(other)': Utilization or AverageValue")
        }
    }
}

/// Lag of a consumer group.
package struct KafkaTrigger: Sendable, Hashable {
    package var servers: String
    package var group: String
    package var topic: String
    package var threshold: Double
    package var activation: Double
    package var resetsToEarliest: Bool
    package var allowsIdle: Bool
    package var limitsToLagging: Bool
    package var spreadsEvenly: Bool
    package var excludesPersistent: Bool
    package var ignoresInvalid: Bool
    /// Nil: all.
    package var partitions: Set<Int32>?

    init(_ values: SettingReader) throws(ScalingFault) {
        func text(_ name: String) throws(ScalingFault) -> String {
            guard let text = values.values[name], !text.isEmpty else {
                throw ScalingFault("metadata.\(name) is missing")
            }
            return text
        }
        servers = try text("bootstrapServers")
        group = try text("consumerGroup")
        topic = try text("topic")
        threshold = try values.number("lagThreshold", 0.000001...1e15) ?? 10
        activation = try values.number("activationLagThreshold", 0...1e15) ?? 0
        let policy = values.values["offsetResetPolicy"] ?? "latest"
        guard policy == "latest" || policy == "earliest" else {
            throw ScalingFault("metadata.offsetResetPolicy is '\(policy)': latest or earliest")
        }
        resetsToEarliest = policy == "earliest"
        allowsIdle = try values.flag("allowIdleConsumers") ?? false
        limitsToLagging = try values.flag("limitToPartitionsWithLag") ?? false
        spreadsEvenly = try values.flag("ensureEvenDistributionOfPartitions") ?? false
        excludesPersistent = try values.flag("excludePersistentLag") ?? false
        ignoresInvalid = try values.flag("scaleToZeroOnInvalidOffset") ?? false
        for name in ["sasl", "tls"] where !["none", "disable", ""].contains(values.values[name] ?? "") {
            throw ScalingFault("metadata.\(name) is not supported")
        }
        if let limits = values.values["partitionLimitation"], !limits.isEmpty {
            partitions = try Self.numbers(limits)
        }
    }

    /// `1,2,4-6`.
    private static func numbers(_ text: String) throws(ScalingFault) -> Set<Int32> {
        var found: Set<Int32> = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-").map { Int32($0.filter { !$0.isWhitespace }) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, first <= last,
                last - first < 10_000, ends.count <= 2
            else { throw ScalingFault("metadata.partitionLimitation is '\(text)': partitions such as 1,2,4-6") }
            found.formUnion(first...last)
        }
        return found
    }

    /// A partition as the broker has it; `committed` is nil where the group has no offset.
    package struct Partition: Sendable, Hashable {
        package var number: Int32
        package var committed: Int64?
        package var end: Int64

        package init(number: Int32, committed: Int64?, end: Int64) {
            self.number = number
            self.committed = committed
            self.end = end
        }
    }

    /// The value of the metric, and whether it is activity.
    /// - Parameters:
    ///   - all: the topic's partitions.
    ///   - before: committed offsets at the last look, by partition.
    /// - Returns: the reading.
    package func reading(_ all: [Partition], before: [Int32: Int64]) -> TriggerReading {
        let looked = all.filter { partitions?.contains($0.number) ?? true }
        var counted = 0.0
        var whole = 0.0
        var lagging = 0
        for partition in looked {
            let lag: Int64
            if let committed = partition.committed {
                lag = max(0, partition.end - committed)
            } else {
                lag = ignoresInvalid ? 0 : resetsToEarliest ? partition.end : 1
            }
            let isStuck =
                excludesPersistent && partition.committed != nil
                && before[partition.number] == partition.committed
            if !isStuck { counted += Double(lag) }
            whole += Double(lag)
            if lag > 0 { lagging += 1 }
        }
        if spreadsEvenly, !looked.isEmpty {
            let wanted = max(1, Int(min(1e6, (counted / threshold).rounded(.up))))
            let factor = (1...looked.count).first { looked.count % $0 == 0 && $0 >= wanted } ?? looked.count
            if counted > 0 { counted = Double(factor) * threshold }
        }
        if !allowsIdle || limitsToLagging {
            let bound = Double(limitsToLagging ? lagging : looked.count)
            counted = min(counted, bound * threshold)
        }
        return TriggerReading(value: counted, isActive: whole > activation)
    }
}

/// A query of a Prometheus server.
package struct PrometheusTrigger: Sendable, Hashable {
    package var server: String
    package var query: String
    package var threshold: Double
    package var activation: Double
    package var ignoresNull: Bool
    package var headers: [String: String]

    init(_ values: SettingReader) throws(ScalingFault) {
        guard let server = values.values["serverAddress"], server.hasPrefix("http") else {
            throw ScalingFault("metadata.serverAddress must be the URL of a Prometheus server")
        }
        guard let query = values.values["query"], !query.isEmpty else {
            throw ScalingFault("metadata.query is missing")
        }
        guard let threshold = try values.number("threshold", 0.000001...1e15) else {
            throw ScalingFault("metadata.threshold is missing")
        }
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
        self.query = query
        self.threshold = threshold
        activation = try values.number("activationThreshold", -1e15...1e15) ?? 0
        ignoresNull = try values.flag("ignoreNullValues") ?? true
        headers = [:]
        for pair in (values.values["customHeaders"] ?? "").split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ScalingFault("metadata.customHeaders must be NAME=VALUE,…") }
            headers[parts[0]] = parts[1]
        }
    }

    /// Reads an answer of `/api/v1/query`: one sample, or none.
    package func reading(_ answer: JSONValue) throws(ScalingFault) -> TriggerReading {
        guard answer["status"].string == "success" else {
            throw ScalingFault("the query failed: \(answer["error"].string ?? "no status success in the answer")")
        }
        let result = answer["data"]["result"]
        let sample: JSONValue
        switch answer["data"]["resultType"].string {
        case "scalar": sample = result
        case "vector":
            guard result.elements.count <= 1 else {
                throw ScalingFault("the query gives \(result.elements.count) samples: it must give one")
            }
            sample = result[0]["value"]
        case let other: throw ScalingFault("the query gives a \(other ?? "result of no type"): a scalar or vector")
        }
        guard let text = sample[1].string else {
            guard ignoresNull else { throw ScalingFault("the query gives no sample") }
            return TriggerReading(value: 0, isActive: 0 > activation)
        }
        guard let value = Double(text), value.isFinite else {
            guard ignoresNull else { throw ScalingFault("the query gives '\(text)'") }
            return TriggerReading(value: 0, isActive: 0 > activation)
        }
        return TriggerReading(value: value, isActive: value > activation)
    }
}

/// So many replicas between two times.
package struct CronTrigger: Sendable, Hashable {
    package var start: String
    package var end: String
    package var zone: String
    package var replicas: Int

    init(_ values: SettingReader) throws(ScalingFault) {
        guard let zone = values.values["timezone"], let start = values.values["start"], let end = values.values["end"],
            let replicas = try values.count("desiredReplicas", 0)
        else { throw ScalingFault("metadata needs timezone, start, end and desiredReplicas") }
        guard start != end else { throw ScalingFault("metadata.start and end are the same") }
        self.zone = zone
        self.start = start
        self.end = end
        self.replicas = replicas
        for text in [start, end] { _ = try Self.schedule(text, zone) }
    }

    private static func schedule(_ text: String, _ zone: String) throws(ScalingFault) -> CronSchedule {
        do throws(CronSchedule.Failure) {
            return try CronSchedule(parsing: "TZ=\(zone) \(text)")
        } catch {
            throw ScalingFault("'\(text)' in \(zone): \(error)")
        }
    }

    /// In between, where the end comes before the next start.
    package func reading(now: Timestamp) throws(ScalingFault) -> TriggerReading {
        let start = try Self.schedule(start, zone).next(after: now)
        let end = try Self.schedule(end, zone).next(after: now)
        guard let end else { return TriggerReading(value: 1, isActive: false) }
        let isWithin = start.map { end < $0 } ?? true
        return TriggerReading(value: isWithin ? Double(replicas) : 1, isActive: isWithin)
    }
}

/// What a trigger says now.
package struct TriggerReading: Sendable, Hashable {
    package var value: Double
    package var isActive: Bool

    package init(value: Double, isActive: Bool) {
        self.value = value
        self.isActive = isActive
    }
}
