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
        /// Takes the place of the image's tag.
        package var runtimeVersion: String?
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
