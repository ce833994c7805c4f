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

    /// - Throws: ``TopicRefusal`` naming the field that cannot be used.
    init(_ object: KubeObject) throws(TopicRefusal) {
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
            default: throw TopicRefusal(.invalid, "spec.config.\(key) must be a string, number, boolean or list")
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
            throw TopicRefusal(
                .invalid, "the topic's name '\(name.prefix(300))' must be 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'")
        }
        if let partitions, partitions < 1 {
            throw TopicRefusal(.invalid, "spec.partitions must be at least 1, not \(partitions)")
        }
        if let replicas, replicas < 1 {
            throw TopicRefusal(.invalid, "spec.replicas must be at least 1, not \(replicas)")
        }
    }
}

/// Why a declaration is not carried out.
struct TopicRefusal: Error, Equatable, CustomStringConvertible {
    /// The condition's reason.
    enum Reason: String {
        /// The declaration itself is wrong.
        case invalid = "InvalidResource"
        /// Kafka, or this operator, cannot do that to a topic.
        case notSupported = "NotSupported"
        /// Another object declares the same topic.
        case conflict = "ResourceConflict"
    }

    let reason: Reason
    let description: String

    init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
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
    /// - Throws: ``TopicRefusal``: then nothing is to be done, the possible part neither.
    static func plan(_ declared: TopicDeclaration, present: TopicState?) throws(TopicRefusal) -> [TopicStep] {
        guard let present else { return [.create] }
        if let partitions = declared.partitions, partitions < present.partitions {
            throw TopicRefusal(
                .notSupported,
                "partitions cannot be decreased from \(present.partitions) to \(partitions): records would be lost; "
                    + "set spec.partitions to \(present.partitions) or more")
        }
        if let replicas = declared.replicas, replicas != present.replicas {
            throw TopicRefusal(
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
