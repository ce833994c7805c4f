// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import UnixSignals

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What every service has: health checks, counters, a ready line, draining on SIGTERM.
struct ServiceHost: Sendable {
    /// The role's name, as in the ready line.
    let role: String
    /// Where to listen.
    let address: ListenAddress
    /// Logs go to standard error.
    let logger: Logger
    /// The counters of `/metrics`.
    let counters: Counters
    /// Set when shutting down.
    private let draining = Flag()
    /// Why the service is not ready, or nil when it is.
    let notReady: @Sendable () async -> String?

    init(
        role: String, address: ListenAddress, counters: Counters = Counters(),
        notReady: @escaping @Sendable () async -> String? = { nil }
    ) {
        self.role = role
        self.address = address
        self.notReady = notReady
        logger = Self.logger(role)
        self.counters = counters
    }

    /// A logger that writes to standard error.
    static func logger(_ role: String) -> Logger {
        Logger(label: "movie-recommender.\(role)", factory: { StreamLogHandler.standardError(label: $0) })
    }

    /// A router with `/healthz`, `/readyz` and `/metrics`; add the service's own routes to it.
    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: DrainMiddleware(draining: draining))
        router.add(middleware: ErrorMiddleware(logger: logger, counters: counters))
        router.get("/healthz") { _, _ in Response.text("ok\n") }
        router.get("/readyz") { _, _ in
            if draining.isOn { return Response.text("not ready: shutting down\n", .serviceUnavailable) }
            if let reason = await notReady() { return Response.text("not ready: \(reason)\n", .serviceUnavailable) }
            return Response.text("ok\n")
        }
        router.get("/metrics") { _, _ in Response.text(counters.exposition(role: role)) }
        return router
    }

    /// Serves until SIGTERM or SIGINT; then is not ready any more but goes on serving for `drain`, so that balancers
    /// notice; then stops accepting, ends what is under way, and ends the `services`.
    func run(
        _ router: Router<BasicRequestContext>, services: [any Service] = [], drain: Duration = .zero
    ) async throws {
        var application = Application(
            router: router,
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? address.port
                StandardOutput.print("ready \(role) http://\(address.host):\(port)")
            },
            logger: logger)
        application.addServices(services)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    ServiceGroupConfiguration.ServiceConfiguration(service: application),
                    // The last is told to shut down first, and the one before it when this one has ended.
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: DrainDelay(duration: drain, draining: draining)),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw CommandFailure("\(address) is taken by another process; choose another address with --listen")
        } catch let error as IOError where error.errnoCode == EADDRNOTAVAIL || error.errnoCode == EACCES {
            throw CommandFailure("\(address) cannot be listened on: \(error.systemReason)")
        }
    }
}

extension IOError {
    /// The system's words for the error.
    fileprivate var systemReason: String { String(cString: strerror(errnoCode)) }
}

/// Asks clients to leave while the service drains, so that none sends a request on a connection about to be closed.
private struct DrainMiddleware: RouterMiddleware {
    let draining: Flag

    func handle(
        _ request: Request, context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        if draining.isOn { response.headers[.connection] = "close" }
        return response
    }
}

/// Holds up the shutdown for a while.
private struct DrainDelay: Service {
    let duration: Duration
    let draining: Flag

    func run() async throws {
        try await gracefulShutdown()
        draining.set()
        try? await Task.sleep(for: duration)
    }
}

/// Something that becomes true once.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isOn: Bool { value.load(ordering: .relaxed) }

    func set() { value.store(true, ordering: .relaxed) }
}

/// Standard output, line by line.
enum StandardOutput {
    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(1) == 1 }

    /// Writes `text` and `terminator` at once.
    static func print(_ text: String, terminator: String = "\n") {
        let bytes = Array((text + terminator).utf8)
        bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count, let base = buffer.baseAddress {
                let length = write(1, base + written, buffer.count - written)
                if length < 0, errno == EINTR { continue }
                guard length > 0 else { return }
                written += length
            }
        }
    }
}
