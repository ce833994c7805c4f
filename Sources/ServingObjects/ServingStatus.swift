// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// The status of an InferenceService, as KServe's clients read it.
///
/// Source: kserve/kserve, pkg/apis/serving/v1beta1/inference_service_status.go.
package struct ServingStatus: Sendable, Hashable {
    /// What is known of a component.
    package struct Observation: Sendable, Hashable {
        /// `True`, `False` or `Unknown`.
        package var ready: String
        package var reason: String
        package var message: String

        package init(ready: String, reason: String = "", message: String = "") {
            self.ready = ready
            self.reason = reason
            self.message = message
        }

        package static let isReady = Observation(ready: "True")
    }

    /// KServe's states of the model that serves and of the one that is to serve.
    package enum ModelState: String, Sendable {
        case pending = "Pending", loading = "Loading", loaded = "Loaded", failed = "FailedToLoad", standby = "Standby"
    }

    package private(set) var json: JSONValue
    private let now: Timestamp

    /// Begins with the status that is there.
    package init(_ object: KubeObject, now: Timestamp) {
        json = object.status.isNull ? [:] : object.status
        self.now = now
    }

    private var predictor: JSONValue { json["components"]["predictor"] }
    package var created: String? { predictor["latestCreatedRevision"].string }
    package var ready: String? { predictor["latestReadyRevision"].string }
    package var rolledOut: String? { predictor["latestRolledoutRevision"].string }
    package var previous: String? { predictor["previousRolledoutRevision"].string }

    /// A declaration that cannot be used; what serves goes on.
    package mutating func refuse(_ fault: SpecFault, generation: Int) {
        json["observedGeneration"] = JSONValue(generation)
        set("PredictorReady", Observation(ready: "False", reason: fault.reason, message: fault.description))
        set("Ready", Observation(ready: "False", reason: fault.reason, message: fault.description))
        json["modelStatus"]["transitionStatus"] = "InvalidSpec"
        if json["modelStatus"]["states"].isNull {
            json["modelStatus"]["states"] = ["activeModelState": "", "targetModelState": "Pending"]
        }
        json["modelStatus"]["lastFailureInfo"] = [
            "reason": .string(fault.reason), "message": .string(fault.description), "time": .string(now.rfc3339),
        ]
    }

    /// Nothing of it runs.
    package mutating func stop(generation: Int) {
        json["observedGeneration"] = JSONValue(generation)
        json["components"] = .null
        json["url"] = .null
        json["address"] = .null
        json["modelStatus"] = .null
        for type in ["PredictorReady", "IngressReady", "Ready"] {
            set(
                type,
                Observation(ready: "False", reason: "Stopped", message: "the annotation \(ServingNames.stop) is true"))
        }
        set("Stopped", Observation(ready: "True"))
    }

    /// What the services is made of now.
    package mutating func observe(
        _ spec: ServingSpec, _ plan: RevisionPlan, runtime: ServingRuntimeSpec?, predictor: Observation,
        latest: Observation, others: [ServingComponent: Observation], ingress: Observation,
        _ configuration: ServingConfiguration
    ) {
        json["observedGeneration"] = .int(spec.generation)
        json["deploymentMode"] = "Standard"
        json["servingRuntimeName"] = runtime.flatMap { $0.isClusterWide ? nil : .string($0.name) } ?? .null
        json["clusterServingRuntimeName"] = runtime.flatMap { $0.isClusterWide ? .string($0.name) : nil } ?? .null
        let host = configuration.host(spec.name, spec.namespace)
        json["url"] = .string("\(configuration.scheme)://\(host)")
        let entry = spec.transformer == nil ? ServingComponent.predictor : .transformer
        json["address"] = ["url": .string(Self.address(spec, entry))]
        var components: JSONValue = [:]
        components["predictor"] = revisions(spec, plan)
        for kind in others.keys { components[kind.rawValue] = ["url": .string(Self.address(spec, kind))] }
        json["components"] = components
        Conditions.remove("Stopped", in: &json)
        setAll(.predictor, predictor)
        for kind in [ServingComponent.transformer, .explainer] {
            if let seen = others[kind] { setAll(kind, seen) } else { removeAll(kind) }
        }
        set("LatestDeploymentReady", latest)
        set("RoutesReady", ingress)
        set("IngressReady", ingress)
        let parts = [predictor, ingress] + ServingComponent.allCases.compactMap { others[$0] }
        set("Ready", parts.first { $0.ready == "False" } ?? parts.first { $0.ready != "True" } ?? .isReady)
        observeModel(plan, latest)
    }

    /// The address inside the cluster.
    private static func address(_ spec: ServingSpec, _ kind: ServingComponent) -> String {
        let name = ServingNames.componentName(spec.name, kind, predictorName: spec.predictorName)
        return "http://\(name).\(spec.namespace).svc.cluster.local"
    }

    private func revisions(_ spec: ServingSpec, _ plan: RevisionPlan) -> JSONValue {
        var component: JSONValue = [
            "url": .string(Self.address(spec, .predictor)), "address": ["url": .string(Self.address(spec, .predictor))],
            "latestCreatedRevision": .string(plan.latest), "latestReadyRevision": JSONValue(plan.ready),
            "latestRolledoutRevision": JSONValue(plan.rolledOut), "previousRolledoutRevision": JSONValue(plan.previous),
        ]
        let isSplit = plan.traffic.count > 1
        component["traffic"] = .array(
            plan.traffic.map { share in
                [
                    "revisionName": .string(share.revision), "latestRevision": .bool(share.isLatest),
                    "percent": JSONValue(share.percent),
                    "tag": isSplit ? (share.isLatest ? "latest" : "prev") : nil,
                ]
            })
        return component
    }

    private mutating func observeModel(_ plan: RevisionPlan, _ latest: Observation) {
        let active: ModelState? = plan.rolledOut == nil ? nil : .loaded
        let target: ModelState
        let transition: String
        switch latest.ready {
        case "True": (target, transition) = (.loaded, "UpToDate")
        case "False": (target, transition) = (.failed, "BlockedByFailedLoad")
        default: (target, transition) = (plan.isNew ? .pending : .loading, "InProgress")
        }
        var status = json["modelStatus"]
        status["transitionStatus"] = .string(transition)
        status["states"] = [
            "activeModelState": .string(active?.rawValue ?? ""), "targetModelState": .string(target.rawValue),
        ]
        if latest.ready == "False" {
            let message = latest.message
            if status["lastFailureInfo"]["message"].string != message {
                status["lastFailureInfo"] = [
                    "reason": latest.reason == "RolledBack" ? "RuntimeUnhealthy" : "ModelLoadFailed",
                    "message": .string(message), "modelRevisionName": .string(plan.latest),
                    "time": .string(now.rfc3339),
                ]
            }
        } else {
            status["lastFailureInfo"] = .null
        }
        json["modelStatus"] = status
    }

    private mutating func setAll(_ kind: ServingComponent, _ seen: Observation) {
        set("\(kind.title)Ready", seen)
        set("\(kind.title)ConfigurationReady", seen)
        set(kind == .explainer ? "ExplainerRoutesReady" : "\(kind.title)RouteReady", seen)
    }

    private mutating func removeAll(_ kind: ServingComponent) {
        Conditions.remove("\(kind.title)Ready", in: &json)
        Conditions.remove("\(kind.title)ConfigurationReady", in: &json)
        Conditions.remove(kind == .explainer ? "ExplainerRoutesReady" : "\(kind.title)RouteReady", in: &json)
    }

    private mutating func set(_ type: String, _ seen: Observation) {
        let isInfo = !["Ready", "PredictorReady", "IngressReady", "TransformerReady", "ExplainerReady"].contains(type)
        Conditions.set(
            type, seen.ready, reason: seen.reason, message: seen.message, extra: isInfo ? ["severity": "Info"] : [:],
            now: now, in: &json)
    }
}

extension ServingStatus.Observation {
    /// Whether a Deployment's pods answer.
    ///
    /// - Parameters:
    ///   - deployment: nil where it is not there yet.
    ///   - podFailure: what its pods say of why they do not come up.
    /// - Returns: ready, failed with the reason, or not known yet.
    package static func of(_ deployment: KubeObject?, podFailure: String? = nil) -> Self {
        guard let deployment else { return Self(ready: "Unknown", reason: "Creating") }
        let status = deployment.status
        // Before the generation: pods go only when others are there, and a change of their number takes not all of them.
        if Conditions.isTrue("Available", in: status), (status["availableReplicas"].int ?? 0) > 0 { return .isReady }
        guard status["observedGeneration"].int ?? 0 >= deployment.generation else {
            return Self(ready: "Unknown", reason: "Creating")
        }
        if deployment.spec["replicas"].int == 0 { return .isReady }
        if let podFailure { return Self(ready: "False", reason: "ModelLoadFailed", message: podFailure) }
        let progress = Conditions.find("Progressing", in: status)
        if progress["status"].string == "False" {
            return Self(
                ready: "False", reason: progress["reason"].string ?? "ProgressDeadlineExceeded",
                message: progress["message"].string ?? "")
        }
        return Self(
            ready: "Unknown", reason: "MinimumReplicasUnavailable", message: "no pod of \(deployment.name) is ready yet"
        )
    }
}
