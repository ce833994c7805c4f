// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import AsyncHTTPClient
internal import DataFolders
package import InferenceProtocol
package import Logging
package import ModelRuntimes
internal import NIOCore
package import S3Client
internal import Synchronization
package import TrackingClient

package struct ModelSourcesConfiguration: Sendable {
    /// The folder that fetched models go to; they stay there for the next start.
    package var cache: String
    /// Bytes in the cache; beyond it those go that were used longest ago.
    package var cacheLimit = 64 << 30
    /// Bytes of one model, unpacked.
    package var modelLimit = 16 << 30
    /// Files of one model.
    package var fileLimit = 10_000
    /// Nil: as the usual variables say.
    package var s3: S3ClientConfiguration
    package var tracking: TrackingClientConfiguration
    /// For `APUS_VOLUME_…`.
    package var environment: [String: String]

    package init(cache: String, environment: [String: String]) {
        self.cache = cache
        self.environment = environment
        s3 = S3ClientConfiguration(environment: environment)
        tracking = TrackingClientConfiguration(environment: environment)
    }
}

/// Fetches models to this machine. ``shutdown()`` must be called before the last reference goes.
package final class ModelSources: Sendable {
    let configuration: ModelSourcesConfiguration
    let logger: Logger
    let cache: ModelCache
    private let clients = Mutex(Clients())

    /// Made when the first model needs them.
    private struct Clients {
        var s3: S3Client?
        var tracking: TrackingClient?
        var web: HTTPClient?
    }

    package init(_ configuration: ModelSourcesConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        cache = ModelCache(configuration.cache, limit: configuration.cacheLimit)
    }

    /// Closes all connections.
    package func shutdown() async {
        let clients = clients.withLock { clients in
            defer { clients = Clients() }
            return clients
        }
        try? await clients.s3?.shutdown()
        await clients.tracking?.shutdown()
        try? await clients.web?.shutdown()
    }

    /// Says which files a URI names now.
    package func resolve(_ uri: ModelURI) async throws(InferenceFault) -> ResolvedModel {
        switch uri.place {
        case .file(let path): return try local(uri, path)
        case .volume(let claim, let path): return try local(uri, try volume(uri, claim, path))
        case .object(let bucket, let key): return try await objects(uri, bucket, key, version: "1")
        case .web(let address): return try await web(uri, address)
        case .alias, .version, .loggedModel, .run, .artifacts: return try await registered(uri)
        }
    }

    /// Fetches a model, unless the cache has it.
    package func fetch(
        _ model: ResolvedModel, name: String, format: String? = nil
    ) async throws(InferenceFault) -> ModelFolder {
        let path: String
        if case .local(let place) = model.files, model.uri.checksum == nil, Archive.Kind(place) == nil {
            path = place
        } else {
            let entry = Checksum.hexadecimal(of: model.uri.description + "\0" + model.identity)
            path = try await cache.entry(entry) { (folder) async throws(InferenceFault) in
                try await self.fill(folder, model)
            }
        }
        return ModelFolder(name: name, version: model.version, path: path, format: format)
    }

    /// Says which files a URI names now, and fetches them.
    package func fetch(
        _ uri: ModelURI, name: String, format: String? = nil
    ) async throws(InferenceFault) -> ModelFolder {
        try await fetch(try await resolve(uri), name: name, format: format)
    }

    // MARK: Clients

    func s3() throws(InferenceFault) -> S3Client {
        let result: Result<S3Client, InferenceFault> = clients.withLock { clients in
            if let made = clients.s3 { return .success(made) }
            do {
                let made = try S3Client(configuration.s3, logger: logger)
                clients.s3 = made
                return .success(made)
            } catch { return .failure(InferenceFault(.invalid, "S3: \(error)")) }
        }
        return try result.get()
    }

    func tracking() throws(InferenceFault) -> TrackingClient {
        let result: Result<TrackingClient, InferenceFault> = clients.withLock { clients in
            if let made = clients.tracking { return .success(made) }
            do {
                let made = try TrackingClient(configuration.tracking, logger: logger)
                clients.tracking = made
                return .success(made)
            } catch { return .failure(InferenceFault(.invalid, "tracking server: \(error)")) }
        }
        return try result.get()
    }

    func http() -> HTTPClient {
        clients.withLock { clients in
            if let made = clients.web { return made }
            var settings = HTTPClient.Configuration()
            settings.redirectConfiguration = .follow(max: 5, allowCycles: false)
            settings.timeout = .init(connect: .seconds(10), read: .seconds(60))
            // Without its own: it would hide for seconds that nobody listens.
            settings.connectionPool.retryConnectionEstablishment = false
            settings.connectionPool.idleTimeout = .seconds(3)
            let made = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
            clients.web = made
            return made
        }
    }
}
