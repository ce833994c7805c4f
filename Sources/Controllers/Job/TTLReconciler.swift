// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Deletes finished Jobs when their time to live is over.
///
/// Source: Kubernetes "Automatic Cleanup for Finished Jobs".
struct TTLReconciler: Reconciler {
    let client: KubeClient
    let jobs: Informer

    init(_ context: ControllerContext) {
        client = context.client("ttl-after-finished-controller")
        jobs = context.informers.informer(.jobs)
    }

    var sources: [Controller.Source] { [.objects(of: jobs)] }

    /// How long a Job is to be kept; nil: until somebody deletes it.
    static func remaining(_ job: KubeObject, now: Timestamp) -> Duration? {
        guard !job.isBeingDeleted, let seconds = job.spec["ttlSecondsAfterFinished"].int,
            let finish = JobPlan.finishTime(job)
        else { return nil }
        return max(.zero, finish + .seconds(seconds) - now)
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let job = jobs.get(key), let rest = Self.remaining(job, now: .now()) else {
            return .done
        }
        guard rest <= .zero else { return .after(rest) }
        do {
            // The copy may be old: the time to live may have been raised.
            let live = try await client.get(.jobs, key)
            guard live.uid == job.uid, let rest = Self.remaining(live, now: .now()) else { return .done }
            guard rest <= .zero else { return .after(rest) }
            try await client.delete(.jobs, key, .init(propagationPolicy: "Foreground", uid: job.uid))
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }
}
