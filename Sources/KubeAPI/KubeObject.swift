// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The namespace and name of an object; the namespace is empty for cluster-scoped objects.
package struct ObjectKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var namespace: String
    package var name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }

    package var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
}

/// A Kubernetes object of any kind: its JSON, with accessors for what all kinds share.
///
/// Source: Kubernetes API conventions, "Resources" and "Metadata".
package struct KubeObject: Hashable, Sendable {
    /// The whole object.
    package var json: JSONValue
    /// `metadata.managedFields` as JSON text, where it is kept apart from ``json``: inside the API server, which writes
    /// it with every change and reads it seldom. Empty for none.
    package var managedFields: [UInt8] = []

    package init(_ json: JSONValue) { self.json = json }

    /// ``json`` with what is kept apart.
    package var complete: JSONValue {
        guard !managedFields.isEmpty, let managers = try? JSONParser.parse(managedFields) else { return json }
        var json = json
        json["metadata"]["managedFields"] = managers
        return json
    }

    /// An object with type and name only.
    package init(_ resource: KubeResource, namespace: String = "", name: String) {
        json = ["apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind), "metadata": [:]]
        self.name = name
        if !namespace.isEmpty { self.namespace = namespace }
    }

    /// A top-level member, such as `spec`.
    package subscript(key: String) -> JSONValue {
        get { json[key] }
        _modify { yield &json[key] }
    }

    package var apiVersion: String { json["apiVersion"].string ?? "" }
    package var kind: String { json["kind"].string ?? "" }

    package var metadata: JSONValue {
        get { json["metadata"] }
        _modify { yield &json["metadata"] }
    }

    package var spec: JSONValue {
        get { json["spec"] }
        _modify { yield &json["spec"] }
    }

    package var status: JSONValue {
        get { json["status"] }
        _modify { yield &json["status"] }
    }

    package var name: String {
        get { metadata["name"].string ?? "" }
        set { metadata["name"] = .string(newValue) }
    }

    package var namespace: String {
        get { metadata["namespace"].string ?? "" }
        set { metadata["namespace"] = newValue.isEmpty ? .null : .string(newValue) }
    }

    package var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }
    package var uid: String { metadata["uid"].string ?? "" }
    package var generation: Int { metadata["generation"].int ?? 0 }

    package var resourceVersion: String {
        get { metadata["resourceVersion"].string ?? "" }
        set { metadata["resourceVersion"] = newValue.isEmpty ? .null : .string(newValue) }
    }

    package var labels: [String: String] {
        get { metadata["labels"].stringMembers }
        set { metadata["labels"] = newValue.isEmpty ? .null : JSONValue(newValue) }
    }

    package var annotations: [String: String] {
        get { metadata["annotations"].stringMembers }
        set { metadata["annotations"] = newValue.isEmpty ? .null : JSONValue(newValue) }
    }

    package var finalizers: [String] {
        get { metadata["finalizers"].elements.compactMap(\.string) }
        set { metadata["finalizers"] = newValue.isEmpty ? .null : JSONValue(newValue) }
    }

    package var creationTimestamp: Timestamp? { metadata["creationTimestamp"].string.flatMap(Timestamp.init(rfc3339:)) }
    package var deletionTimestamp: Timestamp? { metadata["deletionTimestamp"].string.flatMap(Timestamp.init(rfc3339:)) }
    package var isBeingDeleted: Bool { !metadata["deletionTimestamp"].isNull }

    package var ownerReferences: [OwnerReference] {
        get { metadata["ownerReferences"].elements.map(OwnerReference.init(json:)) }
        set { metadata["ownerReferences"] = newValue.isEmpty ? .null : .array(newValue.map(\.json)) }
    }

    /// The owner that manages this object (`controller: true`).
    package var controllerOwner: OwnerReference? { ownerReferences.first(where: \.isController) }

    /// A reference to this object as the controller of another.
    package var controllerReference: OwnerReference {
        OwnerReference(
            apiVersion: apiVersion, kind: kind, name: name, uid: uid, isController: true, blockOwnerDeletion: true)
    }

    /// A reference to this object, as events carry it (core/v1 ObjectReference).
    package var objectReference: JSONValue {
        [
            "apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name),
            "namespace": namespace.isEmpty ? nil : .string(namespace), "uid": uid.isEmpty ? nil : .string(uid),
            "resourceVersion": resourceVersion.isEmpty ? nil : .string(resourceVersion),
        ]
    }
}

/// One entry of `metadata.ownerReferences` (meta/v1 OwnerReference).
package struct OwnerReference: Hashable, Sendable {
    package var apiVersion: String
    package var kind: String
    package var name: String
    package var uid: String
    package var isController: Bool
    package var blockOwnerDeletion: Bool

    package init(
        apiVersion: String, kind: String, name: String, uid: String, isController: Bool, blockOwnerDeletion: Bool
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.uid = uid
        self.isController = isController
        self.blockOwnerDeletion = blockOwnerDeletion
    }

    package init(json: JSONValue) {
        self.init(
            apiVersion: json["apiVersion"].string ?? "", kind: json["kind"].string ?? "",
            name: json["name"].string ?? "", uid: json["uid"].string ?? "",
            isController: json["controller"].bool ?? false,
            blockOwnerDeletion: json["blockOwnerDeletion"].bool ?? false)
    }

    package var json: JSONValue {
        [
            "apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name), "uid": .string(uid),
            "controller": isController ? true : nil, "blockOwnerDeletion": blockOwnerDeletion ? true : nil,
        ]
    }
}

/// Status conditions: `[{type, status, reason, message, lastTransitionTime}]`.
package enum Conditions {
    /// The condition of that type, or `.null`.
    package static func find(_ type: String, in status: JSONValue) -> JSONValue {
        status["conditions"].elements.first { $0["type"].string == type } ?? .null
    }

    /// Whether the condition of that type is `True`.
    package static func isTrue(_ type: String, in status: JSONValue) -> Bool {
        find(type, in: status)["status"].string == "True"
    }

    /// Sets a condition; `lastTransitionTime` moves only when `status` changes. Extra members are set as given.
    package static func set(
        _ type: String, _ value: String, reason: String = "", message: String = "", extra: [String: JSONValue] = [:],
        now: Timestamp, in status: inout JSONValue
    ) {
        var conditions = status["conditions"].elements
        let index = conditions.firstIndex { $0["type"].string == type }
        let old = index.map { conditions[$0] } ?? .null
        var new: JSONValue = [
            "type": .string(type), "status": .string(value), "reason": reason.isEmpty ? nil : .string(reason),
            "message": message.isEmpty ? nil : .string(message),
            "lastTransitionTime": old["status"].string == value
                ? old["lastTransitionTime"] : .string(now.rfc3339),
        ]
        for (key, member) in extra { new[key] = member }
        if let index { conditions[index] = new } else { conditions.append(new) }
        status["conditions"] = .array(conditions)
    }

    /// Removes the condition of that type.
    package static func remove(_ type: String, in status: inout JSONValue) {
        let rest = status["conditions"].elements.filter { $0["type"].string != type }
        status["conditions"] = rest.isEmpty ? .null : .array(rest)
    }
}
