// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// What a TrainedModel declares (serving.kserve.io/v1alpha1): a model for an InferenceService that serves several.
package struct TrainedModelSpec: Sendable, Hashable {
    package var name: String
    package var namespace: String
    package var service: String
    package var uri: String
    package var format: String
    /// Bytes; nil where it does not say.
    package var memory: Int64?
    private var memoryText: String

    /// - Throws: ``SpecFault`` naming the field.
    package init(_ object: KubeObject) throws(SpecFault) {
        name = object.name
        namespace = object.namespace
        service = object.spec["inferenceService"].string ?? ""
        let model = object.spec["model"]
        uri = model["storageUri"].string ?? ""
        format = model["framework"].string ?? ""
        memoryText = model["memory"].string ?? model["memory"].int.map { String($0) } ?? ""
        memory = nil
        for (field, value) in [("spec.inferenceService", service), ("spec.model.storageUri", uri)] where value.isEmpty {
            throw SpecFault(reason: "InvalidSpec", "\(field) is missing")
        }
        if !memoryText.isEmpty {
            guard let quantity = Quantity(memoryText) else {
                throw SpecFault(reason: "InvalidSpec", "spec.model.memory '\(memoryText)' is no quantity such as 256Mi")
            }
            memory = quantity.value
        }
    }

    /// The entry in models.json, as KServe writes it.
    package var entry: JSONValue {
        [
            "modelName": .string(name),
            "modelSpec": [
                "storageUri": .string(uri), "framework": .string(format), "memory": .string(memoryText),
            ],
        ]
    }

    /// KServe's ConfigMap with the models of a service.
    package static func mapName(_ service: String) -> String { "modelconfig-\(service)-0" }
    package static let key = "models.json"

    /// The ConfigMap of these models.
    package static func map(_ models: [TrainedModelSpec], of service: ServingSpec, owner: KubeObject) -> KubeObject {
        var object = KubeObject(.configMaps, namespace: service.namespace, name: mapName(service.name))
        object.ownerReferences = [owner.controllerReference]
        object.labels = [ServingNames.service: service.name, ServingNames.managed: "true"]
        let sorted = models.sorted { $0.name < $1.name }
        object["data"] = [key: .string(JSONValue.array(sorted.map(\.entry)).text)]
        return object
    }
}
