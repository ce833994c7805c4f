// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI
package import KubeStore
package import ServerSideApply

/// Everything that the server has to know about one kind; adding a kind is writing one of these.
package struct ResourceDeclaration: Sendable {
    /// Paths that the `scale` subresource reads and writes.
    package struct Scale: Sendable {
        /// Where the wanted number is.
        package var specReplicas = ["spec", "replicas"]
        /// Where the present number is.
        package var statusReplicas = ["status", "replicas"]
        /// The text of the selector of the pods; empty where there is none.
        package var selector: @Sendable (KubeObject) -> String = { object in
            (try? LabelSelector(json: object.spec["selector"]))?.description ?? ""
        }
    }

    /// What create, update and delete do beyond what all kinds share.
    package struct Strategy: Sendable {
        /// Fills in and resets members of a new object; may refuse it.
        package var prepareCreate: @Sendable (inout KubeObject) throws(StatusError) -> Void = { _ in }
        /// Adjusts a changed object: (new, old).
        package var prepareUpdate: @Sendable (inout KubeObject, KubeObject) throws(StatusError) -> Void = { _, _ in }
        /// Adjusts a changed status: (new, old).
        package var prepareStatusUpdate: @Sendable (inout KubeObject, KubeObject) -> Void = { _, _ in }
        /// Subresources besides `status` that write the status, with what they adjust: (new, old).
        package var statusWriters: [String: @Sendable (inout KubeObject, KubeObject) -> Void] = [:]
        /// What is wrong with an object: (new, old); old is nil when it is created.
        package var validate: @Sendable (KubeObject, KubeObject?) -> [StatusCause] = { _, _ in [] }
        /// Seconds that a delete waits for a confirmation: (object, requested); nil removes at once.
        package var gracePeriod: (@Sendable (KubeObject, Int?) -> Int)?
        /// Adjusts an object when its deletion begins and it does not go at once: (object, now).
        package var prepareDelete: @Sendable (inout KubeObject, Timestamp) -> Void = { _, _ in }
        /// What follows a durable change before the client is answered: (server, new state, whether it is removed).
        package var didCommit: (@Sendable (APIServer, StoredObject, Bool) async -> Void)?
        /// Whether dependents stay when a delete does not say what becomes of them.
        package var orphansDependents = false
        /// What such a client is told; empty for nothing.
        package var orphanWarning = ""
        /// Hands out values that are unique among the objects.
        package var allocator: (any ResourceAllocator)?
    }

    package var resource: KubeResource
    package var singular: String
    package var shortNames: [String]
    package var categories: [String]
    /// Whether `status` can only be written through the subresource of that name.
    package var hasStatus: Bool
    /// How objects of the kind are read, where the built-in schema does not tell.
    package var reading: ObjectReading?
    /// What every client of the kind is told in a `Warning` header; empty for nothing.
    package var warning = ""
    /// Whether a new object may come with a status, as nodes register themselves with one.
    package var keepsInitialStatus: Bool
    package var scale: Scale?
    /// Further subresources with the kind that they take, for discovery.
    package var subresources: [Subresource]
    /// Whether `metadata.generation` counts the changes of everything but metadata and status.
    package var hasGeneration: Bool
    /// Whether PUT of a missing object creates it.
    package var allowsCreateOnUpdate: Bool
    /// Whether PUT without a resourceVersion is taken.
    package var allowsUnconditionalUpdate: Bool
    /// Whether DELETE answers with the object instead of a Status.
    package var returnsDeletedObject: Bool
    package var columns: [TableColumn]
    /// Selectable fields beyond name and namespace.
    package var selectableFields: [SelectableField]
    package var strategy: Strategy
    /// The resource under which objects are stored, where it is not this one, with the conversion from and to it.
    package var storage: StorageConversion?
    /// Gives the objects of a kind that is not stored, which can only be read; nil for a kind that is stored.
    package var provider: ObjectProvider?
    /// How server-side apply merges objects; nil for a built-in kind, which has its own, and for kinds without schema.
    package var mergeType: MergeType?

    package init(
        _ resource: KubeResource, singular: String? = nil, shortNames: [String] = [], categories: [String] = [],
        hasStatus: Bool = false, keepsInitialStatus: Bool = false, scale: Scale? = nil,
        subresources: [Subresource] = [], hasGeneration: Bool = false, allowsCreateOnUpdate: Bool = false,
        allowsUnconditionalUpdate: Bool = true, returnsDeletedObject: Bool = false,
        columns: [TableColumn] = [.name, .age], selectableFields: [SelectableField] = [],
        strategy: Strategy = Strategy(), storage: StorageConversion? = nil,
        provider: ObjectProvider? = nil
    ) {
        self.resource = resource
        self.singular = singular ?? resource.kind.lowercased()
        self.shortNames = shortNames
        self.categories = categories
        self.hasStatus = hasStatus
        self.keepsInitialStatus = keepsInitialStatus
        self.scale = scale
        self.subresources = subresources
        self.hasGeneration = hasGeneration
        self.allowsCreateOnUpdate = allowsCreateOnUpdate
        self.allowsUnconditionalUpdate = allowsUnconditionalUpdate
        self.returnsDeletedObject = returnsDeletedObject
        self.columns = columns
        self.selectableFields = selectableFields
        self.strategy = strategy
        self.storage = storage
        self.provider = provider
    }

    /// The name under which the store keeps its objects.
    var storageName: String { (storage?.resource ?? resource).qualifiedName }

    /// The fields of an object by which it can be selected.
    func fields(of object: KubeObject) -> [String: String] {
        var fields = ["metadata.name": object.name]
        if resource.isNamespaced { fields["metadata.namespace"] = object.namespace }
        for field in selectableFields { fields[field.name] = field.value(object.json) }
        if let mark = storage?.mark { fields[StorageConversion.markField] = mark }
        return fields
    }

    /// The name in ``fields(of:)`` of a field that lists can be selected by; nil for another.
    func storedField(_ field: String) -> String? {
        if field == "metadata.name" || (resource.isNamespaced && field == "metadata.namespace") { return field }
        if let storage { return storage.fieldNames[field] }
        return selectableFields.contains { $0.name == field } ? field : nil
    }
}

/// A subresource besides `status` and `scale`.
package struct Subresource: Sendable {
    package let name: String
    /// Kind, with group and version where they are not the parent's.
    package let kind: String
    package let group: String
    package let version: String
    package let verbs: [String]

    package init(_ name: String, kind: String, group: String = "", version: String = "", verbs: [String]) {
        self.name = name
        self.kind = kind
        self.group = group
        self.version = version
        self.verbs = verbs
    }

    /// Requests that are passed on.
    static func proxy(_ kind: String) -> Subresource {
        Subresource("proxy", kind: kind, verbs: ["create", "delete", "get", "patch", "update"])
    }
}

/// A field that field selectors can name.
package struct SelectableField: Sendable {
    package let name: String
    /// Its text in an object; empty where it is missing.
    package let value: @Sendable (JSONValue) -> String

    /// A field with a value of its own making.
    package init(_ name: String, value: @escaping @Sendable (JSONValue) -> String) {
        self.name = name
        self.value = value
    }

    /// A field at a path of members, such as `status.phase`.
    package init(_ name: String, path: String? = nil, default missing: String = "") {
        let steps = (path ?? name).split(separator: ".").map(String.init)
        self.name = name
        value = { json in
            var json = json
            for step in steps { json = json[step] }
            switch json {
            case .string(let text): return text.isEmpty ? missing : text
            case .int(let number): return String(number)
            case .bool(let flag): return flag ? "true" : "false"
            default: return missing
            }
        }
    }
}

/// How a kind is kept as another one.
package struct StorageConversion: Sendable {
    /// The field that carries ``mark``; no client can name it.
    static let markField = ".mark"

    package let resource: KubeResource
    package let toStored: @Sendable (KubeObject) -> KubeObject
    package let fromStored: @Sendable (KubeObject) -> KubeObject
    /// The names of selectable fields with those that they have in the stored kind.
    package let fieldNames: [String: String]
    /// Tells how an object was stored: of schemas that change, which one was used.
    package var mark: String?
    /// Whether objects of the present mark are stored as they are served.
    package var servesStored = false

    /// Whether a stored object is an object of the kind as it is.
    func isServed(_ stored: StoredObject) -> Bool { servesStored && stored.fields[Self.markField] == mark }

    /// Whether the stored selectable fields are those of the present declaration.
    func hasFields(_ stored: StoredObject) -> Bool { mark == nil || stored.fields[Self.markField] == mark }
}

/// How bodies of a kind are read that has a schema of its own.
package struct ObjectReading: Sendable {
    /// What reading an object found.
    package struct Result: Sendable {
        /// The object without what is unknown, with its defaults.
        package var object: JSONValue
        /// Paths of unknown fields.
        package var unknown: [String] = []
        /// Why it cannot be read; nil when it can.
        package var fault: String?
    }

    /// Reads an object.
    package var read: @Sendable (JSONValue) -> Result
    /// The published schema of the kind and the kind of its lists, made when it is asked for.
    package var published: @Sendable () -> OpenAPI.CustomKind?
}
