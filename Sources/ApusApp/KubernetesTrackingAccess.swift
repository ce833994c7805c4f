// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import KubeAPI
import KubeClient
import ServiceHTTP
import Synchronization
import TrackingModel
import TrackingServer

/// Users of a Kubernetes API: TokenReview says who asks, SubjectAccessReview what they may. What was said is kept for a
/// few seconds: a token or a right that is taken away works at most so long.
struct KubernetesTrackingAccess: TrackingAccess {
    /// How long an answer is kept.
    static let patience: Duration = .seconds(10)

    private let transport: HTTPTransport
    private let client: KubeClient
    private let namespace: String
    private let callers = ReviewCache<String, TrackingCaller?>()
    private let rights = ReviewCache<Question, Bool>()

    private struct Question: Hashable, Sendable {
        let caller: TrackingCaller
        let right: TrackingRight
    }

    private static let tokenReviews = KubeResource(
        group: "authentication.k8s.io", version: "v1", plural: "tokenreviews", kind: "TokenReview", isNamespaced: false)
    private static let accessReviews = KubeResource(
        group: "authorization.k8s.io", version: "v1", plural: "subjectaccessreviews", kind: "SubjectAccessReview",
        isNamespaced: false)

    /// - Parameters:
    ///   - kubeconfig: of a user who may create both reviews, as the ClusterRole `system:auth-delegator` says.
    ///   - namespace: whose Roles count.
    /// - Throws: where the kubeconfig cannot be used.
    init(_ kubeconfig: Kubeconfig, namespace: String) throws {
        transport = try HTTPTransport(kubeconfig)
        client = KubeClient(transport: transport, userAgent: "apus-tracking")
        self.namespace = namespace
    }

    func caller(_ headers: HTTPFields) async throws -> TrackingCaller? {
        let credentials = try TrackingCredentials(headers, nameHasColons: true)
        let found = try await callers.value(credentials.token) {
            let status = try await review(
                Self.tokenReviews, ["token": .string(credentials.token)])
            guard status["authenticated"].bool == true, let name = status["user"]["username"].string else { return nil }
            return TrackingCaller(name: name, groups: status["user"]["groups"].elements.compactMap(\.string))
        }
        guard let found else { throw TrackingCredentials.unknown }
        // A service account may leave out what all of them begin with.
        if let name = credentials.name, name != found.name, !found.name.hasSuffix(":" + name) {
            throw TrackingCredentials.unknown
        }
        return found
    }

    func allows(_ caller: TrackingCaller, _ right: TrackingRight) async throws -> Bool {
        try await rights.value(Question(caller: caller, right: right)) {
            var attributes: [String: JSONValue] = [
                "namespace": .string(namespace), "group": .string(TrackingRight.group),
                "resource": .string(right.resource.rawValue), "verb": .string(right.verb.rawValue),
            ]
            if !right.name.isEmpty { attributes["name"] = .string(right.name) }
            let status = try await review(
                Self.accessReviews,
                [
                    "user": .string(caller.name), "groups": .array(caller.groups.map { .string($0) }),
                    "resourceAttributes": .object(attributes),
                ])
            return status["allowed"].bool == true
        }
    }

    func close() async { try? await transport.shutdown() }

    private func review(_ resource: KubeResource, _ spec: JSONValue) async throws -> JSONValue {
        let object = KubeObject([
            "apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind), "spec": spec,
        ])
        do {
            return try await client.create(resource, object)["status"]
        } catch {
            throw TrackingError(
                .temporarilyUnavailable, "Kubernetes does not say who may use this server: \(error)")
        }
    }
}

/// Answers that are kept for a while, and not too many.
private final class ReviewCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        let value: Value
        let end: ContinuousClock.Instant
    }

    private static var maximum: Int { 10_000 }

    private let entries = Mutex<[Key: Entry]>([:])

    /// What is kept for a key, else what is found now.
    func value(_ key: Key, _ find: () async throws -> Value) async throws -> Value {
        let now = ContinuousClock.now
        if let entry = entries.withLock({ $0[key] }), entry.end > now { return entry.value }
        let value = try await find()
        entries.withLock { entries in
            if entries.count >= Self.maximum { entries = entries.filter { $0.value.end > now } }
            if entries.count >= Self.maximum { entries.removeAll() }
            entries[key] = Entry(value: value, end: now + KubernetesTrackingAccess.patience)
        }
        return value
    }
}
