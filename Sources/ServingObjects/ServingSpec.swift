// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// What an InferenceService declares (serving.kserve.io/v1beta1).
package struct ServingSpec: Sendable, Hashable {
    package struct Canary: Sendable, Hashable {
        package var name: String
        package var percent: Int
        package var component: ComponentSpec

        package init(name: String, percent: Int, component: ComponentSpec) {
            self.name = name
            self.percent = percent
            self.component = component
        }
    }

    package var name: String
    package var namespace: String
    package var generation: Int64
    package var predictor: ComponentSpec
    package var predictorName = ""
    package var transformer: ComponentSpec?
    package var explainer: ComponentSpec?
    package var canaries: [Canary] = []
    package var isStopped = false
    package var annotations: [String: String] = [:]
    package var labels: [String: String] = [:]

    package init(name: String, namespace: String, generation: Int64, predictor: ComponentSpec) {
        self.name = name
        self.namespace = namespace
        self.generation = generation
        self.predictor = predictor
    }
}
