// SPDX-License-Identifier: Apache-2.0
import Logging
import ModelKit
import S3Protocol
import ServiceLifecycle
import Synchronization

/// The newest model of a folder or a bucket, replaced without a restart.
final class ServingModel: Service {
    /// A model and its name.
    struct Loaded: Sendable {
        let name: String
        let number: Int
        let model: ALSModel
    }

    private static let eagerInterval = Duration.milliseconds(100)

    private let store: any ModelStore
    private let interval: Duration
    private let logger: Logger
    private let counters: Counters
    private let state = Mutex<Loaded?>(nil)

    init(_ store: any ModelStore, interval: Duration, logger: Logger, counters: Counters) {
        self.store = store
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
                // Until the first one there is nothing to answer with.
                let pause = self.current == nil ? min(self.interval, Self.eagerInterval) : self.interval
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// Loads the newest model that can be read. A damaged one is told once, and the one before it stays. While the store
    /// cannot be asked, the model in use stays, too.
    private func refresh(_ rejected: inout Set<Int>) async {
        let numbers: [Int]
        do {
            numbers = try await store.numbers(after: current?.number ?? 0)
        } catch {
            counters.add("model_looks_failed_total")
            return
        }
        for number in numbers.reversed() where !rejected.contains(number) {
            let name = store.name(number)
            do {
                let model = try await store.read(number)
                state.withLock { $0 = Loaded(name: name, number: number, model: model) }
                counters.add("model_loads_total")
                counters.set("model_number", Double(number))
                logger.info("model loaded", metadata: ["model": "\(name)"])
                return
            } catch let error as S3Error {
                // Not the model's fault: it is tried again.
                counters.add("model_load_failures_total")
                logger.warning("model not loaded", metadata: ["model": "\(name)", "error": "\(error)"])
                return
            } catch {
                rejected.insert(number)
                counters.add("model_load_failures_total")
                logger.warning("model not loaded", metadata: ["model": "\(name)", "error": "\(error)"])
            }
        }
    }
}
