// SPDX-License-Identifier: Apache-2.0
import Logging
import ModelKit
import ServiceLifecycle
import Synchronization

/// The newest model of a folder, replaced without a restart.
final class ServingModel: Service {
    /// A model and its file's name.
    struct Loaded: Sendable {
        let name: String
        let number: Int
        let model: ALSModel
    }

    private let folder: ModelFolder
    private let interval: Duration
    private let logger: Logger
    private let counters: Counters
    private let state = Mutex<Loaded?>(nil)

    init(folder: ModelFolder, interval: Duration, logger: Logger, counters: Counters) {
        self.folder = folder
        self.interval = interval
        self.logger = logger
        self.counters = counters
    }

    /// The model in use; nil before the first.
    var current: Loaded? { state.withLock { $0 } }

    /// Looks for newer models until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var rejected: Set<Int> = []
            while !Task.isCancelled {
                await self.refresh(&rejected)
                try? await Task.sleep(for: self.interval)
            }
        }
    }

    /// Loads the newest model that can be read. A damaged one is told once, and the one before it stays.
    private func refresh(_ rejected: inout Set<Int>) async {
        let folder = folder
        guard let numbers = try? await DedicatedThreads.run({ try folder.numbers() }) else { return }
        for number in numbers.reversed() where !rejected.contains(number) {
            guard number > current?.number ?? 0 else { return }
            let name = ModelFolder.name(number)
            do {
                let model = try await DedicatedThreads.run { try ALSModelFile.read("\(folder.path)/\(name)") }
                state.withLock { $0 = Loaded(name: name, number: number, model: model) }
                counters.add("model_loads_total")
                counters.set("model_number", Double(number))
                logger.info("model loaded", metadata: ["model": "\(name)"])
                return
            } catch {
                rejected.insert(number)
                counters.add("model_load_failures_total")
                logger.warning("model not loaded", metadata: ["model": "\(name)", "error": "\(error)"])
            }
        }
    }
}
