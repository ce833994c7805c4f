// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// Deletes a pod if its PodDisruptionBudget allows it, noting that in the budget first.
    ///
    /// Source: Kubernetes "API-initiated Eviction".
    func evict(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        let json = try BodyDecoder.json(call.request, schema: schema).value
        if let name = json["metadata"]["name"].string, !name.isEmpty, name != call.name {
            throw .badRequest("name in URL does not match name in Eviction object")
        }
        var parent = call
        parent.subresource = ""
        parent.form = .object
        parent.request.body = json["deleteOptions"].isNull ? [] : json["deleteOptions"].encoded
        parent.request.contentType = "application/json"
        var options = try DeleteOptions(parent.request, schema: schema)
        parent.isDryRun = call.isDryRun || options.isDryRun
        let pod = try decode(try stored(parent), call.declaration)
        try options.check(pod, call.resource)
        try NodeRestriction.checkEviction(of: pod, call.user)
        if !Eviction.isFree(pod), let budget = try budget(of: pod) {
            switch try Eviction.decide(pod, budget) {
            case .free: break
            case .pinned: options.resourceVersion = pod.resourceVersion
            case .spend: try await spend(budget, on: pod, parent)
            }
        }
        if !parent.isDryRun { try await markEvicted(parent, uid: pod.uid, isPinned: options.resourceVersion != nil) }
        // Marking it has moved its version: the uid says that it is still the same pod.
        options.resourceVersion = nil
        options.uid = pod.uid
        _ = try await delete(parent, options)
        return KubeResponse(
            status: 201,
            json: ["kind": "Status", "apiVersion": "v1", "metadata": .object([:]), "status": "Success", "code": 201])
    }

    /// The budget that selects a pod; nil when none does.
    private func budget(of pod: KubeObject) throws(StatusError) -> KubeObject? {
        let resource = KubeResource.podDisruptionBudgets
        let objects: [StoredObject]
        do throws(StoreError) {
            objects = try store.list(resource: resource.qualifiedName, namespace: pod.namespace).objects
        } catch {
            throw StatusError(error, resource, "")
        }
        let matching = try objects.map { stored throws(StatusError) in
            try decode(stored, .podDisruptionBudgets)
        }.filter { budget in
            let selector = budget.spec["selector"]
            return !selector.isNull && (try? LabelSelector(json: selector))?.matches(pod.labels) == true
        }
        guard matching.count < 2 else {
            throw StatusError(
                code: 500, reason: "InternalError",
                message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                    + "support.")
        }
        return matching.first
    }

    private func spend(_ budget: KubeObject, on pod: KubeObject, _ call: ResourceCall) async throws(StatusError) {
        var update = call
        update.declaration = .podDisruptionBudgets
        update.name = budget.name
        update.subresource = "status"
        let now = now()
        _ = try await modify(update) { present throws(StatusError) in
            var changed = present
            changed.status = try Eviction.spend(present, on: pod, now: now)
            return changed
        }
    }

    /// Says in the pod's status why it goes.
    private func markEvicted(_ call: ResourceCall, uid: String, isPinned: Bool) async throws(StatusError) {
        var update = call
        update.subresource = "status"
        let now = now()
        _ = try await modify(update) { present throws(StatusError) in
            guard present.uid == uid else { throw .notFound(call.resource, call.name) }
            if isPinned, present.isReady { throw .staleVersion(call.resource, call.name) }
            var changed = present
            Conditions.set(
                "DisruptionTarget", "True", reason: "EvictionByEvictionAPI", message: "Eviction API: evicting",
                now: now, in: &changed.status)
            return changed
        }
    }
}

/// Whether a pod may be evicted: values only.
enum Eviction {
    /// How a pod may be deleted.
    enum Decision: Equatable {
        case free
        /// Only as long as it does not become ready.
        case pinned
        /// One of the disruptions that the budget allows is used.
        case spend
    }

    /// A budget notes so many evicted pods at most.
    private static let maxDisrupted = 2000

    /// Pods that do not count for any budget.
    static func isFree(_ pod: KubeObject) -> Bool {
        pod.isBeingDeleted || ["Succeeded", "Failed", "Pending"].contains(pod.status["phase"].string ?? "")
    }

    static func decide(_ pod: KubeObject, _ budget: KubeObject) throws(StatusError) -> Decision {
        guard !pod.isReady else { return .spend }
        if budget.spec["unhealthyPodEvictionPolicy"].string == "AlwaysAllow" { return .pinned }
        let desired = budget.status["desiredHealthy"].int ?? 0
        let isHealthy = budget.status["currentHealthy"].int ?? 0 >= desired && desired > 0
        return isHealthy ? .pinned : .spend
    }

    /// The status of the budget with one disruption used.
    static func spend(_ budget: KubeObject, on pod: KubeObject, now: Timestamp) throws(StatusError) -> JSONValue {
        var status = budget.status
        guard status["observedGeneration"].int ?? 0 >= budget.generation else {
            throw refusal(
                "The disruption budget \(budget.name) is still being processed by the server.", retryAfter: 10)
        }
        let allowed = status["disruptionsAllowed"].int ?? 0
        guard allowed >= 0 else {
            throw .forbidden(.podDisruptionBudgets, budget.name, "pdb disruptions allowed is negative")
        }
        guard status["disruptedPods"].members.count <= maxDisrupted else {
            throw .forbidden(
                .podDisruptionBudgets, budget.name,
                "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
        }
        guard allowed > 0 else {
            let (desired, current) = (status["desiredHealthy"].int ?? 0, status["currentHealthy"].int ?? 0)
            throw refusal(
                "The disruption budget \(budget.name) needs \(desired) healthy pods and has \(current) currently")
        }
        status["disruptionsAllowed"] = JSONValue(allowed - 1)
        if allowed == 1 {
            Conditions.set(
                "DisruptionAllowed", "False", reason: "InsufficientPods",
                extra: ["observedGeneration": JSONValue(budget.generation), "message": ""], now: now, in: &status)
        }
        status["disruptedPods"][pod.name] = .string(now.rfc3339)
        return status
    }

    private static func refusal(_ cause: String, retryAfter: Int? = nil) -> StatusError {
        var error = StatusError(
            code: 429, reason: "TooManyRequests",
            message: "Cannot evict pod as it would violate the pod's disruption budget.")
        error.retryAfterSeconds = retryAfter
        error.causes = [StatusCause(reason: "DisruptionBudget", field: "", message: cause)]
        return error
    }
}

extension KubeObject {
    fileprivate var isReady: Bool { Conditions.isTrue("Ready", in: status) }
}
