// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI
package import KubeStore
package import Logging
import Synchronization

/// The Kubernetes API over a store: every request in, every answer out, no transport.
///
/// Start here: ``handle(_:user:)``. What kinds exist is in its ``ResourceRegistry``; how they travel over HTTPS is in
/// ``HTTPAPIServer``.
package final class APIServer: Sendable {
    /// Bounds and names.
    package struct Configuration: Sendable {
        /// What `/version` says; clients derive the features of the server from it.
        package var gitVersion = "v1.32.4+apus"
        /// How often a watch that asked for bookmarks gets one. Default 60 s.
        package var bookmarkInterval: Duration = .seconds(60)
        /// How long a watch goes on that named no timeout: between this and twice this. Default 30 min.
        package var watchTimeout: Duration = .seconds(1800)
        /// How long an event is kept after it was last written. Default 1 h.
        package var eventLifetime: Duration = .seconds(3600)
        /// Network of cluster IPs. Default 127.96.0.0/16.
        package var serviceNetwork = ServiceNetwork.default
        /// Audience and issuer of service account tokens.
        package var issuer = "https://kubernetes.default.svc.cluster.local"
        /// The most requests that read and that are worked on at a time; the others wait and take turns by user.
        /// A list takes one seat for 100 objects, at most 10. Default 64: reads do not wait for anything, so more at a
        /// time would only delay each other.
        package var readSeats = 64
        /// The most requests that change something and that are worked on at a time. Default 200, as upstream.
        package var writeSeats = 200
        /// Further lines for `/metrics`, in the text format of Prometheus.
        package var furtherMetrics: (@Sendable () -> String)?
        /// Whether pods need a service account that exists, and get its token: where a controller makes the accounts.
        package var requiresServiceAccounts = false

        package init() {}
    }

    let store: KubeStore
    let configuration: Configuration
    let schema: Schema
    let authorizer: any Authorizer
    let admission: [AdmissionPlugin]
    let tokens: TokenIssuer?
    let auditor: Auditor?
    let nodes: (any NodeConnector)?
    let backends: (any BackendConnector)?
    let logger: Logger
    let now: @Sendable () -> Timestamp
    let discovery: DiscoveryCache
    let metrics = ServerMetrics()
    let flow: FlowControl
    let policies: PolicyIndex
    /// URL of the server, once it listens.
    let listenAddress = Mutex<String?>(nil)
    private let registryValue: Mutex<ResourceRegistry>
    /// The kinds that need no definition.
    private let builtIn: ResourceRegistry
    let definitions = DefinitionKeeper()

    /// - Parameters:
    ///   - store: holds the objects; several servers may not share one.
    ///   - configuration: bounds and names.
    ///   - authorizer: decides who may do what; nil for the roles and bindings in the store.
    ///   - admission: steps around every write, after the built-in ones and before quota.
    ///   - tokens: signs service account tokens; without it the `token` subresource is unavailable.
    ///   - auditor: tells of requests; nil tells of none.
    ///   - nodes: reaches node agents for logs; without it the `log` subresource is unavailable.
    ///   - backends: reaches pods for the `proxy` subresources; without it they are unavailable.
    ///   - logger: for what goes wrong.
    ///   - now: the clock.
    package init(
        store: KubeStore, configuration: Configuration = Configuration(),
        authorizer: (any Authorizer)? = nil, admission: [AdmissionPlugin] = [],
        tokens: TokenIssuer? = nil, auditor: Auditor? = nil, nodes: (any NodeConnector)? = nil,
        backends: (any BackendConnector)? = nil, logger: Logger,
        now: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
    ) {
        self.store = store
        self.configuration = configuration
        self.schema = .builtIn
        let authorizer = authorizer ?? RoleAuthorizer(store: store)
        self.authorizer = authorizer
        self.admission = BuiltInAdmission(
            store, requiresAccounts: configuration.requiresServiceAccounts, now: now
        ).plugins(
            around: [
                NodeRestriction(store).plugin, StorageRules.admission(store), ResourceDeclaration.definitionWarnings,
            ] + CertificateRequests.plugins(authorizer) + admission)
        self.tokens = tokens
        self.auditor = auditor
        self.nodes = nodes
        self.backends = backends
        self.logger = logger
        self.now = now
        discovery = DiscoveryCache()
        policies = PolicyIndex(store: store)
        flow = FlowControl(reads: configuration.readSeats, writes: configuration.writeSeats)
        let allocator = ServiceAllocator(network: configuration.serviceNetwork)
        var registry = ResourceRegistry.builtIn(services: allocator)
        if nodes != nil { for declaration in ResourceMetrics.declarations { registry.add(declaration) } }
        registryValue = Mutex(registry)
        builtIn = registry
        restoreAllocations(registry)
        serveDefinitions()
    }

    /// The kinds that are served; may be replaced while requests run.
    package var registry: ResourceRegistry {
        get { registryValue.withLock { $0 } }
        set {
            registryValue.withLock { $0 = newValue }
            discovery.reset()
        }
    }

    /// Serves these custom kinds, and no others, besides the built-in ones.
    func serve(custom declarations: [ResourceDeclaration]) {
        var registry = builtIn
        for declaration in declarations where builtIn.declaration(declaration.resource) == nil {
            registry.add(declaration)
        }
        let before = registryValue.withLock { present in
            defer { present = registry }
            return present
        }
        // Documents of groups that have no custom kinds stay as they are.
        let paths = Set((before.declarations + declarations).filter { $0.reading != nil }.map(\.resource.apiPath))
        discovery.reset(keeping: { name in
            name.hasPrefix("openapi v3 /") && !paths.contains(String(name.dropFirst("openapi v3 ".count)))
        })
    }

    private func restoreAllocations(_ registry: ResourceRegistry) {
        for declaration in registry.declarations {
            guard let allocator = declaration.strategy.allocator else { continue }
            let list = try? store.list(resource: declaration.storageName)
            for object in list?.objects ?? [] {
                if let json = try? JSONParser.parse(object.bytes) { allocator.restore(KubeObject(json)) }
            }
        }
    }

    /// Answers a request; failures are `Status` answers.
    ///
    /// - Parameters:
    ///   - request: what is asked.
    ///   - user: who asks, or the user as whom somebody acts.
    ///   - client: who acts as `user`; nil when that is the same.
    /// - Returns: the answer.
    package func handle(_ request: KubeRequest, user: UserInfo, client: UserInfo? = nil) async -> KubeResponse {
        await handle(request, RequestPath(request.path), user: user, client: client)
    }

    /// Answers a request whose path was taken apart.
    func handle(
        _ request: KubeRequest, _ path: RequestPath?, user: UserInfo, client: UserInfo?
    ) async -> KubeResponse {
        let event = auditEvent(request, path, client: client ?? user, acting: client == nil ? nil : user)
        return await audited(event) {
            await measured(request, path) { () throws(StatusError) in
                try await route(request, path, user: user)
            }
        }
    }

    /// The answer that tells of a failure.
    package static func answer(_ error: StatusError) -> KubeResponse {
        var response = KubeResponse(status: error.code, json: error.json)
        if let seconds = error.retryAfterSeconds { response.headers.append(("Retry-After", String(seconds))) }
        return response
    }
}
