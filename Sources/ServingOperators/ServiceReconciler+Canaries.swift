// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import ServingObjects

/// The further predictors of `spec.canary[]`: a Deployment and a Service each, which are no revisions.
extension ServiceReconciler {
    /// The predictors of `spec.canary`; those that are ready, with their shares.
    func keepCanaries(_ work: ServiceWork) async throws -> [ServingManifests.Backend] {
        var backends: [ServingManifests.Backend] = []
        let namespace = work.object.namespace
        for canary in work.spec.canaries {
            let name = ServingNames.componentName(work.spec.name, .predictor, predictorName: canary.name)
            let runtime = try stores.runtime(of: canary.component, namespace)
            let template = try PodTemplate.make(
                canary.component, .predictor, runtime: runtime, of: work.spec, PodTemplate.Surroundings())
            let workload = ServingManifests.Workload(
                name: name, component: .predictor, template: template,
                scaling: .init(fixed: max(1, canary.component.minimum)))
            let key = ObjectKey(namespace: namespace, name: name)
            var service = ServingManifests.service(workload, of: work.spec, owner: work.object)
            var deployment = ServingManifests.deployment(workload, of: work.spec, owner: work.object)
            service.labels[ServiceWork.canaryLabel] = "true"
            deployment.labels[ServiceWork.canaryLabel] = "true"
            try await children.apply(.services, service, present: stores.serviceObjects.get(key))
            let present = stores.deployments.get(key)
            try await children.apply(.deployments, deployment, present: present)
            if present?.annotations[ServingNames.retired] != nil {
                try await children.annotate(.deployments, key, [ServingNames.retired: .null])
            }
            if ServingStatus.Observation.of(present).ready == "True" {
                backends.append(.init(service: name, weight: canary.percent, hasGRPC: template.grpcPort != nil))
            }
        }
        return backends
    }

    /// Takes away the predictors of canaries that are not declared any more, when gateways have had the time to hear of
    /// the route without them.
    /// - Returns: when to look again.
    func cleanCanaries(_ work: ServiceWork) async throws -> Duration? {
        let names = Set(
            work.spec.canaries.map {
                ServingNames.componentName(work.spec.name, .predictor, predictorName: $0.name)
            })
        let selector = LabelSelector(
            matchLabels: [ServingNames.service: work.spec.name, ServiceWork.canaryLabel: "true"])
        var next: Duration?
        for old in stores.deployments.list(namespace: work.object.namespace, matching: selector)
        where !names.contains(old.name) && !old.isBeingDeleted {
            guard let since = old.annotations[ServingNames.retired].flatMap(Timestamp.init(rfc3339:)) else {
                try await children.annotate(
                    .deployments, old.key, [ServingNames.retired: .string(work.now.rfc3339)])
                next = min(next ?? grace, grace)
                continue
            }
            let left = grace - (work.now - since)
            guard left <= .zero else {
                next = min(next ?? left, left)
                continue
            }
            try await children.delete(.deployments, old.key)
            try await children.delete(.services, old.key)
        }
        return next
    }
}
