// SPDX-License-Identifier: Apache-2.0

/// Settings of a ``NodeAgent``.
package struct NodeAgentConfiguration: Sendable {
    /// Directory of all files of pods; made when missing.
    package var rootDirectory: String
    /// The running Apus program: what the image `apus` runs, and whose directory heads the `PATH` of containers.
    package var apusPath: String
    /// First bytes of the addresses of pods, such as `127.80`.
    package var podAddressPrefix: String = "127.80"
    /// Address of the node itself. Default `127.0.0.1`.
    package var hostAddress: String = "127.0.0.1"
    /// Most pods that the node says it can take. Default 250.
    package var maxPods: Int = 250
    /// How often the node's status is written when it does not change. Default 5 min.
    package var statusInterval: Duration = .seconds(300)
    /// How often the node's lease is renewed. Default 10 s; it is valid four times as long.
    package var leaseInterval: Duration = .seconds(10)
    /// How often it is read what the node and its containers use. Default 15 s.
    package var usageInterval: Duration = .seconds(15)
    /// How many pods are prepared, or containers started, at a time. Default 8.
    package var parallelStarts: Int = 8
    package var timing = PodTiming()
    /// Version that the node reports.
    package var version: String = "v1.36.2"
    /// Variables that all containers get below their own, beside `PATH`; such as those for finding the API server.
    package var baseEnvironment: [String: String] = [:]

    /// - Parameters:
    ///   - rootDirectory: where the files of pods go.
    ///   - apusPath: absolute path of the running program.
    package init(rootDirectory: String, apusPath: String) {
        self.rootDirectory = rootDirectory
        self.apusPath = apusPath
    }
}
