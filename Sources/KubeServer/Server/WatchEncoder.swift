// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

/// Turns changes of the store into the lines of a watch answer. Pure.
struct WatchEncoder: Sendable {
    /// What stays the same, in one place: an encoder is copied often, and there may be many thousands.
    private final class Rules: Sendable {
        let declaration: ResourceDeclaration
        let options: ListOptions
        let form: AnswerForm
        let includeObject: String
        let isUnselected: Bool
        let now: @Sendable () -> Timestamp

        init(_ call: ResourceCall, _ options: ListOptions, now: @escaping @Sendable () -> Timestamp) {
            declaration = call.declaration
            self.options = options
            form = call.form
            includeObject = call.request.parameter("includeObject") ?? ""
            isUnselected = options.labels.requirements.isEmpty && options.fields.requirements.isEmpty
            self.now = now
        }
    }

    private let rules: Rules
    private var hasSentColumns = false

    init(_ call: ResourceCall, _ options: ListOptions, now: @escaping @Sendable () -> Timestamp) {
        rules = Rules(call, options, now: now)
    }

    /// Whether progress is told to the client.
    var sendsBookmarks: Bool { rules.options.allowsBookmarks }

    /// Appends the line of an object that exists when the watch begins.
    mutating func append(added object: StoredObject, to bytes: inout [UInt8]) {
        append("ADDED", object, to: &bytes)
    }

    /// Appends the line of a change; nothing when the selectors match neither the old nor the new state.
    mutating func append(_ event: StoreEvent, to bytes: inout [UInt8]) {
        let isIn = rules.isUnselected || rules.options.matches(event.object, rules.declaration)
        switch event.kind {
        case .added:
            if isIn { append("ADDED", event.object, to: &bytes) }
        case .modified:
            let wasIn =
                rules.isUnselected || event.previous.map { rules.options.matches($0, rules.declaration) } ?? false
            switch (wasIn, isIn) {
            case (true, true): append("MODIFIED", event.object, to: &bytes)
            case (false, true): append("ADDED", event.object, to: &bytes)
            case (true, false): append(left: event, to: &bytes)
            case (false, false): break
            }
        case .deleted:
            // What is removed is told to those who saw its last state.
            if rules.isUnselected || event.previous.map({ rules.options.matches($0, rules.declaration) }) ?? isIn {
                append("DELETED", event.object, to: &bytes)
            }
        }
    }

    /// An object that a selector no longer matches: its last matching state at the new revision.
    private mutating func append(left event: StoreEvent, to bytes: inout [UInt8]) {
        guard let previous = event.previous, let json = try? JSONParser.parse(previous.bytes) else { return }
        var object = KubeObject(json)
        object.resourceVersion = String(event.revision)
        append("DELETED", rules.declaration.storage?.fromStored(object) ?? object, to: &bytes)
    }

    private mutating func append(_ type: String, _ stored: StoredObject, to bytes: inout [UInt8]) {
        let isServed = rules.declaration.storage.map { $0.isServed(stored) } ?? true
        if rules.form == .object, isServed {
            bytes.append(contentsOf: "{\"type\":\"\(type)\",\"object\":".utf8)
            bytes.append(contentsOf: stored.bytes)
            bytes.append(contentsOf: "}\n".utf8)
            return
        }
        guard let json = try? JSONParser.parse(stored.bytes) else { return }
        let object = KubeObject(json)
        append(type, isServed ? object : rules.declaration.storage?.fromStored(object) ?? object, to: &bytes)
    }

    private mutating func append(_ type: String, _ object: KubeObject, to bytes: inout [UInt8]) {
        let json: JSONValue
        switch rules.form {
        case .object: json = object.json
        case .partialMetadata, .partialMetadataList: json = TableRenderer.partialMetadata(object)
        case .table:
            let renderer = TableRenderer(rules.declaration, includeObject: rules.includeObject, now: rules.now())
            json = renderer.table(
                [object], metadata: ["resourceVersion": .string(object.resourceVersion)], hasColumns: !hasSentColumns)
            hasSentColumns = true
        }
        Self.append(type, json, to: &bytes)
    }

    /// Appends a bookmark.
    func append(bookmark revision: Int64, endsInitialEvents: Bool = false, to bytes: inout [UInt8]) {
        var metadata: JSONValue = ["resourceVersion": .string(String(revision))]
        if endsInitialEvents { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        let json: JSONValue
        switch rules.form {
        case .object:
            json = [
                "kind": .string(rules.declaration.resource.kind),
                "apiVersion": .string(rules.declaration.resource.apiVersion),
                "metadata": metadata,
            ]
        case .partialMetadata, .partialMetadataList:
            json = ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata]
        case .table:
            json = TableRenderer(rules.declaration, includeObject: rules.includeObject, now: rules.now()).table(
                [], metadata: metadata, hasColumns: false)
        }
        Self.append("BOOKMARK", json, to: &bytes)
    }

    static func append(_ type: String, _ json: JSONValue, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "{\"type\":\"\(type)\",\"object\":".utf8)
        bytes.append(contentsOf: json.encoded)
        bytes.append(contentsOf: "}\n".utf8)
    }
}
