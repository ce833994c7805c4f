// SPDX-License-Identifier: Apache-2.0

/// Where an object lives: which resource, which namespace, which name.
package struct StoreKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The plural and, outside of the core group, the group: "pods", "deployments.apps".
    package var resource: String
    /// The namespace; empty for cluster-scoped objects.
    package var namespace: String
    /// The object's name.
    package var name: String

    /// The longest part of a key, in bytes of UTF-8.
    package static let maximumPartBytes = 1024

    /// Names an object.
    package init(resource: String, namespace: String, name: String) {
        self.resource = resource
        self.namespace = namespace
        self.name = name
    }

    /// "resource/namespace/name", without the namespace where there is none.
    package var description: String {
        namespace.isEmpty ? "\(resource)/\(name)" : "\(resource)/\(namespace)/\(name)"
    }

    /// Orders by resource, then namespace, then name.
    package static func < (lhs: StoreKey, rhs: StoreKey) -> Bool {
        if lhs.resource != rhs.resource { return lhs.resource < rhs.resource }
        return lhs.isBeforeInResource(rhs)
    }

    /// The order of two keys of one resource.
    func isBeforeInResource(_ other: StoreKey) -> Bool {
        if namespace != other.namespace { return namespace < other.namespace }
        return name < other.name
    }

    /// What is wrong with the key as an address on disk; nil when nothing is.
    var problem: String? {
        if resource.isEmpty { return "the resource is empty" }
        if name.isEmpty { return "the name is empty" }
        for part in [resource, namespace, name] {
            if part.utf8.count > Self.maximumPartBytes {
                return "a part of it is \(part.utf8.count) bytes long, at most \(Self.maximumPartBytes) are stored"
            }
            if part.utf8.contains(0) { return "it contains a zero byte" }
        }
        return nil
    }
}
