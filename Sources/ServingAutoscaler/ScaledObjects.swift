// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import AutoscalingCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging

/// Keeps what ScaledObjects (keda.sh/v1alpha1) name at the size that their triggers want.
struct ScaledObjects: Sendable {
    static let resource = KubeResource(
        group: "keda.sh", version: "v1alpha1", plural: "scaledobjects", kind: "ScaledObject")

    let client: KubeClient
    let namespace: String
    let http: HTTPClient
    let logger: Logger

    func run() async {
        let objects = Informer(Self.resource, client: client, namespace: namespace, logger: logger)
        let reader = TriggerReader(http: http)
        let controller = Controller(
            name: "scaledobject",
            sources: [
                Controller.Source(objects) { event in
                    // What it writes itself does not count.
                    if case .updated(let old, let new) = event, old.spec == new.spec, old.annotations == new.annotations
                    {
                        return []
                    }
                    return [event.object.key]
                }
            ],
            reconciler: ScaledObjectReconciler(client: client, objects: objects, reader: reader),
            workers: 4, logger: logger)
        await withDiscardingTaskGroup { group in
            group.addTask { await objects.run() }
            group.addTask { await controller.run() }
        }
        await reader.close()
    }
}
