// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The type of a field of a built-in Kubernetes type, as it is on the wire.
package indirect enum SchemaType: Hashable, Sendable {
    /// A string; `name` is the Go type's (`core.v1.Protocol`) when it is a named one.
    case string(name: String?)
    case bool
    case int32
    case int64
    case double
    case bytes
    case quantity
    case intOrString
    case time
    case microTime
    /// Any JSON (`runtime.RawExtension`).
    case rawExtension
    /// Any JSON (`metav1.FieldsV1`).
    case fieldsV1
    /// Index into `Schema.messages`.
    case message(Int)
    /// In JSON a list of strings, in protobuf a message with such a list.
    case wrappedStrings
    case list(SchemaType)
    case map(SchemaType)
}

/// One field of a built-in Kubernetes type.
package struct SchemaField: Sendable {
    /// The key in JSON; for an inlined struct the name in the .proto.
    package let name: String
    /// The protobuf field number; 0 for `apiVersion` and `kind`, which protobuf carries in the envelope.
    package let number: Int
    package let type: SchemaType
    /// Whether upstream's struct has a pointer, so that an explicit zero differs from an absent value.
    package let isPointer: Bool
    /// Whether a zero value is left out of JSON.
    package let omitsEmpty: Bool
    /// Whether a zero struct is left out of JSON.
    package let omitsZero: Bool
    /// Whether the members of this struct are members of the enclosing object.
    package let isInlined: Bool
    /// Whether OpenAPI lists the field as required.
    package let isRequired: Bool
    /// `merge`, `replace`, `retainKeys`: what a strategic merge patch does.
    package let patchStrategies: [String]
    /// The key by which a strategic merge patch tells elements of a list apart.
    package let mergeKey: String?
    /// `atomic`, `set`, `map`: how server-side apply sees a list.
    package let listType: String?
    package let listMapKeys: [String]
    /// `atomic`: how server-side apply sees a map or struct.
    package let mapType: String?
    /// The documented default.
    package let defaultValue: JSONValue?
}

/// One built-in Kubernetes type.
package struct SchemaMessage: Sendable {
    /// `core.v1.Container`.
    package let name: String
    /// Whether its objects carry `apiVersion` and `kind`.
    package let isTyped: Bool
    /// Whether server-side apply owns and replaces it as a whole.
    package let isAtomic: Bool
    package internal(set) var fields: [SchemaField]
    /// The fields of the JSON object: those of inlined structs take the place of the struct.
    package internal(set) var jsonFields: [SchemaField] = []
    /// Index into `jsonFields` by key.
    var jsonIndexByKey: [String: Int] = [:]
    /// Index into `fields` by protobuf number.
    var indexByNumber: [Int: Int] = [:]

    /// The field of this JSON key, of inlined structs too.
    package func field(_ key: String) -> SchemaField? { jsonIndexByKey[key].map { jsonFields[$0] } }

    /// The last part of the name: `Container`.
    package var goName: String { String(name.split(separator: ".").last ?? "") }
    /// The name with its Go package: `v1.Container`.
    package var goQualifiedName: String { name.split(separator: ".").dropFirst().joined(separator: ".") }
}

/// Group, version and kind of an object.
package struct GroupVersionKind: Hashable, Sendable {
    /// Empty for the core group.
    package let group: String
    package let version: String
    package let kind: String

    package init(group: String, version: String, kind: String) {
        self.group = group
        self.version = version
        self.kind = kind
    }

    /// From an object's `apiVersion` and `kind`.
    package init(apiVersion: String, kind: String) {
        let parts = apiVersion.split(separator: "/", maxSplits: 1).map(String.init)
        self.init(group: parts.count == 2 ? parts[0] : "", version: parts.last ?? "", kind: kind)
    }

    /// `apps/v1`, or `v1` in the core group.
    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
}

/// Kubernetes' built-in types: what protobuf decoding, validation, patches and OpenAPI are derived from.
package struct Schema: Sendable {
    package let messages: [SchemaMessage]
    /// Values of string types that are enumerations, by type name, sorted.
    package let enumerations: [String: [String]]
    /// Root kinds.
    package let kinds: [GroupVersionKind: Int]
    private let messageIndex: [String: Int]

    /// The types of the generated table; parsed at first use.
    package static let builtIn = Schema(table: SchemaTable.text)

    /// The type of this name (`core.v1.Container`).
    package func type(named name: String) -> SchemaMessage? { messageIndex[name].map { messages[$0] } }

    /// The type of a root kind.
    package func type(group: String, version: String, kind: String) -> SchemaMessage? {
        type(GroupVersionKind(group: group, version: version, kind: kind))
    }

    /// The type of a root kind.
    package func type(_ kind: GroupVersionKind) -> SchemaMessage? {
        // Options and Status are of the core group's v1 but accepted with every group's version.
        if let index = kinds[kind] { return messages[index] }
        guard kind.kind == "DeleteOptions" || kind.kind == "Status" else { return nil }
        return type(named: "meta.v1.\(kind.kind)")
    }

    init(table: String) {
        var parser = SchemaTableParser()
        parser.parse(table)
        messages = parser.finishedMessages()
        enumerations = parser.enumerations
        messageIndex = parser.indices
        kinds = parser.kinds.compactMapValues { [indices = parser.indices] in indices[$0] }
    }
}
