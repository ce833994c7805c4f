// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a KafkaTopic declares (group kafka.strimzi.io, kind KafkaTopic).
struct TopicDeclaration: Equatable {
    /// The topic's name in Kafka: `spec.topicName`, else the object's.
    var name: String
    /// nil: what the broker makes by default, and none are added later.
    var partitions: Int?
    /// nil: what the broker makes by default.
    var replicas: Int?
    /// Settings by Kafka's names; numbers and booleans as text.
    var configuration: [String: String]

    init(name: String, partitions: Int? = nil, replicas: Int? = nil, configuration: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.replicas = replicas
        self.configuration = configuration
    }

    /// - Throws: ``Refusal`` naming the field that cannot be used.
    init(_ object: KubeObject) throws(Refusal) {
        name = object.spec["topicName"].string ?? object.name
        partitions = object.spec["partitions"].int
        replicas = object.spec["replicas"].int
        configuration = [:]
        for (key, value) in object.spec["config"].object ?? [:] {
            switch value {
            case .string(let text): configuration[key] = text
            case .int(let number): configuration[key] = String(number)
            case .double(let number): configuration[key] = String(number)
            case .bool(let flag): configuration[key] = String(flag)
            case .null: continue
            case .array(let elements): configuration[key] = elements.compactMap(\.string).joined(separator: ",")
            default: throw Refusal(.invalid, "spec.config.\(key) must be a string, number, boolean or list")
            }
        }
        guard (1...249).contains(name.utf8.count), name != ".", name != "..",
            name.utf8.allSatisfy({ byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            })
        else {
            throw Refusal(
                .invalid, "the topic's name '\(name.prefix(300))' must be 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'")
        }
        if let partitions, partitions < 1 {
            throw Refusal(.invalid, "spec.partitions must be at least 1, not \(partitions)")
        }
        if let replicas, replicas < 1 {
            throw Refusal(.invalid, "spec.replicas must be at least 1, not \(replicas)")
        }
    }
}

/// A topic as it is.
struct TopicState: Equatable {
    var partitions: Int
    /// Of the partition that has the fewest.
    var replicas: Int
    /// The settings made for this topic, without the broker's defaults.
    var configuration: [String: String]
}

/// The steps from a topic as it is to what is declared. A value; nothing is asked.
enum TopicStep: Equatable {
    case create
    case addPartitions(total: Int)
    case configure(set: [String: String], remove: Set<String>)

    /// - Parameters:
    ///   - declared: what is wanted.
    ///   - present: nil when there is no such topic.
    /// - Returns: what to do, in this order; nothing where all is as declared.
    /// - Throws: ``Refusal``: then nothing is to be done, the possible part neither.
    static func plan(_ declared: TopicDeclaration, present: TopicState?) throws(Refusal) -> [TopicStep] {
        guard let present else { return [.create] }
        if let partitions = declared.partitions, partitions < present.partitions {
            throw Refusal(
                .notSupported,
                "partitions cannot be decreased from \(present.partitions) to \(partitions): records would be lost; "
                    + "set spec.partitions to \(present.partitions) or more")
        }
        if let replicas = declared.replicas, replicas != present.replicas {
            throw Refusal(
                .notSupported,
                "the topic has \(present.replicas) replicas and cannot get \(replicas): set spec.replicas to "
                    + "\(present.replicas), or move replicas with Kafka's own tools")
        }
        var steps: [TopicStep] = []
        if let partitions = declared.partitions, partitions > present.partitions {
            steps.append(.addPartitions(total: partitions))
        }
        let set = declared.configuration.filter { present.configuration[$0.key] != $0.value }
        let remove = Set(present.configuration.keys).subtracting(declared.configuration.keys)
        if !set.isEmpty || !remove.isEmpty { steps.append(.configure(set: set, remove: remove)) }
        return steps
    }
}
