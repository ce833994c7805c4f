// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Synchronization

/// Deletes pods that nobody will end: those of nodes that are gone, and those deleted before they had a node.
struct PodCollector: Reconciler {
    let client: KubeClient
    let nodes: Informer
    let podInformer: Informer
    let quarantine: Duration
    private let missed = Missed()

    /// Since when the node of a pod is missing.
    private final class Missed: Sendable {
        private let moments = Mutex<[ObjectKey: ContinuousClock.Instant]>([:])

        /// How long it is missing; from now on where that is new.
        func time(_ key: ObjectKey) -> Duration {
            let now = ContinuousClock.now
            return moments.withLock { moments in
                let since = moments[key] ?? now
                moments[key] = since
                return now - since
            }
        }

        func forget(_ key: ObjectKey) { moments.withLock { _ = $0.removeValue(forKey: key) } }
    }

    init(_ context: ControllerContext) {
        client = context.client("pod-garbage-collector")
        nodes = context.informers.informer(.nodes)
        podInformer = context.informers.informer(.pods)
        quarantine = context.configuration.missingNodeQuarantine
    }

    func sources(podIndex: ObjectIndex) -> [Controller.Source] {
        [
            Controller.Source(podInformer) { [nodes] event in
                let pod = event.object
                if case .deleted = event { return [] }
                if pod.nodeName.isEmpty { return pod.isBeingDeleted ? [pod.key] : [] }
                return nodes.get(ObjectKey(namespace: "", name: pod.nodeName)) == nil ? [pod.key] : []
            },
            Controller.Source(nodes) { event in
                guard case .deleted(let node) = event else { return [] }
                return podIndex.all(onNode: node.name).map(\.key)
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let pod = podInformer.get(key) else {
            missed.forget(key)
            return .done
        }
        if pod.nodeName.isEmpty {
            if pod.isBeingDeleted { try await remove(pod) }
            return .done
        }
        let node = ObjectKey(namespace: "", name: pod.nodeName)
        guard nodes.get(node) == nil else {
            missed.forget(key)
            return .done
        }
        // A node that was just replaced may register again.
        let rest = quarantine - missed.time(key)
        guard rest <= .zero else { return .after(rest) }
        do {
            _ = try await client.get(.nodes, node)
            return .done
        } catch let error as StatusError where error.isNotFound {
            try await fail(pod)
            try await remove(pod)
            return .done
        }
    }

    private func fail(_ pod: KubeObject) async throws {
        guard !pod.isFinishedPod else { return }
        var new = pod
        new.status["phase"] = "Failed"
        Conditions.set(
            "DisruptionTarget", "True", reason: "DeletionByPodGC", message: "PodGC: node no longer exists",
            now: .now(), in: &new.status)
        do {
            _ = try await client.updateStatus(.pods, new)
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }

    private func remove(_ pod: KubeObject) async throws {
        do {
            try await client.delete(.pods, pod.key, .init(gracePeriodSeconds: 0, uid: pod.uid))
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }
}
