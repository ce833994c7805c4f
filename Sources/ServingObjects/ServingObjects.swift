// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What of a component KServe's objects share (ComponentExtensionSpec), read from either form of a predictor.
package struct ComponentSpec: Sendable, Hashable {
    package enum ScaleMetric: String, Sendable { case concurrency, rps, cpu, memory }
    package enum LogMode: String, Sendable { case all, request, response }

    package struct Model: Sendable, Hashable {
        package var format: String
        package var formatVersion: String?
        package var runtime: String?
        package var uri: String?
        /// `v1`, `v2`, `grpc-v2`.
        package var protocolVersion: String
        /// Fields of a container that the object has beside it: resources, env, args.
        package var container: JSONValue

        package init(
            format: String, formatVersion: String? = nil, runtime: String? = nil, uri: String? = nil,
            protocolVersion: String, container: JSONValue
        ) {
            self.format = format
            self.formatVersion = formatVersion
            self.runtime = runtime
            self.uri = uri
            self.protocolVersion = protocolVersion
            self.container = container
        }
    }

    package struct Batching: Sendable, Hashable {
        package var maximum: Int?
        package var latency: Duration?
        package var timeout: Duration?

        package init(maximum: Int? = nil, latency: Duration? = nil, timeout: Duration? = nil) {
            self.maximum = maximum
            self.latency = latency
            self.timeout = timeout
        }
    }
    package struct Logging: Sendable, Hashable {
        package var url: String
        package var mode: LogMode
        package var headers: [String]
        package var annotations: [String]

        package init(url: String, mode: LogMode, headers: [String], annotations: [String]) {
            self.url = url
            self.mode = mode
            self.headers = headers
            self.annotations = annotations
        }
    }

    /// Nil: containers of its own.
    package var model: Model?
    package var podSpec: JSONValue = [:]
    package var minimum = 1
    /// 0: no limit.
    package var maximum = 0
    package var scaleTarget: Int?
    package var scaleMetric: ScaleMetric?
    package var concurrency = 0
    package var timeout: Duration?
    /// Nil: all to the newest that is ready.
    package var canaryPercent: Int?
    package var batching: Batching?
    package var logging: Logging?
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]

    package init() {}
}

/// Why an object cannot be used; goes into its status.
package struct SpecFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// KServe's: `InvalidPredictorSpec`, `NoSupportingRuntime`, `RuntimeNotRecognized`, `RuntimeDisabled`.
    package var reason: String
    package var description: String

    package init(reason: String, _ description: String) {
        self.reason = reason
        self.description = description
    }
}

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

    package init(name: String, namespace: String, generation: Int64, predictor: ComponentSpec) {
        self.name = name
        self.namespace = namespace
        self.generation = generation
        self.predictor = predictor
    }
}

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

    package init(name: String, isClusterWide: Bool) {
        self.name = name
        self.isClusterWide = isClusterWide
    }
}

/// One deployment of a predictor: `NAME-predictor-00001`.
package struct Revision: Sendable, Hashable {
    package var name: String
    /// Hash of what was deployed.
    package var digest: String
    package var isReady: Bool
    package var percent: Int

    package init(name: String, digest: String, isReady: Bool, percent: Int) {
        self.name = name
        self.digest = digest
        self.isReady = isReady
        self.percent = percent
    }
}
