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

    /// Nil for a path that is not one of a resource.
    init?(_ path: String) {
        var parts: [String] = []
        for part in path.split(separator: "/") {
            guard parts.count < 9, let decoded = PercentEncoding.decode(part) else { return nil }
            parts.append(decoded)
        }
        var rest = parts[...]
        switch rest.popFirst() {
        case "api": break
        case "apis":
            guard let name = rest.popFirst() else { return nil }
            group = name
        default: return nil
        }
        guard let version = rest.popFirst(), let first = rest.popFirst() else { return nil }
        self.version = version
        let namespaceParts: Set = ["status", "finalize"]
        if first == "namespaces", rest.count >= 2, !namespaceParts.contains(rest[rest.startIndex + 1]) {
            namespace = rest.removeFirst()
            plural = rest.removeFirst()
        } else {
            plural = first
        }
        name = rest.popFirst()
        subresource = rest.popFirst()
        guard rest.isEmpty else { return nil }
    }
}
