// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// How objects of one kind are merged: a compiled ``MergeShape``, or a built-in type. Immutable, cheap to copy.
package struct MergeType: Sendable {
    let table: MergeTable
    let root: Int
    /// Whether the schema may be another one than that of the last write.
    private(set) var mayChange = false

    init(table: MergeTable, root: Int) {
        self.table = table
        self.root = root
    }

    /// The type of any value.
    package init(_ shape: MergeShape) {
        var builder = MergeTableBuilder(schema: .builtIn)
        root = builder.add(shape)
        table = MergeTable(nodes: builder.nodes)
    }

    /// The type of a custom resource from its schema: the members that all objects have need not be in it.
    package init(object shape: MergeShape) {
        guard case .object(var fields, let others, _) = shape else {
            self.init(.object(fields: Self.common, others: .deduced, isAtomic: false))
            return
        }
        fields.merge(Self.common) { _, common in common }
        self.init(.object(fields: fields, others: others, isAtomic: false))
        mayChange = true
    }

    /// The type of a built-in kind.
    package static func builtIn(_ kind: GroupVersionKind) -> MergeType? {
        MergeTable.builtIn.kinds[kind].map { MergeType(table: .builtIn, root: $0) }
    }

    /// Objects of which no schema is known.
    package static let untyped = MergeType(object: .deduced)

    private static let common: [String: MergeShape] = [
        "apiVersion": .scalar(.string), "kind": .scalar(.string), "metadata": .builtIn("meta.v1.ObjectMeta"),
    ]

    var walker: TypedWalker { TypedWalker(nodes: table.nodes) }
}

/// What an object that was made from nothing has at a field, as upstream's structs without content are written.
enum EmptyPresence: Sendable {
    case absent
    /// `null`: lists, maps and pointers that are always written.
    case null
    /// `""`, `0` or `false`.
    case zero(JSONValue)
    /// A struct, with what its own fields have.
    case object
}

/// One type in a ``MergeTable``.
struct MergeNode: Sendable {
    enum Kind: Sendable {
        case scalar(MergeShape.Scalar)
        case anything
        case deduced
        case object
        case list
    }

    struct Field: Sendable {
        let type: Int
        let presence: EmptyPresence
        /// The step to the field, made once.
        let element: PathElement

        init(_ name: String, type: Int, presence: EmptyPresence) {
            self.type = type
            self.presence = presence
            element = .field(name)
        }
    }

    var kind: Kind
    /// Whether an object or list is owned as a whole.
    var isAtomic = false
    var fields: [String: Field] = [:]
    /// Type of the members without a field of their own; nil when there may be none.
    var others: Int?
    /// Type of a list's elements.
    var element = MergeTable.deduced
    /// What tells elements apart; empty in a set.
    var keys: [MergeShape.Key] = []

    /// The type of the member with this key.
    func member(_ key: String) -> Int? { fields[key]?.type ?? others }

    /// The step to the member with this key.
    func step(_ key: String) -> PathElement { fields[key]?.element ?? .field(key) }
}

/// Types by index: they may refer to each other and to themselves.
final class MergeTable: Sendable {
    static let string = 0
    static let number = 1
    static let boolean = 2
    static let scalar = 3
    static let anything = 4
    static let deduced = 5

    let nodes: [MergeNode]
    let kinds: [GroupVersionKind: Int]

    init(nodes: [MergeNode], kinds: [GroupVersionKind: Int] = [:]) {
        self.nodes = nodes
        self.kinds = kinds
    }

    /// All built-in kinds.
    static let builtIn: MergeTable = {
        var builder = MergeTableBuilder(schema: .builtIn)
        var kinds: [GroupVersionKind: Int] = [:]
        for (kind, index) in Schema.builtIn.kinds { kinds[kind] = builder.add(message: index) }
        return MergeTable(nodes: builder.nodes, kinds: kinds)
    }()
}
