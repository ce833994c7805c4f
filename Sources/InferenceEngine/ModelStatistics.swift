// SPDX-License-Identifier: Apache-2.0

/// What a version of a model did since it was loaded; the protocol's `model_stats`.
package struct ModelStatistics: Sendable, Hashable {
    /// How often something was done, and the time that it took in all.
    package struct Total: Sendable, Hashable {
        package var count: UInt64 = 0
        package var nanoseconds: UInt64 = 0

        package init() {}

        package mutating func add(_ nanoseconds: Int) {
            count += 1
            self.nanoseconds += UInt64(max(nanoseconds, 0))
        }
    }

    /// Of the runs with one number of rows.
    package struct Batch: Sendable, Hashable {
        package var size: Int
        package var input = Total()
        package var inference = Total()
        package var output = Total()

        package init(size: Int) { self.size = size }
    }

    package var name: String
    package var version: String
    /// Milliseconds since 1970 of the last request; 0: none yet.
    package var lastInference: UInt64 = 0
    /// Rows that were answered, 1 for a request to a model without rows.
    package var inferenceCount: UInt64 = 0
    /// Runs of the model; fewer than requests where they were put together.
    package var executionCount: UInt64 = 0
    package var success = Total()
    package var failure = Total()
    package var queue = Total()
    package var input = Total()
    package var inference = Total()
    package var output = Total()
    package var cacheHit = Total()
    package var cacheMiss = Total()
    /// Ascending by size.
    package var batches: [Batch] = []
    /// Requests that wait or run now.
    package var pending = 0
    /// Bytes that the model takes, as well as that is known.
    package var memory = 0

    package init(name: String, version: String) {
        self.name = name
        self.version = version
    }
}
