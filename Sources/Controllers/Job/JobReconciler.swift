// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Synchronization

/// Runs pods until enough of them have succeeded, or too many failed.
///
/// Not done: `podFailurePolicy`, `successPolicy`, `backoffLimitPerIndex`, and the tracking finalizer (``JobTally``).
struct JobReconciler: Reconciler {
    let client: KubeClient
    let jobs: Informer
    let jobIndex: ObjectIndex
    let pods: ObjectIndex
    let control: PodControl
    let configuration: ControllerConfiguration
    private let wakeups = Wakeups()
    private let tallies = Tallies()

    private final class Tallies: Sendable {
        let byJob = Mutex<[ObjectKey: (uid: String, tally: JobTally)]>([:])
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
        guard let job = jobs.get(key) else {
            control.expectations.forget(key)
            wakeups.forget(key)
            tallies.byJob.withLock { _ = $0.removeValue(forKey: key) }
            return .done
        }
        let manager = job.spec["managedBy"].string ?? "kubernetes.io/job-controller"
        guard !job.isBeingDeleted, manager == "kubernetes.io/job-controller" else { return .done }
        if let finish = JobPlan.finishTime(job) { return try await expire(job, finish) }
        let ownership = Ownership(
            owner: job, selector: try JobPod.selector(job), owned: pods.owned(by: job.uid),
            orphans: pods.orphans(in: key.namespace))
        let owned = try await ownership.apply(.pods, owner: job, as: .jobs, client: client)
        let now = Timestamp.now()
        let tally = tallies.byJob.withLock { tallies in
            var tally = JobTally(job: job, pods: owned, now: now)
            if let known = tallies[key], known.uid == job.uid {
                tally = known.tally
                tally.count(owned, now: now)
            }
            tallies[key] = (job.uid, tally)
            return tally
        }
        if let wait = control.expectations.remaining(key) { return wakeups.result(key, after: wait) }
        return try await carryOut(job, pods: owned, tally: tally, now: now)
    }

    private func carryOut(
        _ job: KubeObject, pods: [KubeObject], tally: JobTally, now: Timestamp
    ) async throws -> ReconcileResult {
        let backoff = JobPlan.Backoff(base: configuration.jobBackoffBase, limit: configuration.jobBackoffLimit)
        let plan = JobPlan(job, pods: pods, tally: tally, backoff: backoff, now: now)
        // What a Job decided is written before it is acted on, so that a restart comes to the same end.
        if plan.status != job.status {
            var new = job
            new.status = plan.status
            do {
                _ = try await client.updateStatus(.jobs, new)
            } catch let error as StatusError where error.isNotFound {
                return .done
            }
        }
        for event in plan.events {
            if event.isWarning {
                control.events.warning(job, reason: event.reason, event.message)
            } else {
                control.events.normal(job, reason: event.reason, event.message)
            }
        }
        if !plan.deletions.isEmpty {
            let uids = plan.deletions.map(\.uid)
            tallies.byJob.withLock { $0[job.key]?.tally.dismiss(uids) }
            if let failure = await control.delete(plan.deletions, owner: job) { throw failure }
        }
        if !plan.creations.isEmpty {
            let pods = plan.creations.prefix(configuration.burst).map { JobPod.make(job, index: $0) }
            if let failure = await control.create(pods, owner: job),
                (failure as? StatusError)?.isNamespaceTerminating != true
            {
                throw failure
            }
        }
        return wakeups.result(job.key, after: plan.after)
    }

    /// Deletes a finished Job when its time to live is over.
    private func expire(_ job: KubeObject, _ finish: Timestamp) async throws -> ReconcileResult {
        guard let seconds = job.spec["ttlSecondsAfterFinished"].int else { return .done }
        let rest = finish + .seconds(seconds) - .now()
        guard rest <= .zero else { return wakeups.result(job.key, after: rest) }
        do {
            try await client.delete(.jobs, job.key, .init(propagationPolicy: "Background", uid: job.uid))
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }
}
