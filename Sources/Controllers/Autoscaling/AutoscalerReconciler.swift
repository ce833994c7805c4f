// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Synchronization

/// Keeps the number of replicas where the metrics of a HorizontalPodAutoscaler want it.
///
/// Reads and writes only; what is decided is in ``ReplicaCalculator`` and ``ScalingBehavior``.
struct AutoscalerReconciler: Reconciler {
    /// What each autoscaler remembers; lost at a restart, as upstream.
    final class Histories: Sendable {
        private let all = Mutex<[ObjectKey: ScalingHistory]>([:])

        func change<Result>(_ key: ObjectKey, _ body: (inout ScalingHistory) -> Result) -> Result {
            all.withLock { all in body(&all[key, default: ScalingHistory()]) }
        }

        func forget(_ key: ObjectKey) { all.withLock { _ = $0.removeValue(forKey: key) } }
    }

    let client: KubeClient
    let autoscalers: Informer
    let pods: ObjectIndex
    let events: EventSink
    let configuration: ControllerConfiguration
    let metrics: ScalingMetricsReader
    let targets: ScaleTargets
    let histories = Histories()
    let now: @Sendable () -> Timestamp

    init(_ context: ControllerContext, now: @escaping @Sendable () -> Timestamp = { .now() }) {
        client = context.client("horizontal-pod-autoscaler")
        autoscalers = context.informers.informer(.horizontalPodAutoscalers)
        pods = context.podIndex
        events = context.events("horizontal-pod-autoscaler")
        configuration = context.configuration
        metrics = ScalingMetricsReader(client: client)
        targets = ScaleTargets(client: client)
        self.now = now
    }

    var sources: [Controller.Source] {
        [
            Controller.Source(autoscalers) { event in
                // What it writes itself does not count.
                if case .updated(let old, let new) = event, old.spec == new.spec { return [] }
                return [event.object.key]
            }
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let autoscaler = autoscalers.get(key), !autoscaler.isBeingDeleted else {
            histories.forget(key)
            return .done
        }
        var round = AutoscalerRound(self, autoscaler)
        await round.run()
        do {
            try await write(round)
        } catch let error as StatusError where error.isNotFound || error.isConflict {
            // The next round sees what has changed.
        }
        return .after(configuration.autoscalerSyncPeriod)
    }

    private func write(_ round: AutoscalerRound) async throws {
        guard round.status != round.autoscaler.status else { return }
        var new = round.autoscaler
        new.status = round.status
        _ = try await client.updateStatus(.horizontalPodAutoscalers, new)
    }
}
