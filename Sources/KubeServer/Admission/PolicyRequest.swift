// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import CEL
import KubeAPI
import KubeStore

/// A write as policies see it.
struct PolicyRequest: Sendable {
    let attributes: AdmissionAttributes
    /// The object as it would be stored; nil for a delete.
    var object: KubeObject?
    private let server: APIServer

    init(_ object: KubeObject?, _ attributes: AdmissionAttributes, _ server: APIServer) {
        self.object = attributes.operation == .delete ? nil : object
        self.attributes = attributes
        self.server = server
    }

    /// The versions besides the request's in which the same objects are served.
    var otherVersions: [String] {
        let resource = attributes.resource
        return server.registry.versions(group: resource.group, plural: resource.plural).filter {
            $0 != resource.version
        }
    }

    var name: String {
        attributes.name.isEmpty ? object?.name ?? attributes.old?.name ?? "" : attributes.name
    }

    /// The labels that a namespace selector looks at; nil for an object that no namespace says anything about.
    var namespaceLabels: [String: String]? {
        if attributes.resource == .namespaces { return (object ?? attributes.old)?.labels ?? [:] }
        guard attributes.resource.isNamespaced else { return nil }
        return storedNamespace?.labels ?? [:]
    }

    private var storedNamespace: StoredObject? {
        server.store.get(
            StoreKey(resource: KubeResource.namespaces.qualifiedName, namespace: "", name: attributes.namespace))
    }

    /// `namespaceObject`: what is of use of the object's namespace.
    var namespaceObject: JSONValue {
        guard attributes.resource.isNamespaced, let stored = storedNamespace,
            let json = try? JSONParser.parse(stored.bytes)
        else { return .null }
        return json
    }

    /// `request` (admission.k8s.io/v1 AdmissionRequest).
    func requestObject(version: String) -> JSONValue {
        let resource = attributes.resource
        func kind(_ version: String) -> JSONValue {
            ["group": .string(resource.group), "version": .string(version), "kind": .string(resource.kind)]
        }
        func plural(_ version: String) -> JSONValue {
            ["group": .string(resource.group), "version": .string(version), "resource": .string(resource.plural)]
        }
        let user = attributes.user
        return [
            "kind": kind(version), "resource": plural(version), "subResource": .string(attributes.subresource),
            "requestKind": kind(resource.version), "requestResource": plural(resource.version),
            "requestSubResource": .string(attributes.subresource), "name": .string(name),
            "namespace": .string(attributes.namespace), "operation": .string(attributes.operation.rawValue),
            "userInfo": [
                "username": .string(user.name), "uid": .string(user.uid), "groups": JSONValue(user.groups),
                "extra": .object(user.extra.mapValues { JSONValue($0) }),
            ],
            "dryRun": .bool(attributes.isDryRun),
        ]
    }

    /// An object in the version that a policy matched.
    func json(_ object: KubeObject?, version: String) -> CELValue {
        guard var json = object?.json else { return .null }
        let resource = attributes.resource
        if version != resource.version {
            json["apiVersion"] = .string(resource.group.isEmpty ? version : "\(resource.group)/\(version)")
        }
        return CELValue(json)
    }

    /// `authorizer.requestResource`.
    var requestResource: CELAccess {
        var question = CELAccessQuestion()
        question.group = attributes.resource.group
        question.resource = attributes.resource.plural
        question.subresource = attributes.subresource
        question.namespace = attributes.namespace
        question.name = name
        return CELAccess(step: .resource, question: question)
    }

    /// Answers a question of access for the request's user.
    func decide(_ question: CELAccessQuestion) -> CELDecision {
        var user = attributes.user
        if let account = question.serviceAccount {
            let parts = account.split(separator: "/", maxSplits: 1).map(String.init)
            user = .serviceAccount(namespace: parts.first ?? "", name: parts.count > 1 ? parts[1] : "")
        }
        let query: AccessQuery =
            if let path = question.path {
                AccessQuery(verb: question.verb, path: path)
            } else {
                AccessQuery(
                    verb: question.verb, group: question.group, resource: question.resource,
                    subresource: question.subresource, namespace: question.namespace, name: question.name)
            }
        let decision = server.authorizer.decide(AccessAttributes(user: user, query))
        return CELDecision(isAllowed: decision.isAllowed, reason: decision.reason)
    }

    // MARK: Parameters

    /// The objects that a binding gives a policy as parameters: one null where the policy takes none.
    func parameters(
        of kind: PolicyParameterKind?, _ reference: JSONValue
    ) throws(PolicyProblem) -> [JSONValue] {
        guard let kind else { return [.null] }
        guard reference.object != nil else { return [.null] }
        guard
            let declaration = server.registry.declarations.first(where: {
                $0.resource.apiVersion == kind.apiVersion && $0.resource.kind == kind.kind
            })
        else {
            throw PolicyProblem("failed to find resource referenced by paramKind: '\(kind.description)'")
        }
        var namespace = ""
        if declaration.resource.isNamespaced {
            namespace = reference["namespace"].string ?? attributes.namespace
            if attributes.resource == .namespaces, namespace.isEmpty {
                throw PolicyProblem(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
            }
            guard !namespace.isEmpty else {
                throw PolicyProblem(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
            }
        } else if reference["namespace"].string?.isEmpty == false {
            throw PolicyProblem("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        }
        let found = try stored(declaration, namespace, reference)
        if found.isEmpty, reference["parameterNotFoundAction"].string != "Allow" {
            throw PolicyProblem("no params found for policy binding with `Deny` parameterNotFoundAction")
        }
        return found.compactMap { try? server.decode($0, declaration).json }
    }

    private func stored(
        _ declaration: ResourceDeclaration, _ namespace: String, _ reference: JSONValue
    ) throws(PolicyProblem) -> [StoredObject] {
        if let name = reference["name"].string, !name.isEmpty {
            let key = StoreKey(resource: declaration.storageName, namespace: namespace, name: name)
            return server.store.get(key).map { [$0] } ?? []
        }
        guard let selector = try? LabelSelector(json: reference["selector"]) else { return [] }
        let list = try? server.store.list(
            resource: declaration.storageName, namespace: declaration.resource.isNamespaced ? namespace : nil)
        return (list?.objects ?? []).filter { selector.matches($0.labels) }
    }
}

/// The kind of a policy's parameters.
struct PolicyParameterKind: Sendable {
    let apiVersion: String
    let kind: String

    init?(_ json: JSONValue) {
        guard let apiVersion = json["apiVersion"].string, let kind = json["kind"].string else { return nil }
        self.apiVersion = apiVersion
        self.kind = kind
    }

    /// `v1, Kind=ConfigMap`, as upstream prints it.
    var description: String { "\(apiVersion), Kind=\(kind)" }
}

/// Why a policy could not be evaluated.
struct PolicyProblem: Error {
    let message: String

    init(_ message: String) { self.message = message }
}

extension ResourceRegistry {
    /// The versions in which a resource is served.
    func versions(group: String, plural: String) -> [String] {
        declarations.filter { $0.resource.group == group && $0.resource.plural == plural }.map(\.resource.version)
    }
}
