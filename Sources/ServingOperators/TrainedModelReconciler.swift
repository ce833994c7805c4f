// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ControllerRuntime
package import KubeAPI
import KubeClient
import ServingObjects

/// Writes the TrainedModels of an InferenceService into the ConfigMap that its model server follows, and says in their
/// status where they answer. Reconciled by service, for the ConfigMap has all of them.
package struct TrainedModelReconciler: Reconciler {
    let client: KubeClient
    let stores: ServingStores
    let children: Children

    /// By the key of the InferenceService.
    package func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        let objects = stores.models.list(namespace: key.namespace)
            .filter { $0.spec["inferenceService"].string == key.name && !$0.isBeingDeleted }
            .sorted {
                ($0.metadata["creationTimestamp"].string ?? "", $0.name) < (
                    $1.metadata["creationTimestamp"].string ?? "", $1.name
                )
            }
        let owner = stores.services.get(key).flatMap { $0.isBeingDeleted ? nil : $0 }
        let spec = owner.flatMap { try? ServingSpec($0) }
        let isMultiModel = spec.map(stores.isMultiModel) ?? false
        var accepted: [TrainedModelSpec] = []
        var left = spec.flatMap(Self.memory)
        for object in objects {
            var faults: [String: (String, String)] = [:]
            var model: TrainedModelSpec?
            do {
                let declared = try TrainedModelSpec(object)
                model = declared
                if let room = left {
                    let wanted = declared.memory ?? 0
                    if wanted > room {
                        faults["MemoryResourceAvailable"] = (
                            "MemoryResourceNotAvailable",
                            "it declares \(wanted) bytes, and \(room) of the predictor's memory are left"
                        )
                    } else if isMultiModel {
                        left = room - wanted
                    }
                }
            } catch {
                faults["MemoryResourceAvailable"] = (error.reason, error.description)
            }
            if owner == nil {
                faults["InferenceServiceReady"] = ("InferenceServiceNotFound", "there is no InferenceService \(key)")
            } else if !Conditions.isTrue("Ready", in: owner?.status ?? .null) {
                faults["InferenceServiceReady"] = (
                    "InferenceServiceNotReady", "the InferenceService \(key) is not ready"
                )
            }
            if owner != nil, !isMultiModel {
                faults["IsMMSPredictor"] = (
                    "IsNotMMSPredictor",
                    "the InferenceService \(key) has a model of its own: it must have no storageUri"
                )
            }
            // A service that is not ready yet is to load it when it is.
            if let model, faults.keys.allSatisfy({ $0 == "InferenceServiceReady" }), owner != nil {
                accepted.append(model)
            }
            try await write(object, faults, owner, spec)
        }
        if let spec, let owner, isMultiModel {
            let map = TrainedModelSpec.map(accepted, of: spec, owner: owner)
            try await children.apply(.configMaps, map, present: stores.modelMaps.get(map.key))
        }
        return .done
    }

    /// The predictor's limit of memory; nil for none.
    private static func memory(_ spec: ServingSpec) -> Int64? {
        let declared = spec.predictor.model?.container["resources"]["limits"]["memory"]
        return declared?.string.flatMap(Quantity.init)?.value
    }

    private func write(
        _ object: KubeObject, _ faults: [String: (String, String)], _ owner: KubeObject?, _ spec: ServingSpec?
    ) async throws {
        var status = object.status.isNull ? [:] : object.status
        let now = Timestamp.now()
        for type in ["InferenceServiceReady", "IsMMSPredictor", "MemoryResourceAvailable"] {
            let fault = faults[type]
            Conditions.set(
                type, fault == nil ? "True" : "False", reason: fault?.0 ?? "", message: fault?.1 ?? "", now: now,
                in: &status)
        }
        let first = faults.sorted { $0.key < $1.key }.first?.value
        Conditions.set(
            "Ready", first == nil ? "True" : "False", reason: first?.0 ?? "", message: first?.1 ?? "", now: now,
            in: &status)
        status["observedGeneration"] = JSONValue(object.generation)
        let isSecond = spec?.predictor.model?.protocolVersion.hasSuffix("v2") ?? false
        let path = isSecond ? "/v2/models/\(object.name)/infer" : "/v1/models/\(object.name):predict"
        status["url"] = owner?.status["url"].string.map { .string($0 + path) } ?? .null
        status["address"] = owner?.status["address"]["url"].string.map { ["url": .string($0 + path)] } ?? .null
        guard status != object.status else { return }
        var changed = object
        changed.status = status
        do {
            _ = try await client.updateStatus(ServingStores.trainedModels, changed)
        } catch let error as StatusError where error.isNotFound {}
    }
}
