// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Starts Jobs by the clock.
struct CronJobReconciler: Reconciler {
    let client: KubeClient
    let cronJobs: Informer
    let jobs: ObjectIndex
    let events: EventSink
    private let written = WrittenObjects()

    init(_ context: ControllerContext, jobs: ObjectIndex) {
        client = context.client("cronjob-controller")
        cronJobs = context.informers.informer(.cronJobs)
        self.jobs = jobs
        events = context.events("cronjob-controller")
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [.objects(of: cronJobs), .owners(of: informers.informer(.jobs), kind: "CronJob")]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let cached = cronJobs.get(key) else {
            written.forget(key)
            return .done
        }
        var cronJob = written.newest(cached)
        let plan = CronJobPlan(cronJob, jobs: try await owned(by: cronJob), now: .now())
        for note in plan.notes {
            if note.isWarning {
                events.warning(cronJob, reason: note.reason, note.message)
            } else {
                events.normal(cronJob, reason: note.reason, note.message)
            }
        }
        for job in plan.expired + plan.replaced { try await delete(job, of: cronJob) }
        cronJob = try await write(plan.status, to: cronJob)
        if let time = plan.start, let job = try await start(cronJob, at: time) {
            _ = try await write(plan.status(with: job, started: time), to: cronJob)
        }
        return .after(plan.after)
    }

    /// Its Jobs, those included that its status names and the watch has not shown yet.
    private func owned(by cronJob: KubeObject) async throws -> [KubeObject] {
        var owned = jobs.owned(by: cronJob.uid)
        let known = Set(owned.map(\.uid))
        for reference in cronJob.status["active"].elements where !known.contains(reference["uid"].string ?? "") {
            do {
                let key = ObjectKey(namespace: cronJob.namespace, name: reference["name"].string ?? "")
                let live = try await client.get(.jobs, key)
                if live.uid == reference["uid"].string { owned.append(live) }
            } catch let error as StatusError where error.isNotFound {
                continue
            }
        }
        return owned
    }

    private func delete(_ job: KubeObject, of cronJob: KubeObject) async throws {
        do {
            try await client.delete(.jobs, job.key, .init(propagationPolicy: "Background", uid: job.uid))
            events.normal(cronJob, reason: "SuccessfulDelete", "Deleted job \(job.name)")
        } catch let error as StatusError where error.isNotFound {
            return
        } catch {
            events.warning(cronJob, reason: "FailedDelete", "Deleted job: \(PodControl.message(of: error))")
            throw error
        }
    }

    /// Creates the Job of a time, or finds it when it was created before; nil when it cannot be.
    private func start(_ cronJob: KubeObject, at time: Timestamp) async throws -> KubeObject? {
        let job = CronJobPlan.job(cronJob, at: time)
        do {
            let created = try await client.create(.jobs, job)
            events.normal(cronJob, reason: "SuccessfulCreate", "Created job \(created.name)")
            return created
        } catch let error as StatusError where error.isAlreadyExists {
            let live = try await client.get(.jobs, job.key)
            return live.controllerOwner?.uid == cronJob.uid ? live : nil
        } catch let error as StatusError where error.isNamespaceTerminating {
            return nil
        } catch {
            events.warning(cronJob, reason: "FailedCreate", "Error creating job: \(PodControl.message(of: error))")
            throw error
        }
    }

    private func write(_ status: JSONValue, to cronJob: KubeObject) async throws -> KubeObject {
        guard status != cronJob.status else { return cronJob }
        var new = cronJob
        new.status = status
        let result = try await client.updateStatus(.cronJobs, new)
        written.note(result)
        return result
    }
}
