// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// A setting of topics: its name, its kind, its default, and what it may be.
///
/// Source: Apache Kafka documentation, "Topic Configs".
struct TopicSetting: Sendable {
    /// The kinds of values, with Kafka's numbers for them (KIP-569).
    enum Kind: Int8, Sendable {
        case boolean = 1
        case string = 2
        case int = 3
        case long = 5
        case double = 6
        case list = 7
    }

    var name: String
    var kind: Kind
    var defaultValue: String
    /// Why a value is refused; nil when it is not.
    var problem: @Sendable (String) -> String?

    private static func number(
        _ name: String, _ kind: Kind, _ defaultValue: Int64, _ range: ClosedRange<Int64>
    ) -> TopicSetting {
        TopicSetting(name: name, kind: kind, defaultValue: String(defaultValue)) { text in
            guard let value = Int64(text) else { return "Not a number of type \(kind == .int ? "INT" : "LONG")" }
            if value < range.lowerBound { return "Value must be at least \(range.lowerBound)" }
            return value > range.upperBound ? "Value must be no more than \(range.upperBound)" : nil
        }
    }

    private static func choice(_ name: String, _ defaultValue: String, _ values: [String]) -> TopicSetting {
        TopicSetting(name: name, kind: .string, defaultValue: defaultValue) { text in
            values.contains(text) ? nil : "String must be one of: \(values.joined(separator: ", "))"
        }
    }

    private static func boolean(_ name: String, _ defaultValue: Bool) -> TopicSetting {
        TopicSetting(name: name, kind: .boolean, defaultValue: String(defaultValue)) { text in
            ["true", "false"].contains(text) ? nil : "Expected value to be either true or false"
        }
    }

    /// All settings, in the order of their names.
    static let all: [TopicSetting] = [
        TopicSetting(name: "cleanup.policy", kind: .list, defaultValue: "delete") { text in
            let policies = text.split(separator: ",").map(\.trimmed)
            return !policies.isEmpty && policies.allSatisfy { $0 == "delete" || $0 == "compact" }
                ? nil : "String must be one of: compact, delete"
        },
        choice("compression.type", "producer", ["producer"]),
        number("delete.retention.ms", .long, 86_400_000, 0...Int64.max),
        number("max.message.bytes", .int, 1_048_588, 0...100 << 20),
        choice("message.timestamp.type", "CreateTime", ["CreateTime", "LogAppendTime"]),
        TopicSetting(name: "min.cleanable.dirty.ratio", kind: .double, defaultValue: "0.5") { text in
            guard let value = Double(text) else { return "Not a number of type DOUBLE" }
            return (0...1).contains(value) ? nil : "Value must be at least 0 and no more than 1"
        },
        number("min.compaction.lag.ms", .long, 0, 0...Int64.max),
        number("min.insync.replicas", .int, 1, 1...1),
        number("retention.bytes", .long, -1, -1...Int64.max),
        number("retention.ms", .long, 604_800_000, -1...Int64.max),
        number("segment.bytes", .int, 1_073_741_824, 1_048_576...2_147_483_647),
        number("segment.ms", .long, 604_800_000, 1...Int64.max),
    ]

    static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// Why settings are refused, as Kafka says it; nil when they are not.
    static func problem(_ settings: [String: String]) -> String? {
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            guard let setting = byName[name] else { return "Unknown topic config name: \(name)" }
            if let problem = setting.problem(value) {
                return "Invalid value \(value) for configuration \(name): \(problem)"
            }
        }
        return nil
    }
}

extension Substring {
    /// Without spaces at both ends.
    fileprivate var trimmed: String {
        var rest = self
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
