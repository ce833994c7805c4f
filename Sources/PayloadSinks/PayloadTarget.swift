// SPDX-License-Identifier: Apache-2.0

/// Where payloads go: `http://…`, `https://…`, or `kafka://BROKER[,BROKER…]/TOPIC`.
package enum PayloadTarget: Sendable, Hashable {
    case web(String)
    case topic(String, brokers: [String])

    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    package init(_ url: String) throws(Refusal) {
        let parts = url.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].isEmpty, !parts[2].isEmpty else { throw Self.refusal(url) }
        switch parts[0].lowercased() {
        case "http:", "https:": self = .web(url)
        case "kafka:":
            let place = parts[2].split(separator: "/", omittingEmptySubsequences: false)
            let brokers = place[0].split(separator: ",").map(String.init)
            guard place.count == 2, !brokers.isEmpty, Self.isTopic(place[1]) else { throw Self.refusal(url) }
            self = .topic(String(place[1]), brokers: brokers)
        default: throw Self.refusal(url)
        }
    }

    /// Kafka's rule for names of topics.
    private static func isTopic(_ name: Substring) -> Bool {
        (1...249).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { byte in
                switch UInt8(byte) {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func refusal(_ url: String) -> Refusal {
        Refusal(
            description: "payloads cannot go to \(url): give http://…, https://… or kafka://BROKER:PORT/TOPIC")
    }
}
