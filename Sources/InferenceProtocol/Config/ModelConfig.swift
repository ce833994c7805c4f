// SPDX-License-Identifier: Apache-2.0

/// How a model is served: the fields of Triton's ModelConfig that mean something here.
package struct ModelConfig: Sendable, Hashable {
    /// Which versions of a folder are served.
    package enum VersionPolicy: Sendable, Hashable {
        case latest(Int)
        case all
        case specific([String])
    }

    /// A request that is run before a model is ready.
    package struct Warmup: Sendable, Hashable {
        package enum Data: Sendable, Hashable { case zero, random }
        package struct Input: Sendable, Hashable {
            package var type: TensorType
            /// Without the axis of rows.
            package var shape: [Int]
            package var data = Data.zero

            package init(type: TensorType, shape: [Int]) {
                self.type = type
                self.shape = shape
            }
        }

        package var name = ""
        /// Rows; 0: the inputs' shapes as they are.
        package var batchSize = 0
        package var count = 1
        package var inputs: [String: Input] = [:]

        package init() {}
    }

    /// One model of an ensemble.
    package struct EnsembleStep: Sendable, Hashable {
        package var model: String
        /// Nil: the newest.
        package var version: String?
        /// The model's inputs to tensors of the ensemble.
        package var inputs: [String: String]
        /// The model's outputs to tensors of the ensemble.
        package var outputs: [String: String]

        package init(model: String, version: String? = nil, inputs: [String: String], outputs: [String: String]) {
            self.model = model
            self.version = version
            self.inputs = inputs
            self.outputs = outputs
        }
    }

    /// Rows of one run; 0: the first axis is not one of rows.
    package var maximumBatch = 0
    /// Whether requests are put together to batches.
    package var isBatching = false
    /// Sizes at which a batch is run at once, ascending.
    package var preferredBatches: [Int] = []
    /// How long a request may wait for others.
    package var queueDelay: Duration = .zero
    /// Levels 1 (most urgent) to this; 0: no levels.
    package var priorityLevels = 0
    /// Of requests that do not say.
    package var defaultPriority = 0
    /// Requests that may wait; 0: the server's default.
    package var maximumQueue = 0
    /// How long a request may wait; nil: as the request says, or for ever.
    package var defaultTimeout: Duration?
    /// How many run at the same time; 0: the server's default.
    package var instances = 0
    package var warmup: [Warmup] = []
    /// Whether equal requests are answered from memory.
    package var isCached = false
    /// Empty for a model of its own.
    package var ensemble: [EnsembleStep] = []
    package var versionPolicy = VersionPolicy.latest(1)
    package var parameters: [String: String] = [:]
    /// Where the configuration says more than the model's file: shapes without the axis of rows; empty: as the file.
    package var inputs: [TensorSpec] = []
    package var outputs: [TensorSpec] = []
    package var platform = ""
    package var backend = ""

    package init() {}
}
