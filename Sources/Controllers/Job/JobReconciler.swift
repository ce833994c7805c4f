// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Synchronization

/// Runs pods until enough of them have succeeded, or too many failed.
struct JobReconciler: Reconciler {
    let client: KubeClient
    let jobs: Informer
    let jobIndex: ObjectIndex
    let pods: ObjectIndex
    let control: PodControl
    let configuration: ControllerConfiguration
    let tracking: JobTracking
    private let memory = Memory()
    private let written = WrittenObjects()

    /// What is kept of each Job between reconciliations; lost at a restart, as upstream.
    private final class Memory: Sendable {
        let backoffs = Mutex<[ObjectKey: (uid: String, backoff: JobBackoff)]>([:])
    }

    init(_ context: ControllerContext) {
        let name = "job-controller"
        client = context.client(name)
        jobs = context.informers.informer(.jobs)
        jobIndex = .byOwner(jobs)
        pods = context.podIndex
        configuration = context.configuration
        let expectations = Expectations(timeout: configuration.expectationTimeout)
        expectations.observe(context.informers.informer(.pods), ownerKind: "Job")
        control = PodControl(client: client, events: context.events(name), expectations: expectations)
        tracking = JobTracking(client: client, pods: context.informers.informer(.pods))
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: jobs),
            .owners(of: informers.informer(.pods), kind: "Job"),
            Controller.Source(informers.informer(.pods)) { [jobIndex] event in
                let pod = event.object
                guard pod.controllerOwner == nil, !pod.isBeingDeleted else { return [] }
                return jobIndex.all(in: pod.namespace).filter { job in
                    (try? JobPod.selector(job))?.matches(pod.labels) == true
                }.map(\.key)
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let cached = jobs.get(key) else {
            control.expectations.forget(key)
            written.forget(key)
            memory.backoffs.withLock { _ = $0.removeValue(forKey: key) }
            return .done
        }
        let job = written.newest(cached)
        guard (job.spec["managedBy"].string ?? JobPlan.managerName) == JobPlan.managerName else { return .done }
        if job.isBeingDeleted || JobPlan.finishTime(job) != nil {
            // Nothing is counted any more: no pod of it is held.
            try await tracking.release(pods.owned(by: job.uid))
            return .done
        }
        // Read before the pods: a pod leaves this set only once the copies show that it is let go.
        let released = tracking.released
        let ownership = Ownership(
            owner: job, selector: try JobPod.selector(job), owned: pods.owned(by: job.uid),
            orphans: pods.orphans(in: key.namespace), finalizer: JobPod.finalizer)
        let owned = try await ownership.apply(.pods, owner: job, as: .jobs, client: client)
        if let wait = control.expectations.remaining(key) { return .after(wait) }
        return try await carryOut(job, pods: owned, released: released)
    }

    private func backoff(of job: KubeObject) -> JobBackoff {
        memory.backoffs.withLock { backoffs in
            guard let known = backoffs[job.key], known.uid == job.uid else { return JobBackoff() }
            return known.backoff
        }
    }

    private func carryOut(
        _ given: KubeObject, pods: [KubeObject], released earlier: Set<String>
    ) async throws -> ReconcileResult {
        var job = given
        var released = earlier
        let timing = JobBackoff.Timing(base: configuration.jobBackoffBase, limit: configuration.jobBackoffLimit)
        while true {
            let plan = JobPlan(
                job, pods: pods, released: released, backoff: backoff(of: job), timing: timing, now: .now())
            // What a Job decided is written before it is acted on, so that a restart comes to the same end.
            if plan.status != job.status {
                var new = job
                new.status = plan.status
                do {
                    job = try await client.updateStatus(.jobs, new)
                } catch let error as StatusError where error.isNotFound {
                    return .done
                }
                written.note(job)
            }
            memory.backoffs.withLock { $0[job.key] = (job.uid, plan.backoff) }
            for event in plan.events {
                if event.isWarning {
                    control.events.warning(job, reason: event.reason, event.message)
                } else {
                    control.events.normal(job, reason: event.reason, event.message)
                }
            }
            // The last failed pod of an index carries the count that its successor takes over.
            try await create(plan, job)
            try await tracking.release(plan.releases)
            released.formUnion(plan.releases.map(\.uid))
            try await delete(plan, job)
            // Finalizers that went let counts settle and, with nothing left to do, the end be declared.
            let isSettling = !plan.releases.isEmpty && plan.creations.isEmpty && plan.terminations.isEmpty
            guard isSettling, plan.dismissals.isEmpty else { return .after(plan.after) }
        }
    }

    private func create(_ plan: JobPlan, _ job: KubeObject) async throws {
        guard !plan.creations.isEmpty else { return }
        let pods = plan.creations.prefix(configuration.burst).map { JobPod.make(job, $0) }
        if let failure = await control.create(pods, owner: job),
            (failure as? StatusError)?.isNamespaceTerminating != true
        {
            throw failure
        }
    }

    private func delete(_ plan: JobPlan, _ job: KubeObject) async throws {
        try await tracking.release(plan.dismissals)
        let pods = (plan.dismissals + plan.terminations).prefix(configuration.burst)
        guard !pods.isEmpty else { return }
        if let failure = await control.delete(Array(pods), owner: job) { throw failure }
    }
}
