// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Synchronization

/// Lets go of pods that are held by the Jobs' finalizer, and remembers which until the watch shows it.
final class JobTracking: Sendable {
    private let client: KubeClient
    private let gone = Mutex<Set<String>>([])

    /// Make it before the informer runs.
    init(client: KubeClient, pods: Informer) {
        self.client = client
        pods.onChange { [weak self] event in
            if case .deleted(let pod) = event {
                self?.forget(pod)
            } else if !event.object.finalizers.contains(JobPod.finalizer) {
                self?.forget(event.object)
            }
        }
    }

    /// Uids of pods that are not held any more, though copies may still show the finalizer.
    var released: Set<String> { gone.withLock { $0 } }

    private func forget(_ pod: KubeObject) { gone.withLock { _ = $0.remove(pod.uid) } }

    /// Removes the finalizer from pods that have it.
    func release(_ pods: [KubeObject]) async throws {
        let held = gone.withLock { gone in
            pods.filter { $0.finalizers.contains(JobPod.finalizer) && !gone.contains($0.uid) }
        }
        guard !held.isEmpty else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, pod) in held.enumerated() {
                if index >= 16 { try await group.next() }
                group.addTask { try await self.release(pod) }
            }
            try await group.waitForAll()
        }
    }

    private func release(_ pod: KubeObject) async throws {
        let change: JSONValue = [
            "metadata": [
                "uid": .string(pod.uid), "$deleteFromPrimitiveList/finalizers": [.string(JobPod.finalizer)],
            ]
        ]
        // Noted first: the watch may show the change before the answer comes.
        gone.withLock { _ = $0.insert(pod.uid) }
        do {
            _ = try await client.patch(.pods, pod.key, .strategicMerge, change)
        } catch let error as StatusError where error.isNotFound {
            forget(pod)
        } catch {
            forget(pod)
            throw error
        }
    }
}

/// Lets go of pods whose Job is gone, so that they can be deleted.
///
/// Source: Kubernetes "Jobs", "Job tracking with finalizers".
struct JobOrphanReconciler: Reconciler {
    let jobs: Informer
    let pods: Informer
    let podIndex: ObjectIndex
    let tracking: JobTracking

    func sources() -> [Controller.Source] {
        [
            Controller.Source(pods) { event in
                let pod = event.object
                guard pod.finalizers.contains(JobPod.finalizer) else { return [] }
                let isOwned = pod.controllerOwner?.kind == "Job"
                return pod.isBeingDeleted || !isOwned ? [pod.key] : []
            },
            Controller.Source(jobs) { [podIndex] event in
                guard case .deleted(let job) = event else { return [] }
                return podIndex.owned(by: job.uid).map(\.key)
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let pod = pods.get(key), pod.finalizers.contains(JobPod.finalizer) else { return .done }
        if let owner = pod.controllerOwner, owner.kind == "Job",
            let job = jobs.get(ObjectKey(namespace: pod.namespace, name: owner.name)), job.uid == owner.uid,
            JobPlan.finishTime(job) == nil
        {
            return .done
        }
        try await tracking.release([pod])
        return .done
    }
}
