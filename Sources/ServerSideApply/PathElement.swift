// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// One step of a path to a field, in the text form of `fieldsV1`: `f:replicas`, `k:{"name":"web"}`, `v:"x"`, `i:0`.
///
/// Source: Kubernetes API reference, FieldsV1 v1 meta. The JSON in the text is compact with sorted keys.
package struct PathElement: Hashable, Comparable, Sendable {
    package let text: String

    /// A member of an object.
    package static func field(_ name: String) -> PathElement { PathElement(text: "f:" + name) }

    /// An element of a list of objects, by the members that tell it apart.
    package static func key(_ members: [String: JSONValue]) -> PathElement {
        PathElement(text: "k:\(JSONValue.object(members).text)")
    }

    /// An element of a set.
    package static func value(_ value: JSONValue) -> PathElement { PathElement(text: "v:\(value.text)") }

    /// An element by its position.
    package static func index(_ index: Int) -> PathElement { PathElement(text: "i:\(index)") }

    /// The name, when this is a member of an object.
    package var fieldName: Substring? { text.utf8.starts(with: "f:".utf8) ? text.dropFirst(2) : nil }

    /// Whether this is an element of a list of objects.
    var isKey: Bool { text.utf8.starts(with: "k:".utf8) }

    package static func < (left: PathElement, right: PathElement) -> Bool { left.text < right.text }

    init(text: String) { self.text = text }

    /// Reads the text form that a client wrote, whatever its spacing and order.
    /// - Returns: nil for forms that are not known.
    package init?(parsing text: String) {
        let rest = text.dropFirst(2)
        switch text.prefix(2) {
        case "f:": self.text = text
        case "v:":
            guard let value = try? JSONParser.parse(String(rest), maxDepth: 2) else { return nil }
            self = .value(value)
        case "k:":
            guard let members = (try? JSONParser.parse(String(rest), maxDepth: 2))?.object, !members.isEmpty else {
                return nil
            }
            self = .key(members)
        case "i:":
            guard let index = Int(rest) else { return nil }
            self = .index(index)
        default: return nil
        }
    }

    /// How messages show it: `.replicas`, `[name="web"]`, `[="x"]`, `[0]`.
    package var pathText: String {
        let rest = String(text.dropFirst(2))
        switch text.prefix(2) {
        case "f:": return ".\(rest)"
        case "v:": return "[=\(rest)]"
        case "k:":
            let members = ((try? JSONParser.parse(rest))?.members ?? [:]).sorted { $0.key < $1.key }
            return "[\(members.map { "\($0.key)=\($0.value.text)" }.joined(separator: ","))]"
        default: return "[\(rest)]"
        }
    }
}
