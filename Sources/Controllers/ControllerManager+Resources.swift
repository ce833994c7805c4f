// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import KubeAPI

extension ControllerManager {
    /// The controllers of volumes, claims and autoscalers.
    static func resources(_ context: ControllerContext) -> [Controller] {
        let informers = context.informers
        let pods = informers.informer(.pods)
        let index = VolumeIndexes(
            volumes: informers.informer(.persistentVolumes), claims: informers.informer(.persistentVolumeClaims),
            pods: pods)
        let claims = ClaimBinder(context, index)
        let volumes = VolumeKeeper(context)
        let claimProtection = VolumeProtection.claims(context, index)
        let volumeProtection = VolumeProtection.volumes(context)
        let ephemeralClaims = EphemeralClaims(context)
        let autoscaler = AutoscalerReconciler(context)
        func controller(_ name: String, _ sources: [Controller.Source], _ reconciler: any Reconciler) -> Controller {
            Controller(name: name, sources: sources, reconciler: reconciler, logger: context.logger)
        }
        return [
            controller("persistentvolume-binder", claims.sources, claims),
            controller("persistentvolume-keeper", volumes.sources(index), volumes),
            controller("pvc-protection-controller", claimProtection.sources(pods: pods), claimProtection),
            controller("pv-protection-controller", volumeProtection.sources(), volumeProtection),
            controller("ephemeral-volume-controller", ephemeralClaims.sources, ephemeralClaims),
            controller("horizontal-pod-autoscaler", autoscaler.sources, autoscaler),
        ]
    }
}
