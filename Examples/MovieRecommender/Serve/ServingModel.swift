// SPDX-License-Identifier: Apache-2.0
import Logging
import ModelKit
import ServiceLifecycle
import Synchronization
import TrackingClient

/// The model that an alias names, replaced without a restart when the alias moves.
final class ServingModel: Service {
    /// A model and which version it is.
    struct Loaded: Sendable {
        let version: ModelVersionRecord
        let model: ALSModel

        /// `movies/3`.
        var name: String { "\(version.name)/\(version.version)" }
    }

    private static let eagerInterval = Duration.milliseconds(100)

    private let client: TrackingClient
    private let reference: ModelReference
    private let interval: Duration
    private let logger: Logger
    private let counters: Counters
    private let state = Mutex<Loaded?>(nil)

    init(
        _ reference: ModelReference, of client: TrackingClient, interval: Duration, logger: Logger, counters: Counters
    ) {
        self.client = client
        self.reference = reference
        self.interval = interval
        self.logger = logger
        self.counters = counters
    }

    /// The model in use; nil before the first.
    var current: Loaded? { state.withLock { $0 } }

    /// Follows the alias until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var refused: String?
            while !Task.isCancelled {
                await self.refresh(&refused)
                // Until the first one there is nothing to answer with.
                let pause = self.current == nil ? min(self.interval, Self.eagerInterval) : self.interval
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// Asks which version it is, which is one row of the server's; files are fetched only of another one. The new model is
    /// made ready beside the old one, which answers until then, and goes on where the new one is damaged or the server
    /// cannot be asked. A damaged one is told once, and is looked at again when the alias has been elsewhere.
    private func refresh(_ refused: inout String?) async {
        let found: ModelVersionRecord?
        do throws(TrackingClientError) {
            found = try await client.modelVersion(reference)
        } catch {
            if error.code != .cancelled { counters.add("model_looks_failed_total") }
            return
        }
        // By its source, too: a registry that was set up anew counts from one again.
        guard let found, found.version != current?.version.version || found.source != current?.version.source else {
            refused = nil
            return
        }
        guard found.version != refused else { return }
        refused = nil
        do {
            let model = try await ModelPackage.load(try await client.place(of: found), client)
            let loaded = Loaded(version: found, model: model)
            state.withLock { $0 = loaded }
            counters.add("model_loads_total")
            counters.set("model_version", Double(found.version) ?? 0)
            logger.info("model loaded", metadata: ["model": "\(loaded.name)", "run": "\(found.runID)"])
        } catch {
            if let error = error as? TrackingClientError {
                if error.code == .cancelled { return }
                // The server's fault is tried again. A file that is not there is the model's.
                if [.notFound, .noSuchEndpoint, .badAnswer, .unsupported, .invalid].contains(error.code),
                    !error.isTransient
                {
                    refused = found.version
                }
            } else {
                refused = found.version
            }
            counters.add("model_load_failures_total")
            logger.warning(
                "model not loaded",
                metadata: ["model": "\(reference)", "version": "\(found.version)", "error": "\(error)"])
        }
    }
}
