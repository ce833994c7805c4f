// SPDX-License-Identifier: Apache-2.0
package import ModelRuntimes

/// What holds for all models of a server, unless a model's own configuration says otherwise.
package struct EngineConfiguration: Sendable {
    /// Given to runtimes.
    package var runtime = RuntimeOptions()
    /// Bytes that all models may take together.
    package var memoryLimit = Int.max
    /// Whether models that were not given by name go, those used longest ago first, when others need their memory.
    package var evicts = false
    /// Bytes of answers that are kept; 0: none.
    package var cacheBytes = 0
    /// How many runs of a model that is not quick go on at a time.
    package var instances = 1
    /// Requests to one model that may wait.
    package var maximumQueue = 1024
    /// Bytes of the inputs that may wait for one model.
    package var maximumQueuedBytes = 256 << 20
    /// Whether requests to models with an axis of rows are put together, where the model does not say.
    package var isBatching = false
    /// How long a request may wait for others to run with.
    package var batchDelay: Duration = .zero
    /// Rows of such a run, at most; 0: as the model.
    package var maximumBatch = 0
    /// How long a request may wait, where neither it nor the model says.
    package var timeout: Duration?
    /// How long one run may take, where the model does not say, for an instance not to be held for ever; nil: no limit.
    package var runTimeout: Duration? = .seconds(300)
    /// A model whose warm runs take no longer is run on the thread that asks.
    package var inlineLimit: Duration = .microseconds(200)
    /// How long one run of the warm-up may take.
    package var warmUpPatience: Duration = .seconds(10)
    /// Folder of files that come with a load; made when needed.
    package var scratch = "/tmp"

    package init() {}
}
