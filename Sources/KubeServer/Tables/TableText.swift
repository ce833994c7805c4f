// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Texts in table cells, as `kubectl get` shows them.
enum TableText {
    static let none = "<none>"
    static let unknown = "<unknown>"

    /// How long ago, as upstream's HumanDuration: `5s`, `2m30s`, `3h5m`, `2d`, `1y30d`.
    static func age(_ moment: Timestamp?, now: Timestamp) -> String {
        guard let moment else { return unknown }
        // Whole seconds: the difference of two times that clients wrote may not fit in nanoseconds.
        return duration(now.seconds - moment.seconds)
    }

    static func duration(_ seconds: Int64) -> String {
        if seconds < -1 { return "<invalid>" }
        if seconds < 0 { return "0s" }
        if seconds < 120 { return "\(seconds)s" }
        let minutes = seconds / 60
        if minutes < 10 { return seconds % 60 == 0 ? "\(minutes)m" : "\(minutes)m\(seconds % 60)s" }
        if minutes < 180 { return "\(minutes)m" }
        let hours = minutes / 60
        if hours < 8 { return minutes % 60 == 0 ? "\(hours)h" : "\(hours)h\(minutes % 60)m" }
        if hours < 48 { return "\(hours)h" }
        let days = hours / 24
        if days < 8 { return hours % 24 == 0 ? "\(days)d" : "\(days)d\(hours % 24)h" }
        if days < 365 * 2 { return "\(days)d" }
        let years = days / 365
        if years < 8, days % 365 != 0 { return "\(years)y\(days % 365)d" }
        return "\(years)y"
    }

    static func joined(_ values: [String]) -> String { values.isEmpty ? none : values.joined(separator: ",") }

    /// Names or images of the containers of a pod template.
    static func containers(_ podSpec: JSONValue, _ member: String) -> String {
        podSpec["containers"].elements.compactMap { $0[member].string }.joined(separator: ",")
    }

    /// A label selector, `<none>` when empty.
    static func selector(_ json: JSONValue) -> String {
        guard let selector = try? LabelSelector(json: json) else { return "<invalid>" }
        let text = selector.description
        return text.isEmpty ? none : text
    }

    /// A plain map of labels.
    static func labels(_ json: JSONValue) -> String {
        let labels = json.stringMembers
        return labels.isEmpty
            ? none : labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }
}
