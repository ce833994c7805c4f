// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// Answers a TokenRequest (authentication.k8s.io/v1).
    func requestToken(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        guard let tokens else { throw .unavailable("this server has no key to sign tokens with") }
        let account = try decode(try stored(call), call.declaration)
        var decoder = try BodyDecoder(call.request, schema: schema)
        var review = try decoder.object(
            call.request, apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest")
        let seconds = review.spec["expirationSeconds"].int ?? 3600
        guard (600...(1 << 32)).contains(seconds) else {
            throw .invalid(
                KubeResource(
                    group: "authentication.k8s.io", version: "v1", plural: "tokenrequests", kind: "TokenRequest"), "",
                [
                    StatusCause(
                        reason: "FieldValueInvalid", field: "spec.expirationSeconds",
                        message: "Invalid value: \(seconds): may not specify a duration less than 10 minutes")
                ])
        }
        let audiences = review.spec["audiences"].elements.compactMap(\.string)
        let now = now()
        let claims = ServiceAccountClaims(
            namespace: account.namespace,
            account: ServiceAccountClaims.Reference(name: account.name, uid: account.uid),
            pod: try boundPod(review.spec["boundObjectRef"], account),
            audiences: audiences.isEmpty ? [tokens.defaultAudience] : audiences, issuedAt: now,
            expires: now + .seconds(min(seconds, 365 * 86_400)))
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

    private func boundPod(
        _ reference: JSONValue, _ account: KubeObject
    ) throws(StatusError) -> ServiceAccountClaims.Reference? {
        guard let kind = reference["kind"].string else { return nil }
        guard kind == "Pod", let name = reference["name"].string else {
            throw .badRequest("cannot bind token to object of kind \(kind): only Pod is supported")
        }
        let key = StoreKey(resource: "pods", namespace: account.namespace, name: name)
        guard let stored = store.get(key), let json = try? JSONParser.parse(stored.bytes) else {
            throw .notFound(.pods, name)
        }
        let pod = KubeObject(json)
        if let uid = reference["uid"].string, !uid.isEmpty, uid != pod.uid {
            throw .conflict(
                .pods, name,
                "the UID in the bound object reference (\(uid)) does not match the UID in record. The object might "
                    + "have been deleted and then recreated")
        }
        return ServiceAccountClaims.Reference(name: name, uid: pod.uid)
    }

    /// The user of a bearer token for the server itself; nil when it is not one of this server, has expired, or its
    /// account or pod is gone.
    package func user(ofToken token: String) async -> UserInfo? {
        await authenticate(token: token, audiences: apiAudiences)?.user
    }

    /// What tokens for the server itself are for.
    var apiAudiences: [String] { [tokens?.defaultAudience ?? configuration.issuer] }

    /// The user of a bearer token for one of these audiences, with those of them that the token is for.
    func authenticate(token: String, audiences: [String]) async -> (user: UserInfo, audiences: [String])? {
        guard let claims = await tokens?.verify(token, now: now()) else { return nil }
        let common = audiences.filter(claims.audiences.contains)
        guard !common.isEmpty else { return nil }
        func isLive(_ resource: KubeResource, _ reference: ServiceAccountClaims.Reference) -> Bool {
            let key = StoreKey(
                resource: resource.qualifiedName, namespace: claims.namespace, name: reference.name)
            guard let stored = store.get(key), let json = try? JSONParser.parse(stored.bytes) else { return false }
            return KubeObject(json).uid == reference.uid
        }
        guard isLive(.serviceAccounts, claims.account), claims.pod.map({ isLive(.pods, $0) }) ?? true else {
            return nil
        }
        return (
            .serviceAccount(namespace: claims.namespace, name: claims.account.name, uid: claims.account.uid), common
        )
    }
}
