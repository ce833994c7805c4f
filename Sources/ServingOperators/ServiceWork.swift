// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import ControllerRuntime
import KubeAPI
import ServingObjects

/// One look at an InferenceService: what is declared, what is there, and what is planned.
struct ServiceWork {
    /// Of the workloads of `spec.canary`, which are no revisions.
    static let canaryLabel = "serving.apus.dev/canary"

    let object: KubeObject
    let spec: ServingSpec
    let settings: RolloutSettings
    let configuration: ServingConfiguration
    let runtime: ServingRuntimeSpec?
    let template: PodTemplate
    let scaling: ServingManifests.Scaling
    let now: Timestamp
    /// `NAME-predictor`.
    let component: String
    var status: ServingStatus
    var existing: [RevisionState]
    var plan: RevisionPlan
    /// Of transformer and explainer.
    var templates: [ServingComponent: PodTemplate] = [:]
    private let grace: Duration
    private let latestFailure: String?
    /// Of the revisions' Deployments, as they were read.
    private let versions: [String: String]

    init(
        _ object: KubeObject, _ spec: ServingSpec, _ status: ServingStatus, now: Timestamp, _ stores: ServingStores
    ) throws(SpecFault) {
        self.object = object
        self.spec = spec
        self.status = status
        self.now = now
        settings = try RolloutSettings(object.annotations)
        configuration = stores.configuration
        grace = stores.grace
        let isMultiModel = stores.isMultiModel(spec)
        runtime = try stores.runtime(of: spec.predictor, object.namespace, isMultiModel: isMultiModel)
        var surroundings = PodTemplate.Surroundings()
        surroundings.environment = stores.credentials(of: spec)
        if isMultiModel { surroundings.modelsMap = TrainedModelSpec.mapName(spec.name) }
        template = try PodTemplate.make(spec.predictor, .predictor, runtime: runtime, of: spec, surroundings)
        scaling = ServingManifests.Scaling(spec.predictor, annotations: object.annotations)
        let component = ServingNames.componentName(spec.name, .predictor, predictorName: spec.predictorName)
        self.component = component
        let digest = template.digest
        let selector = LabelSelector(
            matchLabels: [ServingNames.service: spec.name, ServingNames.component: ServingComponent.predictor.rawValue])
        let deployments = stores.deployments.list(namespace: object.namespace, matching: selector)
        versions = Dictionary(
            deployments.map { ($0.name, $0.resourceVersion) }, uniquingKeysWith: { first, _ in first })
        existing = deployments.compactMap { RevisionState($0, component: component) }
        latestFailure =
            existing.first { $0.digest == digest }.flatMap {
                PodFailure.find(stores.pods(of: $0.name, object.namespace)) ?? $0.failure
            }
        plan = RevisionPlan(latest: component)
        replan()
    }

    mutating func replan() {
        var situation = RevisionPlan.Situation(
            component: component, digest: template.digest, existing: existing, now: now, grace: grace)
        situation.canaryPercent = spec.predictor.canaryPercent
        situation.firstStep = settings.isProgressive ? settings.rules.steps.first : nil
        situation.rolledOut = status.rolledOut
        situation.previous = status.previous
        situation.ready = status.ready
        situation.created = status.created
        plan = RevisionPlan.plan(situation)
    }

    func revision(_ name: String) -> RevisionState? { existing.first { $0.name == name } }

    /// The version of a revision's Deployment that it was read from.
    func version(of revision: String) -> String? { versions[revision] }

    mutating func change(_ name: String, _ body: (inout RevisionState) -> Void) {
        guard let index = existing.firstIndex(where: { $0.name == name }) else { return }
        body(&existing[index])
    }

    /// Revisions that stay.
    var kept: [RevisionState] {
        let names = Set(plan.traffic.map(\.revision) + [plan.latest])
        return existing.filter { names.contains($0.name) }
    }

    /// The manifest of a revision; of one that is not declared any more only its name is used.
    func workload(_ name: String) -> ServingManifests.Workload {
        var workload = ServingManifests.Workload(
            name: name, component: .predictor, template: template, scaling: scaling)
        workload.notes = [ServingNames.digest: template.digest]
        return workload
    }

    mutating func observe(
        others: [ServingComponent: ServingStatus.Observation], ingress: ServingStatus.Observation
    ) {
        let latest: ServingStatus.Observation
        let state = revision(plan.latest)
        if let why = state?.rolledBack {
            latest = .init(ready: "False", reason: "RolledBack", message: why)
        } else if plan.isLatestReady {
            latest = .isReady
        } else if let latestFailure {
            latest = .init(ready: "False", reason: "ModelLoadFailed", message: latestFailure)
        } else {
            latest = .init(
                ready: "Unknown", reason: "Creating",
                message: "\(state?.available ?? 0) of \(state?.wanted ?? 1) pods of \(plan.latest) are ready")
        }
        let running = plan.rolledOut.flatMap(revision)
        var predictor = latest
        if state?.rolledBack != nil {
            // The service is as it was.
            predictor = .isReady
        }
        if let running, !running.isAvailable, predictor.ready == "True" {
            predictor = .init(
                ready: "False", reason: "MinimumReplicasUnavailable", message: "no pod of \(running.name) is ready")
        }
        status.observe(
            spec, plan, runtime: runtime, predictor: predictor, latest: latest, others: others, ingress: ingress,
            configuration)
    }
}
