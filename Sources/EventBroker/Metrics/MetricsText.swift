// SPDX-License-Identifier: Apache-2.0

/// Metrics in Prometheus' text format, version 0.0.4.
struct MetricsText: Sendable {
    enum Kind: String { case counter, gauge, histogram }

    private(set) var text = ""

    /// Begins a metric; its samples follow.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: some CustomStringConvertible) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    mutating func histogram(_ name: String, _ labels: [(String, String)], _ histogram: BrokerMetrics.Histogram) {
        var count: UInt64 = 0
        for (bound, bucket) in zip(BrokerMetrics.Histogram.bounds, histogram.buckets) {
            count += bucket
            sample(name + "_bucket", labels + [("le", "\(bound)")], count)
        }
        count += histogram.buckets.last ?? 0
        sample(name + "_bucket", labels + [("le", "+Inf")], count)
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, count)
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
