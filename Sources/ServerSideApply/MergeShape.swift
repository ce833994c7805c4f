// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What server-side apply has to know about the type of a value, as a tree.
///
/// Start here to make a kind of your own mergeable: describe its schema as a shape and give it to
/// ``MergeType/init(object:)``. Source: Kubernetes "Server-Side Apply", "Merge strategy".
package indirect enum MergeShape: Sendable {
    /// What a scalar may be.
    package enum Scalar: Sendable {
        case string
        case number
        case boolean
        /// Any of these: quantities, `x-kubernetes-int-or-string`, times.
        case any
    }

    /// How the elements of a list belong together (`x-kubernetes-list-type`).
    package enum ListKind: Sendable {
        /// Owned and replaced as a whole; the default.
        case atomic
        /// Scalars that occur once each.
        case set
        /// Objects that these members tell apart (`x-kubernetes-list-map-keys`).
        case map(keys: [Key])
    }

    /// A member that tells the elements of a list apart.
    package struct Key: Hashable, Sendable {
        package let name: String
        /// Its value where an element leaves it out.
        package let defaultValue: JSONValue?

        package init(_ name: String, default defaultValue: JSONValue? = nil) {
            self.name = name
            self.defaultValue = defaultValue
        }
    }

    case scalar(Scalar)
    /// Any value, owned as a whole.
    case anything
    /// Any value (`x-kubernetes-preserve-unknown-fields`): objects are granular, everything else is whole.
    case deduced
    /// An object with these members; `others` is the type of members with any other key, nil when there are none.
    /// `isAtomic` is `x-kubernetes-map-type: atomic`.
    case object(fields: [String: MergeShape], others: MergeShape?, isAtomic: Bool)
    case list(MergeShape, ListKind)
    /// A built-in type, such as `meta.v1.ObjectMeta`; of no type there is (``deduced``) when it is unknown.
    case builtIn(String)
}
