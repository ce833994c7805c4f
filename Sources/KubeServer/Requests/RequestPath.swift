// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The parts of a resource's path.
///
/// Source: Kubernetes "API concepts", "Resource URIs".
struct RequestPath: Equatable {
    var group = ""
    var version = ""
    /// Empty when the path names no namespace.
    var namespace = ""
    /// Plural of the resource.
    var plural = ""
    var name: String?
    var subresource: String?
    /// What follows the subresource `proxy`, as it was sent and with its slash: the path on the backend.
    var rest = ""

    /// Nil for a path that is not one of a resource.
    init?(_ path: String) {
        var parts: [String] = []
        parts.reserveCapacity(8)
        for part in path.utf8.split(separator: UInt8(ascii: "/")) {
            guard parts.count < 9, let decoded = PercentEncoding.decode(Substring(part)) else { return nil }
            parts.append(decoded)
            if decoded == "proxy", Self.isProxied(parts) {
                rest = String(path[part.endIndex...])
                break
            }
        }
        var left = parts[...]
        switch left.popFirst() {
        case "api": break
        case "apis":
            guard let name = left.popFirst() else { return nil }
            group = name
        default: return nil
        }
        guard let version = left.popFirst(), let first = left.popFirst() else { return nil }
        self.version = version
        if first == "namespaces", left.count >= 2, !Self.isPartOfNamespace(left[left.startIndex + 1]) {
            namespace = left.removeFirst()
            plural = left.removeFirst()
        } else {
            plural = first
        }
        name = left.popFirst()
        subresource = left.popFirst()
        guard left.isEmpty else { return nil }
    }

    /// Whether a subresource is one of namespaces themselves.
    private static func isPartOfNamespace(_ text: String) -> Bool { text == "status" || text == "finalize" }

    /// Whether the parts up to the last, `proxy`, name a node, a pod or a service.
    private static func isProxied(_ parts: [String]) -> Bool {
        guard parts.count >= 5, parts[0] == "api" else { return false }
        if parts.count == 5 { return parts[2] == "nodes" }
        return parts.count == 7 && parts[2] == "namespaces" && ["pods", "services"].contains(parts[4])
    }
}
