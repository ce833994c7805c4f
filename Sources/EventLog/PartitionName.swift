// SPDX-License-Identifier: Apache-2.0

/// A topic and the number of one of its partitions. The folder is named `TOPIC-NUMBER`.
package struct PartitionName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The topic's name: 1 to 249 of a–z, A–Z, 0–9, `.`, `_` and `-`, not `.` or `..`.
    package var topic: String
    /// The partition's number, from 0.
    package var partition: Int32

    /// A partition's name. Whether it is legal is checked where a partition is created.
    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// Reads the name of a folder; nil when it is not a partition's.
    package init?(folder: String) {
        guard let dash = folder.lastIndex(of: "-") else { return nil }
        let digits = folder[folder.index(after: dash)...]
        guard let number = Int32(digits), number >= 0, "\(number)" == digits else { return nil }
        self.init(String(folder[..<dash]), number)
        guard isValid else { return nil }
    }

    /// Whether the name may be used.
    package var isValid: Bool {
        partition >= 0 && !topic.isEmpty && topic.utf8.count <= 249 && topic != "." && topic != ".."
            && topic.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// The folder's name.
    package var description: String { "\(topic)-\(partition)" }

    /// By topic, then by number.
    package static func < (left: PartitionName, right: PartitionName) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}
