// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import KubeAPI

extension ControllerManager {
    /// The controllers of kinds that run pods, Deployments and ReplicaSets aside.
    static func workloads(_ context: ControllerContext) -> [Controller] {
        let informers = context.informers
        let job = JobReconciler(context)
        let jobOrphans = JobOrphanReconciler(
            jobs: job.jobs, pods: informers.informer(.pods), podIndex: context.podIndex, tracking: job.tracking)
        let timeToLive = TTLReconciler(context)
        let cronJob = CronJobReconciler(context, jobs: job.jobIndex)
        let revisions = ObjectIndex.byOwner(informers.informer(.controllerRevisions))
        let statefulSet = StatefulSetReconciler(context, revisions: revisions)
        let daemonSet = DaemonSetReconciler(context, revisions: revisions)
        let disruption = DisruptionReconciler(context)
        let replication = ReplicaSetReconciler(context, flavor: .replicationController)
        func controller(_ name: String, _ sources: [Controller.Source], _ reconciler: any Reconciler) -> Controller {
            Controller(name: name, sources: sources, reconciler: reconciler, logger: context.logger)
        }
        return [
            controller("job-controller", job.sources(informers), job),
            controller("job-orphan-controller", jobOrphans.sources(), jobOrphans),
            controller("ttl-after-finished-controller", timeToLive.sources, timeToLive),
            controller("statefulset-controller", statefulSet.sources(informers), statefulSet),
            controller("daemonset-controller", daemonSet.sources(informers), daemonSet),
            controller("disruption-controller", disruption.sources(informers), disruption),
            controller("replication-controller", replication.sources(informers), replication),
            controller("cronjob-controller", cronJob.sources(informers), cronJob),
        ]
    }
}
