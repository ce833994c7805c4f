// SPDX-License-Identifier: Apache-2.0

/// What topics may be called.
///
/// Source: Apache Kafka, `Topic.validate`.
enum TopicName {
    static let offsets = "__consumer_offsets"
    static let transactions = "__transaction_state"

    /// Why a name is refused, as Kafka says it; nil when it is not.
    static func problem(_ name: String) -> String? {
        let why: String
        if name.isEmpty {
            why = "the empty string is not allowed"
        } else if name == "." || name == ".." {
            why = "'\(name)' is not allowed"
        } else if name.utf8.count > 249 {
            why = "the length of '\(name.prefix(249))...' is longer than the max allowed length 249"
        } else if !name.utf8.allSatisfy(isAllowed) {
            why =
                "'\(name)' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        } else {
            return nil
        }
        return "Topic name is invalid: \(why)"
    }

    /// Whether it is one of the broker's own.
    static func isInternal(_ name: String) -> Bool { name == offsets || name == transactions }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
