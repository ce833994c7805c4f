// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI

/// What the answer to a review may depend on.
package struct ReviewContext: Sendable {
    /// Who asks.
    package var user: UserInfo
    /// The namespace of the path; empty for reviews of the cluster.
    package var namespace: String
    /// The server that is asked.
    package var server: APIServer
}

extension ResourceRegistry.Review {
    private static func resource(_ group: String, _ kind: String, isNamespaced: Bool = false) -> KubeResource {
        KubeResource(
            group: group, version: "v1", plural: kind.lowercased() + "s", kind: kind, isNamespaced: isNamespaced)
    }

    private static let authentication = "authentication.k8s.io"
    private static let authorization = "authorization.k8s.io"

    // MARK: Who

    /// Who am I (`kubectl auth whoami`).
    static let selfSubject = ResourceRegistry.Review(
        resource: resource(authentication, "SelfSubjectReview"), singular: "selfsubjectreview"
    ) { review, context throws(StatusError) in
        var review = review
        review.metadata["creationTimestamp"] = .string(context.server.now().rfc3339)
        review.status = ["userInfo": context.user.json]
        return review
    }

    /// Whose token is this: what a service asks to authenticate its own clients.
    ///
    /// Source: Kubernetes API reference, TokenReview v1 authentication.k8s.io.
    static let token = ResourceRegistry.Review(
        resource: resource(authentication, "TokenReview"), singular: "tokenreview"
    ) { review, context throws(StatusError) in
        let server = context.server
        guard let token = review.spec["token"].string, !token.isEmpty else {
            throw .badRequest("token is required for TokenReview in authentication")
        }
        var review = review
        let given = review.spec["audiences"].elements.compactMap(\.string)
        let wanted = given.isEmpty ? server.apiAudiences : given
        guard let found = await server.authenticate(token: token, audiences: wanted) else {
            review.status = ["user": .object([:]), "error": "[invalid bearer token]"]
            return review
        }
        review.status = [
            "authenticated": true, "user": found.user.json, "audiences": JSONValue(found.audiences),
        ]
        return review
    }

    // MARK: What

    /// May I (`kubectl auth can-i`).
    static let selfAccess = ResourceRegistry.Review(
        resource: resource(authorization, "SelfSubjectAccessReview"), singular: "selfsubjectaccessreview"
    ) { review, context throws(StatusError) in
        var problems = FieldProblems()
        let query = query(review.spec, &problems)
        try problems.check(resource(authorization, "SelfSubjectAccessReview"))
        return answer(review, context.user, query, context.server)
    }

    /// May somebody.
    static let access = ResourceRegistry.Review(
        resource: resource(authorization, "SubjectAccessReview"), singular: "subjectaccessreview"
    ) { review, context throws(StatusError) in
        var problems = FieldProblems()
        let query = query(review.spec, &problems)
        let user = subject(review.spec, &problems)
        try problems.check(resource(authorization, "SubjectAccessReview"))
        return answer(review, user, query, context.server)
    }

    /// May somebody, in this namespace.
    static let localAccess = ResourceRegistry.Review(
        resource: resource(authorization, "LocalSubjectAccessReview", isNamespaced: true),
        singular: "localsubjectaccessreview"
    ) { review, context throws(StatusError) in
        var problems = FieldProblems()
        let query = query(review.spec, &problems)
        let user = subject(review.spec, &problems)
        if query.namespace != context.namespace {
            problems.invalid(
                "spec.resourceAttributes.namespace", .string(query.namespace), "must match metadata.namespace")
        }
        if !review.spec["nonResourceAttributes"].isNull {
            problems.invalid(
                "spec.nonResourceAttributes", review.spec["nonResourceAttributes"],
                "disallowed on this kind of request")
        }
        try problems.check(resource(authorization, "LocalSubjectAccessReview"))
        var answered = answer(review, user, query, context.server)
        answered.namespace = context.namespace
        return answered
    }

    /// All that I may in a namespace (`kubectl auth can-i --list`).
    static let selfRules = ResourceRegistry.Review(
        resource: resource(authorization, "SelfSubjectRulesReview"), singular: "selfsubjectrulesreview"
    ) { review, context throws(StatusError) in
        guard let namespace = review.spec["namespace"].string, !namespace.isEmpty else {
            throw .badRequest("no namespace on request")
        }
        let (rules, missing) = context.server.authorizer.rules(user: context.user, namespace: namespace)
        var resources: [JSONValue] = []
        var paths: [JSONValue] = []
        for rule in rules {
            if !rule.resources.isEmpty {
                resources.append([
                    "verbs": JSONValue(rule.verbs), "apiGroups": JSONValue(rule.groups),
                    "resources": JSONValue(rule.resources),
                    "resourceNames": rule.names.isEmpty ? nil : JSONValue(rule.names),
                ])
            }
            if !rule.paths.isEmpty {
                paths.append(["verbs": JSONValue(rule.verbs), "nonResourceURLs": JSONValue(rule.paths)])
            }
        }
        var review = review
        review.status = [
            "resourceRules": .array(resources), "nonResourceRules": .array(paths),
            "incomplete": .bool(!missing.isEmpty),
            "evaluationError": missing.isEmpty ? nil : .string(missing.joined(separator: ", ")),
        ]
        return review
    }

    /// What a review asks about.
    private static func query(_ spec: JSONValue, _ problems: inout FieldProblems) -> AccessQuery {
        let asked = spec["resourceAttributes"]
        let path = spec["nonResourceAttributes"]
        switch (asked.isNull, path.isNull) {
        case (true, true):
            problems.invalid(
                "spec.resourceAttributes", .null,
                "exactly one of nonResourceAttributes or resourceAttributes must be specified")
        case (false, false):
            problems.invalid(
                "spec.nonResourceAttributes", path, "cannot be specified in combination with resourceAttributes")
        default: break
        }
        guard asked.isNull else {
            var query = AccessQuery(
                verb: asked["verb"].string ?? "", group: asked["group"].string ?? "",
                resource: asked["resource"].string ?? "", subresource: asked["subresource"].string ?? "",
                namespace: asked["namespace"].string ?? "", name: asked["name"].string ?? "")
            let selector = asked["fieldSelector"]
            for part in (try? FieldSelector(parsing: selector["rawSelector"].string ?? ""))?.requirements ?? []
            where part.isEqual {
                query.fields[part.field] = part.value
            }
            for part in selector["requirements"].elements where part["operator"] == "In" {
                guard let key = part["key"].string, part["values"].elements.count == 1 else { continue }
                query.fields[key] = part["values"].elements[0].string
            }
            return query
        }
        return AccessQuery(verb: path["verb"].string ?? "", path: path["path"].string ?? "")
    }

    /// Whom a review is about.
    private static func subject(_ spec: JSONValue, _ problems: inout FieldProblems) -> UserInfo {
        let user = UserInfo(
            name: spec["user"].string ?? "", uid: spec["uid"].string ?? "",
            groups: spec["groups"].elements.compactMap(\.string))
        if user.name.isEmpty, user.groups.isEmpty {
            problems.invalid("spec.user", "", "at least one of user or group must be specified")
        }
        return user
    }

    private static func answer(
        _ given: KubeObject, _ user: UserInfo, _ query: AccessQuery, _ server: APIServer
    ) -> KubeObject {
        let decision = server.authorizer.decide(AccessAttributes(user: user, query))
        var review = given
        review.status = [
            "allowed": .bool(decision.isAllowed), "reason": decision.reason.isEmpty ? nil : .string(decision.reason),
        ]
        return review
    }
}

extension UserInfo {
    /// As reviews and audit events show a user.
    var json: JSONValue {
        [
            "username": name.isEmpty ? nil : .string(name), "uid": uid.isEmpty ? nil : .string(uid),
            "groups": groups.isEmpty ? nil : JSONValue(groups),
            "extra": extra.isEmpty ? nil : .object(extra.mapValues { JSONValue($0) }),
        ]
    }
}

/// What is wrong with an object that is not stored, in the wording of apimachinery's `field.Error`.
struct FieldProblems {
    private(set) var causes: [StatusCause] = []

    mutating func invalid(_ field: String, _ value: JSONValue, _ detail: String) {
        causes.append(
            StatusCause(
                reason: "FieldValueInvalid", field: field, message: "Invalid value: \(value.text): \(detail)"))
    }

    /// - Throws: 422 when something is wrong.
    func check(_ resource: KubeResource, name: String = "") throws(StatusError) {
        guard causes.isEmpty else { throw .invalid(resource, name, causes) }
    }
}
