// SPDX-License-Identifier: Apache-2.0

/// Writes metrics as text. Pure.
///
/// Source: Prometheus "Exposition formats", text format 0.0.4.
package struct Exposition {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Begins a family; its samples follow.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        bytes.append(
            contentsOf: "# HELP \(name) \(Self.escaped(help, quote: false))\n# TYPE \(name) \(kind.rawValue)\n".utf8)
    }

    package mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Int) {
        sample(name, labels, text: String(value))
    }

    package mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        sample(name, labels, text: "\(value)")
    }

    /// The samples of one histogram.
    mutating func histogram(_ name: String, _ labels: [(String, String)], _ histogram: RequestMetrics.Histogram) {
        self.histogram(
            name, labels, Array(zip(RequestMetrics.Histogram.bounds, histogram.buckets)), count: histogram.count,
            sum: histogram.sum)
    }

    /// The samples of a histogram with buckets of its own: upper bounds, and how many were below each and above the one
    /// before.
    package mutating func histogram(
        _ name: String, _ labels: [(String, String)], _ buckets: [(bound: Double, count: Int)], count: Int, sum: Double
    ) {
        var total = 0
        for (bound, count) in buckets {
            total += count
            let text = bound == bound.rounded() ? String(Int(bound)) : "\(bound)"
            sample(name + "_bucket", labels + [("le", text)], total)
        }
        sample(name + "_bucket", labels + [("le", "+Inf")], count)
        sample(name + "_sum", labels, sum)
        sample(name + "_count", labels, count)
    }

    private mutating func sample(_ name: String, _ labels: [(String, String)], text: String) {
        bytes.append(contentsOf: name.utf8)
        if !labels.isEmpty {
            let list = labels.map { "\($0.0)=\"\(Self.escaped($0.1, quote: true))\"" }.joined(separator: ",")
            bytes.append(contentsOf: "{\(list)}".utf8)
        }
        bytes.append(contentsOf: " \(text)\n".utf8)
    }

    private static func escaped(_ text: String, quote: Bool) -> String {
        guard text.utf8.contains(where: { [0x5C, 0x0A, 0x22].contains($0) }) else { return text }
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quote: result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
