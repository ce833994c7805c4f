// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Who asks.
package enum PolicyPrincipal: Sendable, Hashable {
    case anonymous
    /// A user of that name.
    case user(String)

    /// The account that all users of this server belong to.
    package static let account = "000000000000"

    /// `arn:aws:iam::000000000000:user/NAME`; `*` for nobody in particular.
    package var arn: String {
        switch self {
        case .anonymous: "*"
        case .user(let name): "arn:aws:iam::\(Self.account):user/\(name)"
        }
    }
}

/// What a policy says to a request.
package enum PolicyDecision: Sendable, Hashable {
    case allow
    case deny
    /// The policy does not speak of it.
    case none

    /// Of two policies together: a denial always counts.
    package func combined(_ other: PolicyDecision) -> PolicyDecision {
        if self == .deny || other == .deny { return .deny }
        return self == .allow || other == .allow ? .allow : .none
    }
}

/// What a policy decides on.
package struct PolicyRequest: Sendable {
    package var principal: PolicyPrincipal
    /// `s3:GetObject`
    package var action: String
    /// `arn:aws:s3:::BUCKET/KEY`
    package var resource: String
    /// What conditions may ask for; keys are lower case but for a tag's name.
    package var context: [String: [String]]

    package init(principal: PolicyPrincipal, action: String, resource: String, context: [String: [String]] = [:]) {
        self.principal = principal
        self.action = action
        self.resource = resource
        self.context = context
        if case .user(let name) = principal {
            self.context["aws:username"] = self.context["aws:username"] ?? [name]
            self.context["aws:userid"] = self.context["aws:userid"] ?? [name]
            self.context["aws:principaltype"] = ["User"]
            self.context["aws:principalarn"] = [principal.arn]
        } else {
            self.context["aws:principaltype"] = ["Anonymous"]
        }
    }
}

/// A statement of a policy in IAM's language (IAM user guide, "IAM JSON policy elements reference").
struct PolicyStatement: Sendable {
    enum Principals: Sendable {
        case any
        case some([String])
    }

    var isAllow: Bool
    /// Nil in an identity's policy.
    var principals: Principals?
    var excludesPrincipals = false
    var actions: [PolicyPattern]
    var excludesActions = false
    var resources: [PolicyPattern]
    var excludesResources = false
    var conditions: PolicyConditions

    private static let members: Set<String> = [
        "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
    ]

    init(_ json: JSONValue, hasPrincipal: Bool, hasVariables: Bool) throws(S3Error) {
        guard let object = json.object else { throw .malformedPolicy("a statement is not an object") }
        for name in object.keys where !Self.members.contains(name) {
            throw .malformedPolicy("a statement has \(name.prefix(64)), which is not known")
        }
        switch object["Effect"]?.string {
        case "Allow": isAllow = true
        case "Deny": isAllow = false
        default: throw .malformedPolicy("Effect is neither Allow nor Deny")
        }
        if hasPrincipal {
            excludesPrincipals = object["NotPrincipal"] != nil
            guard let value = object["Principal"] ?? object["NotPrincipal"],
                !(excludesPrincipals && object["Principal"] != nil)
            else { throw .malformedPolicy("a statement of a bucket's policy has one of Principal and NotPrincipal") }
            principals = try Self.principals(value)
        } else if object["Principal"] != nil || object["NotPrincipal"] != nil {
            throw .malformedPolicy("an identity's policy has no Principal: it is about the identity that has it")
        }
        (actions, excludesActions) = try Self.patterns(object, "Action", hasVariables: false)
        for action in actions where action.text != "*" && !action.text.lowercased().hasPrefix("s3:") {
            // Other services' actions do no harm in an identity's policy; in a bucket's they cannot be meant.
            if hasPrincipal { throw .malformedPolicy("the action \(action.text.prefix(64)) is not one of S3") }
        }
        (resources, excludesResources) = try Self.patterns(object, "Resource", hasVariables: hasVariables)
        for resource in resources where resource.text != "*" && !resource.text.hasPrefix("arn:") {
            throw .malformedPolicy("the resource \(resource.text.prefix(128)) is neither * nor arn:aws:s3:::BUCKET/KEY")
        }
        conditions = try PolicyConditions(object["Condition"] ?? .null, hasVariables: hasVariables)
    }

    private static func patterns(
        _ object: [String: JSONValue], _ name: String, hasVariables: Bool
    ) throws(S3Error) -> ([PolicyPattern], Bool) {
        let plain = object[name]
        let negated = object["Not" + name]
        guard let value = plain ?? negated, plain == nil || negated == nil else {
            throw .malformedPolicy("a statement has one of \(name) and Not\(name)")
        }
        var patterns: [PolicyPattern] = []
        for item in value.array ?? [value] {
            guard let text = item.string, !text.isEmpty, text.utf8.count <= 2048 else {
                throw .malformedPolicy("\(name) is not a text or a list of texts")
            }
            patterns.append(try PolicyPattern(text, hasWildcards: true, hasVariables: hasVariables))
        }
        guard !patterns.isEmpty else { throw .malformedPolicy("\(name) is empty") }
        return (patterns, plain == nil)
    }

    private static func principals(_ json: JSONValue) throws(S3Error) -> Principals {
        if json.string == "*" { return .any }
        guard let object = json.object, !object.isEmpty else {
            throw .malformedPolicy("Principal is neither * nor an object such as {\"AWS\": \"*\"}")
        }
        var names: [String] = []
        for (kind, value) in object {
            guard kind == "AWS" || kind == "CanonicalUser" else {
                throw .malformedPolicy("principals of the kind \(kind.prefix(64)) are not supported")
            }
            for item in value.array ?? [value] {
                guard let name = item.string, !name.isEmpty else { throw .malformedPolicy("a principal is not a text") }
                if name == "*" { return .any }
                names.append(name)
            }
        }
        return .some(names)
    }

    /// Whether the statement is about the request.
    func applies(_ request: PolicyRequest) -> Bool {
        if let principals, Self.names(principals, request.principal) == excludesPrincipals { return false }
        let isAction = actions.contains { $0.matches(request.action, ignoresCase: true) }
        guard isAction != excludesActions else { return false }
        let isResource = resources.contains { $0.matches(request.resource, request.context) }
        guard isResource != excludesResources else { return false }
        return conditions.isEmpty || conditions.hold(request.context)
    }

    private static func names(_ principals: Principals, _ principal: PolicyPrincipal) -> Bool {
        guard case .some(let names) = principals else { return true }
        guard case .user(let user) = principal else { return false }
        let account = PolicyPrincipal.account
        return names.contains { name in
            name == user || name == principal.arn || name == account || name == "arn:aws:iam::\(account):root"
        }
    }
}
