// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import Logging
import ModelRuntimes

/// Makes a model of a folder: loads, looks whether it is what its configuration says, and warms it up. Blocks.
struct ModelLoader {
    let configuration: EngineConfiguration
    let runtimes: RuntimeRegistry
    let logger: Logger

    func load(
        _ folder: ModelFolder, config: (ModelSignature) throws(InferenceFault) -> ModelConfig, memoryLimit: Int,
        load: UInt64, cache: SharedCache?, timekeeper: Timekeeper
    ) throws(InferenceFault) -> ModelCore.Parts {
        var options = configuration.runtime
        options.memoryLimit = min(options.memoryLimit, memoryLimit)
        let loaded = try runtimes.load(folder, options)
        var signature = loaded.signature
        let config = try config(signature)
        try Self.apply(config, to: &signature, of: folder.name)
        var rules = rules(config, signature)
        let box = InstanceBox(try loaded.makeInstance())
        let warm = WarmUp(signature: signature, name: folder.name, patience: configuration.warmUpPatience)
        for declared in config.warmup { try warm.run(declared, on: box.instance) }
        let measured = warm.measure(box.instance)
        if rules.maximumBatch > 1, !measured.keepsRows {
            logger.warning(
                "a model's outputs do not have the rows of its inputs: requests are not put together",
                metadata: [
                    "model": "\(folder.name)", "version": "\(folder.version)",
                ])
            rules.maximumBatch = 0
        }
        let isQueued =
            rules.delay > .zero && rules.maximumBatch > 1 || config.parameters["inline"] == "false" || loaded.waits
        return ModelCore.Parts(
            name: folder.name, version: folder.version, signature: signature, config: config, loaded: loaded,
            instances: [box], samples: measured.samples,
            inlineLimit: isQueued || measured.samples.isEmpty ? 0 : configuration.inlineLimit.nanoseconds,
            rules: rules, threads: max(1, config.instances > 0 ? config.instances : configuration.instances),
            timeout: configuration.timeout,
            runTimeout: try Self.runTimeout(config, of: folder.name) ?? configuration.runTimeout,
            cache: config.isCached ? cache : nil, timekeeper: timekeeper, load: load,
            logger: logger)
    }

    /// The parameter `run_timeout` of a configuration, in seconds.
    /// - Returns: nil where it is not there; 0 there is no limit, which a run of a century does not know from one.
    static func runTimeout(_ config: ModelConfig, of name: String) throws(InferenceFault) -> Duration? {
        guard let text = config.parameters["run_timeout"] else { return nil }
        guard let seconds = Double(text), seconds >= 0, seconds <= 1e9 else {
            throw InferenceFault(
                .invalid,
                "model '\(name)': the parameter run_timeout is a number of seconds, 0 for no limit, not '\(text)'")
        }
        return .seconds(seconds > 0 ? seconds : 1e9)
    }

    /// What the configuration says of rows holds, where the model can do it.
    static func apply(
        _ config: ModelConfig, to signature: inout ModelSignature, of name: String
    ) throws(InferenceFault) {
        guard config.maximumBatch > 0 else { return signature.maximumBatch = 0 }
        guard signature.maximumBatch > 0 else {
            throw InferenceFault(
                .invalid,
                """
                model '\(name)': max_batch_size is \(config.maximumBatch), but the model has no first axis of any length \
                in all its inputs and outputs: set max_batch_size to 0
                """)
        }
        signature.maximumBatch = min(config.maximumBatch, signature.maximumBatch)
    }

    private func rules(_ config: ModelConfig, _ signature: ModelSignature) -> ModelCore.Queue.Rules {
        var rules = ModelCore.Queue.Rules()
        if config.isBatching || configuration.isBatching, signature.maximumBatch > 1 {
            // Where neither says, a run of very many rows would make all wait.
            let most = config.isBatching ? 0 : configuration.maximumBatch
            rules.maximumBatch = most > 0 ? min(most, signature.maximumBatch) : min(signature.maximumBatch, 1024)
            rules.delay = config.isBatching ? config.queueDelay : configuration.batchDelay
            rules.preferred = config.preferredBatches.filter { $0 <= rules.maximumBatch }
        }
        rules.maximumRequests = config.maximumQueue > 0 ? config.maximumQueue : configuration.maximumQueue
        rules.maximumBytes = configuration.maximumQueuedBytes
        rules.levels = max(1, config.priorityLevels)
        rules.defaultLevel = max(1, config.defaultPriority)
        return rules
    }
}
