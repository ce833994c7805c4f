// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// The longest life of a token that is asked for: a year.
    private static let longestLife = 365 * 86_400

    /// Answers a TokenRequest (authentication.k8s.io/v1).
    func requestToken(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        guard let tokens else { throw .unavailable("this server has no key to sign tokens with") }
        let account = try decode(try stored(call), call.declaration)
        var decoder = try BodyDecoder(call.request, schema: schema)
        var review = try decoder.object(
            call.request, apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest")
        let wanted = review.spec["boundObjectRef"]
        let pod = call.user.node == nil ? nil : try? bound(.pods, account.namespace, wanted["name"].string ?? "")
        try NodeRestriction.checkToken(of: account, boundTo: wanted, pod: pod, call.user)
        let seconds = review.spec["expirationSeconds"].int ?? 3600
        var problems = FieldProblems()
        if seconds < 600 {
            problems.invalid(
                "spec.expirationSeconds", JSONValue(seconds), "may not specify a duration less than 10 minutes")
        } else if seconds > 1 << 32 {
            problems.invalid(
                "spec.expirationSeconds", JSONValue(seconds), "may not specify a duration larger than 2^32 seconds")
        }
        try problems.check(
            KubeResource(
                group: "authentication.k8s.io", version: "v1", plural: "tokenrequests", kind: "TokenRequest"))
        let audiences = review.spec["audiences"].elements.compactMap(\.string)
        let now = now()
        var claims = ServiceAccountClaims(
            namespace: account.namespace,
            account: ServiceAccountClaims.Reference(name: account.name, uid: account.uid),
            audiences: audiences.isEmpty ? [tokens.defaultAudience] : audiences, issuedAt: now,
            expires: now + .seconds(min(seconds, Self.longestLife)))
        try bind(&claims, to: wanted, account)
        do {
            review.spec["expirationSeconds"] = JSONValue(seconds)
            review.spec["audiences"] = JSONValue(claims.audiences)
            review.status = [
                "token": .string(try await tokens.sign(claims)),
                "expirationTimestamp": .string(claims.expires.rfc3339),
            ]
        } catch {
            throw .internalError("the token could not be signed: \(error)")
        }
        review.name = account.name
        review.namespace = account.namespace
        review.metadata["creationTimestamp"] = .string(now.rfc3339)
        return KubeResponse(status: 201, json: review.json)
    }

    /// Makes a token one of the object without which it is void.
    private func bind(
        _ claims: inout ServiceAccountClaims, to reference: JSONValue, _ account: KubeObject
    ) throws(StatusError) {
        guard !reference.isNull else { return }
        let version = reference["apiVersion"].string ?? ""
        let kind = reference["kind"].string ?? ""
        let name = reference["name"].string ?? ""
        let object: KubeObject
        switch (version, kind) {
        case ("v1", "Pod"):
            object = try bound(.pods, account.namespace, name)
            guard object.spec["serviceAccountName"].string ?? "default" == account.name else {
                throw .badRequest(
                    "cannot bind token for serviceaccount \"\(account.name)\" to pod running with different "
                        + "serviceaccount name.")
            }
            claims.pod = ServiceAccountClaims.Reference(name: name, uid: object.uid)
            if let node = object.spec["nodeName"].string, !node.isEmpty,
                let found = try? bound(.nodes, "", node)
            {
                claims.node = ServiceAccountClaims.Reference(name: node, uid: found.uid)
            }
        case ("v1", "Secret"):
            object = try bound(.secrets, account.namespace, name)
            claims.secret = ServiceAccountClaims.Reference(name: name, uid: object.uid)
        case ("v1", "Node"):
            object = try bound(.nodes, "", name)
            claims.node = ServiceAccountClaims.Reference(name: name, uid: object.uid)
        default:
            let parts = version.split(separator: "/", maxSplits: 1)
            let group = parts.count == 2 ? parts[0] : ""
            throw .badRequest(
                "cannot bind token to object of type \(group)/\(parts.last ?? ""), Kind=\(kind)")
        }
        if let uid = reference["uid"].string, !uid.isEmpty, uid != object.uid {
            throw StatusError(
                code: 409, reason: "Conflict",
                message: "Operation cannot be fulfilled on \(kind) \"\(name)\": the UID in the bound object reference "
                    + "(\(uid)) does not match the UID in record. The object might have been deleted and then recreated"
            )
        }
    }

    private func bound(_ resource: KubeResource, _ namespace: String, _ name: String) throws(StatusError) -> KubeObject
    {
        let key = StoreKey(resource: resource.qualifiedName, namespace: namespace, name: name)
        guard let stored = store.get(key), let json = try? JSONParser.parse(stored.bytes) else {
            throw .notFound(resource, name)
        }
        return KubeObject(json)
    }

    // MARK: Checking

    /// A user that was found by a token.
    struct TokenUser: Sendable {
        var user: UserInfo
        /// Those of the wanted audiences that the token is for.
        var audiences: [String]
        /// The objects that must still be there, with the revisions that created them.
        var anchors: [(key: StoreKey, createRevision: Int64)] = []
        /// When the token ends.
        var expires: Timestamp
    }

    /// What tokens for the server itself are for.
    var apiAudiences: [String] { [tokens?.defaultAudience ?? configuration.issuer] }

    /// The user of a bearer token for the server itself; nil when it is not one of this server, has expired, or its
    /// account or the object that it is bound to is gone.
    package func user(ofToken token: String) async -> UserInfo? {
        await authenticate(token: token, audiences: apiAudiences)?.user
    }

    /// The user of a bearer token for one of these audiences.
    func authenticate(token: String, audiences: [String]) async -> TokenUser? {
        if let bootstrap = bootstrapUser(token, audiences) { return bootstrap }
        guard let claims = await tokens?.verify(token, now: now()) else { return nil }
        let common = audiences.filter(claims.audiences.contains)
        guard !common.isEmpty else { return nil }
        var user = UserInfo.serviceAccount(
            namespace: claims.namespace, name: claims.account.name, uid: claims.account.uid)
        user.extra["authentication.kubernetes.io/credential-id"] = ["JTI=\(claims.id)"]
        var found = TokenUser(user: user, audiences: common, expires: claims.expires)
        let bindings: [(KubeResource, ServiceAccountClaims.Reference?, isRequired: Bool)] = [
            (.serviceAccounts, claims.account, true), (.pods, claims.pod, true), (.secrets, claims.secret, true),
            // The node of a pod is only told; the pod holds the token.
            (.nodes, claims.node, claims.pod == nil),
        ]
        for (resource, reference, isRequired) in bindings {
            guard let reference else { continue }
            if isRequired {
                let namespace = resource.isNamespaced ? claims.namespace : ""
                let key = StoreKey(
                    resource: resource.qualifiedName, namespace: namespace, name: reference.name)
                guard let revision = liveRevision(key, uid: reference.uid) else { return nil }
                found.anchors.append((key, revision))
            }
            guard resource == .pods || resource == .nodes else { continue }
            let kind = resource == .pods ? "pod" : "node"
            found.user.extra["authentication.kubernetes.io/\(kind)-name"] = [reference.name]
            found.user.extra["authentication.kubernetes.io/\(kind)-uid"] = [reference.uid]
        }
        return found
    }

    /// The revision that created an object of this uid, unless it has been gone, or going, for a minute.
    private func liveRevision(_ key: StoreKey, uid: String) -> Int64? {
        guard let stored = store.get(key), let json = try? JSONParser.parse(stored.bytes) else { return nil }
        let object = KubeObject(json)
        guard object.uid == uid else { return nil }
        if let end = object.deletionTimestamp, end + .seconds(60) < now() { return nil }
        return stored.createRevision
    }
}
