// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a node, or a container on it, used over the last while.
package struct ResourceUsage: Hashable, Sendable {
    /// Billionths of a core.
    package var cpuNanoCores: UInt64
    package var memoryBytes: UInt64
    /// The end of the time over which CPU was averaged.
    package var timestamp: Timestamp
    /// Its length.
    package var window: Duration

    package init(cpuNanoCores: UInt64, memoryBytes: UInt64, timestamp: Timestamp, window: Duration) {
        self.cpuNanoCores = cpuNanoCores
        self.memoryBytes = memoryBytes
        self.timestamp = timestamp
        self.window = window
    }
}

/// What the containers of one pod used.
package struct PodUsage: Sendable, Equatable {
    package var pod: ObjectKey
    package var containers: [(name: String, usage: ResourceUsage)]

    package init(pod: ObjectKey, containers: [(name: String, usage: ResourceUsage)]) {
        self.pod = pod
        self.containers = containers
    }

    package static func == (left: PodUsage, right: PodUsage) -> Bool {
        left.pod == right.pod && left.containers.elementsEqual(right.containers) { $0 == $1 }
    }
}
