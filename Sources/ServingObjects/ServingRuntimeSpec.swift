// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A ServingRuntime or ClusterServingRuntime (serving.kserve.io/v1alpha1).
package struct ServingRuntimeSpec: Sendable, Hashable {
    package struct Format: Sendable, Hashable {
        package var name: String
        package var version: String?
        package var isAutomatic: Bool
        package var priority: Int?

        package init(name: String, version: String? = nil, isAutomatic: Bool, priority: Int? = nil) {
            self.name = name
            self.version = version
            self.isAutomatic = isAutomatic
            self.priority = priority
        }
    }

    package var name: String
    package var isClusterWide: Bool
    package var formats: [Format] = []
    package var protocols: [String] = []
    package var isDisabled = false
    package var isMultiModel = false
    package var created: Int64 = 0
    package var podSpec: JSONValue = [:]
    /// Of its pods.
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]

    package init(name: String, isClusterWide: Bool) {
        self.name = name
        self.isClusterWide = isClusterWide
    }
}
