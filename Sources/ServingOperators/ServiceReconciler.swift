// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
package import ControllerRuntime
package import KubeAPI
import KubeClient
import Logging
import ServingObjects

/// Makes InferenceServices what they declare: Deployments and Services of their revisions, a route, autoscalers; moves the
/// traffic to new revisions, and back where they fail.
///
/// All that it has to remember is in objects: which revision has the traffic in the status, steps and rollbacks in
/// annotations of the revisions' Deployments.
package struct ServiceReconciler: Reconciler {
    static let resource = KubeResource(
        group: ServingNames.group, version: "v1beta1", plural: "inferenceservices", kind: "InferenceService")

    let client: KubeClient
    let stores: ServingStores
    let children: Children
    let traffic: TrafficLog
    let events: EventRecorder
    /// How long a revision keeps its pods when it has lost its traffic.
    let grace: Duration
    /// How often revisions that are compared are looked at.
    let interval: Duration
    let logger: Logger

    package func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        // What it is made of goes with it, by its owner references.
        guard let object = stores.services.get(key), !object.isBeingDeleted else { return .done }
        let now = Timestamp.now()
        var status = ServingStatus(object, now: now)
        do {
            let spec = try ServingSpec(object)
            if spec.isStopped {
                try await stop(spec)
                status.stop(generation: object.generation)
                try await write(status, object)
                return .done
            }
            var work = try ServiceWork(object, spec, status, now: now, stores)
            let result = try await make(&work)
            try await write(work.status, object)
            return result
        } catch let fault as SpecFault {
            if Conditions.find("PredictorReady", in: object.status)["message"].string != fault.description {
                await events.warning(object, reason: fault.reason, fault.description)
            }
            status.refuse(fault, generation: object.generation)
            try await write(status, object)
            // A runtime may come; that is seen. Anything else is for the user to change.
            return .done
        }
    }

    /// Brings everything one step on; returns when to look again.
    private func make(_ work: inout ServiceWork) async throws -> ReconcileResult {
        let next = try await rollOut(&work)
        let plan = work.plan
        if plan.isNew {
            guard try await !isMade(work) else { return .after(.milliseconds(100)) }
            try await begin(plan, work)
        }
        for revision in work.kept { try await keep(revision, work) }
        try await keepEntry(work)
        var others: [ServingComponent: ServingStatus.Observation] = [:]
        for kind in [ServingComponent.transformer, .explainer] {
            others[kind] = try await keepComponent(kind, &work)
        }
        let canaries = try await keepCanaries(work)
        let ingress = try await keepRoute(work, canaries)
        let ending = try await cleanCanaries(work)
        try await clean(work)
        await tell(work)
        work.observe(others: others, ingress: ingress)
        let waits = [next, plan.next, ending].compactMap { $0 }
        return .after(waits.min().map { max($0, .milliseconds(100)) })
    }

    // MARK: Revisions

    /// Decides about a canary, and plans with what was decided.
    private func rollOut(_ work: inout ServiceWork) async throws -> Duration? {
        guard let (running, canary) = work.plan.canary, let state = work.revision(canary) else { return nil }
        let settings = work.settings
        let isFixed = work.spec.predictor.canaryPercent != nil || !settings.isProgressive
        let percent = work.plan.traffic.first { $0.revision == canary }?.percent ?? 0
        guard let since = state.since, state.percent == percent else {
            // The step begins now.
            try await note(
                canary, &work, percent: percent,
                [
                    ServingNames.rolloutPercent: .string("\(percent)"),
                    ServingNames.rolloutSince: .string(work.now.rfc3339),
                ])
            await events.normal(
                work.object, reason: "RolloutStep",
                "\(canary) gets \(percent) percent of the traffic, \(running) the rest")
            return interval
        }
        let namespace = work.object.namespace
        let samples = [running, canary].map {
            traffic.sample(ObjectKey(namespace: namespace, name: $0), since: since)
        }
        let step = RolloutDecider.decide(
            settings.rules, percent: percent, isFixed: isFixed, elapsed: work.now - since, stable: samples[0],
            canary: samples[1])
        switch step {
        case .hold: return interval
        case .traffic(let more):
            try await note(
                canary, &work, percent: more,
                [
                    ServingNames.rolloutPercent: .string("\(more)"),
                    ServingNames.rolloutSince: .string(work.now.rfc3339),
                ])
            await events.normal(
                work.object, reason: "RolloutStep",
                "\(canary) gets \(more) percent of the traffic: of \(samples[1].requests) requests at \(percent) percent "
                    + "\(samples[1].failures) failed, of \(running)'s \(samples[0].requests) \(samples[0].failures)")
            return interval
        case .promote:
            try await note(canary, &work, percent: 100, [ServingNames.rolloutPercent: "100"])
            return nil
        case .rollBack(let why):
            guard settings.rollsBack else { return interval }
            try await children.annotate(
                .deployments, ObjectKey(namespace: namespace, name: canary), [ServingNames.rolledBack: .string(why)])
            work.change(canary) { $0.rolledBack = why }
            work.replan()
            logger.notice("\(canary) was rolled back: \(why)", metadata: ["object": "\(work.object.key)"])
            await events.warning(
                work.object, reason: "RolloutRolledBack", "\(canary) lost its \(percent) percent of the traffic: \(why)"
            )
            return nil
        }
    }

    /// Writes how far a revision has come. A conflict when what was decided is of an old copy, so that no step is taken
    /// or begun twice.
    private func note(
        _ revision: String, _ work: inout ServiceWork, percent: Int, _ notes: [String: JSONValue]
    ) async throws {
        try await children.annotate(
            .deployments, ObjectKey(namespace: work.object.namespace, name: revision), notes,
            version: work.version(of: revision))
        let now = work.now
        work.change(revision) { state in
            state.percent = percent
            state.since = now
        }
        work.replan()
    }

    /// Whether the server has the revision that is declared: the copy of the Deployments may be behind the service's own,
    /// and a revision is not to be made twice.
    private func isMade(_ work: ServiceWork) async throws -> Bool {
        let labels =
            "\(ServingNames.service)=\(work.spec.name),"
            + "\(ServingNames.component)=\(ServingComponent.predictor.rawValue)"
        let found = try await client.list(
            .deployments, namespace: work.object.namespace, selection: .init(labels: labels))
        return found.items.contains { RevisionState($0, component: work.component)?.digest == work.template.digest }
    }

    /// Makes the revision that is declared.
    private func begin(_ plan: RevisionPlan, _ work: ServiceWork) async throws {
        var workload = work.workload(plan.latest)
        try await children.apply(
            .services, ServingManifests.service(workload, of: work.spec, owner: work.object), present: nil)
        // Where it is to take all of the traffic at once, it begins with as many pods as have it now.
        let running = work.existing.first { $0.name == plan.rolledOut }?.wanted ?? 0
        let isAtOnce = work.spec.predictor.canaryPercent == nil && !work.settings.isProgressive
        workload.replicas = workload.scaling.fixed ?? max(workload.scaling.initial, isAtOnce ? running : 0)
        let deployment = ServingManifests.deployment(workload, of: work.spec, owner: work.object)
        try await children.create(.deployments, deployment)
        await events.normal(work.object, reason: "RevisionCreated", "\(plan.latest) is made")
    }

    /// What a revision that is there has besides its pods' template, which never changes.
    private func keep(_ revision: RevisionState, _ work: ServiceWork) async throws {
        let key = ObjectKey(namespace: work.object.namespace, name: revision.name)
        guard let deployment = stores.deployments.get(key) else { return }
        let isLatest = revision.name == work.plan.latest
        let scaling =
            revision.rolledBack != nil && work.plan.stopped == revision.name
            ? ServingManifests.Scaling(fixed: 0) : work.scaling
        // Of one that is not declared any more only the number of pods follows what is declared.
        var wanted = scaling.annotations
        wanted = wanted.filter { deployment.annotations[$0.key] != $0.value }
        var changes = wanted.mapValues { JSONValue.string($0) }
        if scaling.annotations.isEmpty {
            for name in deployment.annotations.keys where name.hasPrefix(ServingNames.scalingPrefix) {
                changes[name] = .null
            }
        }
        if !changes.isEmpty { try await children.annotate(.deployments, key, changes) }
        if let fixed = scaling.fixed, deployment.spec["replicas"].int != fixed {
            _ = try await client.patch(
                .deployments, key, .merge, ["spec": ["replicas": JSONValue(fixed)]])
        }
        guard isLatest else { return }
        let workload = work.workload(revision.name)
        try await children.apply(
            .services, ServingManifests.service(workload, of: work.spec, owner: work.object),
            present: stores.serviceObjects.get(key))
        try await keepAutoscaler(workload, key, work)
    }

    /// The HorizontalPodAutoscaler of a workload; none where it is scaled by something else.
    private func keepAutoscaler(
        _ workload: ServingManifests.Workload, _ key: ObjectKey, _ work: ServiceWork
    ) async throws {
        let present = stores.autoscalers.get(key)
        if let autoscaler = ServingManifests.autoscaler(workload, of: work.spec, owner: work.object) {
            try await children.apply(ServingManifests.horizontalPodAutoscalers, autoscaler, present: present)
        } else if present != nil {
            try await children.delete(ServingManifests.horizontalPodAutoscalers, key)
        }
    }

    /// The Service of the predictor's name: it leads to the revision that has the traffic.
    private func keepEntry(_ work: ServiceWork) async throws {
        let name = work.plan.rolledOut ?? work.plan.latest
        let present = stores.serviceObjects.get(ObjectKey(namespace: work.object.namespace, name: work.component))
        // What is declared now has other ports, perhaps.
        if name != work.plan.latest, present?.spec["selector"][ServingNames.revision].string == name { return }
        let manifest = ServingManifests.service(
            work.workload(name), named: work.component, of: work.spec, owner: work.object)
        try await children.apply(.services, manifest, present: present)
    }

    // MARK: Other components

    private func keepComponent(
        _ kind: ServingComponent, _ work: inout ServiceWork
    ) async throws -> ServingStatus.Observation? {
        let namespace = work.object.namespace
        let name = ServingNames.componentName(work.spec.name, kind)
        let key = ObjectKey(namespace: namespace, name: name)
        guard let component = kind == .transformer ? work.spec.transformer : work.spec.explainer else {
            for (informer, resource) in [
                (stores.deployments, KubeResource.deployments), (stores.serviceObjects, .services),
                (stores.autoscalers, ServingManifests.horizontalPodAutoscalers),
            ] where informer.get(key) != nil {
                try await children.delete(resource, key)
            }
            return nil
        }
        var surroundings = PodTemplate.Surroundings()
        let entry = ObjectKey(namespace: namespace, name: work.component)
        // By address: there may be no DNS.
        guard let address = stores.serviceObjects.get(entry)?.spec["clusterIP"].string, !address.isEmpty else {
            return .init(ready: "Unknown", reason: "Creating", message: "the predictor's Service has no address yet")
        }
        surroundings.predictorHost = "\(address):\(ServingNames.servicePort)"
        surroundings.predictorProtocol = work.spec.predictor.model?.protocolVersion ?? "v1"
        let template = try PodTemplate.make(component, kind, runtime: nil, of: work.spec, surroundings)
        let scaling = ServingManifests.Scaling(component, annotations: work.object.annotations)
        let workload = ServingManifests.Workload(name: name, component: kind, template: template, scaling: scaling)
        work.templates[kind] = template
        try await children.apply(
            .services, ServingManifests.service(workload, of: work.spec, owner: work.object),
            present: stores.serviceObjects.get(key))
        let present = stores.deployments.get(key)
        let deployment = ServingManifests.deployment(workload, of: work.spec, owner: work.object)
        if present == nil, workload.replicas == nil {
            try await children.apply(deployment, replicas: scaling.initial)
        } else {
            try await children.apply(.deployments, deployment, present: present)
        }
        try await keepAutoscaler(workload, key, work)
        return .of(present, podFailure: PodFailure.find(stores.pods(of: name, namespace)))
    }

    // MARK: Route and end

    private func keepRoute(
        _ work: ServiceWork, _ canaries: [ServingManifests.Backend]
    ) async throws -> ServingStatus.Observation {
        guard work.configuration.hasIngress else { return .isReady }
        let left = 100 - canaries.reduce(0) { $0 + $1.weight }
        let predictors =
            work.plan.traffic.map { share in
                ServingManifests.Backend(
                    service: share.revision, weight: canaries.isEmpty ? share.percent : share.percent * left / 100,
                    hasGRPC: hasGRPC(share.revision, work))
            } + canaries
        func backend(_ kind: ServingComponent) -> ServingManifests.Backend? {
            work.templates[kind].map {
                .init(
                    service: ServingNames.componentName(work.spec.name, kind), weight: 1, hasGRPC: $0.grpcPort != nil)
            }
        }
        let manifest = ServingManifests.route(
            predictors: predictors, transformer: backend(.transformer), explainer: backend(.explainer), of: work.spec,
            work.configuration, owner: work.object)
        let route: KubeObject
        do {
            route = try await children.apply(
                ServingManifests.httpRoutes, manifest, present: stores.routes.get(work.object.key))
        } catch let error as StatusError where error.isNotFound {
            return .init(
                ready: "False", reason: "NoGatewayAPI",
                message: "HTTPRoute is not served: apply deploy/serving/gateway-api.yaml")
        }
        guard let seen = ServingManifests.acceptance(of: route) else {
            return .init(
                ready: "Unknown", reason: "HTTPRouteNotAccepted",
                message: "no gateway has taken the HTTPRoute yet: is \(work.configuration.gateway) there?")
        }
        return seen.isReady ? .isReady : .init(ready: "False", reason: seen.reason, message: seen.message)
    }

    /// Whether a revision answers gRPC: one that is not declared any more, as its Service says.
    private func hasGRPC(_ revision: String, _ work: ServiceWork) -> Bool {
        let service = stores.serviceObjects.get(ObjectKey(namespace: work.object.namespace, name: revision))
        guard revision != work.plan.latest, let service else { return work.template.grpcPort != nil }
        return service.spec["ports"].elements.contains { $0["name"].string == "grpc" }
    }

    /// Marks revisions without traffic, and removes those whose time is over.
    private func clean(_ work: ServiceWork) async throws {
        let namespace = work.object.namespace
        for name in work.plan.retire {
            try await children.annotate(
                .deployments, ObjectKey(namespace: namespace, name: name),
                [ServingNames.retired: .string(work.now.rfc3339)])
        }
        for name in work.plan.revive {
            try await children.annotate(
                .deployments, ObjectKey(namespace: namespace, name: name), [ServingNames.retired: .null])
        }
        for name in work.plan.remove {
            let key = ObjectKey(namespace: namespace, name: name)
            try await children.delete(.deployments, key)
            try await children.delete(.services, key)
            if stores.autoscalers.get(key) != nil {
                try await children.delete(ServingManifests.horizontalPodAutoscalers, key)
            }
        }
    }

    private func stop(_ spec: ServingSpec) async throws {
        let selector = LabelSelector(matchLabels: [ServingNames.service: spec.name])
        for (informer, resource) in [
            (stores.routes, ServingManifests.httpRoutes),
            (stores.autoscalers, ServingManifests.horizontalPodAutoscalers),
            (stores.deployments, KubeResource.deployments), (stores.serviceObjects, .services),
        ] {
            for object in informer.list(namespace: spec.namespace, matching: selector) {
                try await children.delete(resource, object.key)
            }
        }
    }

    /// Events of a promotion, when the status does not have it yet.
    private func tell(_ work: ServiceWork) async {
        let plan = work.plan
        guard let now = plan.rolledOut, now != work.status.rolledOut else { return }
        let before = work.status.rolledOut
        await events.normal(
            work.object, reason: before == nil ? "RevisionReady" : "RolloutPromoted",
            before.map { "\(now) has all of the traffic; before, \($0) had it" } ?? "\(now) has all of the traffic")
    }

    private func write(_ status: ServingStatus, _ object: KubeObject) async throws {
        guard status.json != object.status else { return }
        var changed = object
        changed.status = status.json
        do {
            _ = try await client.updateStatus(Self.resource, changed)
        } catch let error as StatusError where error.isNotFound {}
    }
}
