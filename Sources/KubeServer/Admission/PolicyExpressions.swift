// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CEL
import KubeAPI

/// The variables that expressions of policies have.
///
/// Source: Kubernetes documentation, "Validating Admission Policy", and admissionregistration.k8s.io/v1.
enum PolicyExpressions {
    private static func object(_ name: String, _ fields: [String: CELSchema]) -> CELSchema {
        let fields = Dictionary(
            uniqueKeysWithValues: fields.map { ($0, CELObjectType.Field(key: $0, schema: $1)) })
        return CELSchema(.object(CELObjectType(name: name, fields: fields)))
    }

    private static let text = CELSchema(.string)
    private static let texts = CELSchema(.list(text, .atomic))

    /// `request`.
    static let request: CELSchema = {
        let kind = object("kubernetes.GroupVersionKind", ["group": text, "version": text, "kind": text])
        let resource = object("kubernetes.GroupVersionResource", ["group": text, "version": text, "resource": text])
        let user = object(
            "kubernetes.UserInfo",
            ["username": text, "uid": text, "groups": texts, "extra": CELSchema(.map(texts))])
        return object(
            "kubernetes.AdmissionRequest",
            [
                "kind": kind, "resource": resource, "subResource": text, "requestKind": kind,
                "requestResource": resource, "requestSubResource": text, "name": text, "namespace": text,
                "operation": text, "userInfo": user, "dryRun": CELSchema(.bool), "options": .dynamic,
            ])
    }()

    /// `namespaceObject`.
    static let namespace: CELSchema = {
        let map = CELSchema(.map(text))
        let metadata = object(
            "kubernetes.NamespaceMetadata",
            [
                "name": text, "generateName": text, "namespace": text, "labels": map, "annotations": map, "UID": text,
                "uid": text, "creationTimestamp": CELSchema(.timestamp), "deletionTimestamp": CELSchema(.timestamp),
                "deletionGracePeriodSeconds": CELSchema(.int), "generation": CELSchema(.int), "resourceVersion": text,
                "finalizers": texts,
            ])
        return object(
            "kubernetes.Namespace",
            [
                "metadata": metadata, "spec": object("kubernetes.NamespaceSpec", ["finalizers": texts]),
                "status": object("kubernetes.NamespaceStatus", ["phase": text]),
            ])
    }()

    /// What an expression is for, which decides about the variables it has.
    struct Scope {
        var hasParameters = false
        var hasAuthorizer = true
        /// The types of the policy's variables so far; nil where it may not use them.
        var variables: [String: CELType]? = [:]
        /// The objects' type, for the check of types; dynamic when it runs.
        var object = CELSchema.dynamic
        /// Whether values of patches may be made.
        var isMutation = false
    }

    static func environment(_ scope: Scope) -> CELEnvironment {
        var environment = CELEnvironment()
        if scope.isMutation { environment.structures = PolicyPatchTypes.type }
        environment.declare("object", scope.object)
        environment.declare("oldObject", scope.object)
        environment.declare("request", request)
        environment.declare("namespaceObject", namespace)
        if scope.hasParameters { environment.declare("params", .dynamic) }
        if scope.hasAuthorizer {
            environment.variables["authorizer"] = .authorizer
            environment.variables["authorizer.requestResource"] = .resourceCheck
        }
        if let variables = scope.variables {
            let fields = variables.mapValues { CELObjectType.Field(key: "", schema: .dynamic, type: $0) }
            environment.variables["variables"] = .object(
                CELObjectType(name: "kubernetes.variables", fields: fields))
        }
        return environment
    }
}

/// The types of patches that policies make.
enum PolicyPatchTypes {
    /// `JSONPatch`, `Object`, and `Object.spec` and the like, which have any fields.
    static let type: @Sendable (String) -> CELObjectType? = { name in
        if name == "JSONPatch" { return jsonPatch }
        guard name == "Object" || name.hasPrefix("Object.") else { return nil }
        return CELObjectType(name: name) { field in
            CELObjectType.Field(key: CELNames.unescape(field), schema: .dynamic)
        }
    }

    private static let jsonPatch: CELObjectType = {
        let text = CELSchema(.string)
        return CELObjectType(
            name: "JSONPatch",
            fields: [
                "op": .init(key: "op", schema: text), "path": .init(key: "path", schema: text),
                "from": .init(key: "from", schema: text), "value": .init(key: "value", schema: .dynamic),
            ])
    }()

    /// The JSON of an `Object`; the types in it must be named by the fields where they stand.
    static func applyConfiguration(_ value: CELValue) throws(CELError) -> JSONValue {
        guard case .object(let object) = value, object.type.name == "Object" else {
            throw CELError("must evaluate to Object but got \(value.type)")
        }
        return try value.json { type, name, value throws(CELError) in
            let plain = CELNames.unescape(name)
            try check(value, "\(type.name).\(plain)")
            return plain
        }
    }

    private static func check(_ value: CELValue, _ path: String) throws(CELError) {
        switch value {
        case .object(let object) where object.type.name.hasPrefix("Object"):
            guard object.type.name == path else {
                throw CELError(
                    "unexpected type name \"\(object.type.name)\", expected \"\(path)\", which matches field name path "
                        + "from root Object type")
            }
        case .list(let list):
            for index in 0..<list.count { try check(list[index], path) }
        case .optional(let wrapped?): try check(wrapped, path)
        default: return
        }
    }
}
