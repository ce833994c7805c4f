// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import NIOSSL
import Synchronization

/// A server's certificate whose files may change while it serves, as a Secret's do that is renewed: connections after
/// the change have the new one.
final class FollowedCertificate: Sendable {
    private struct State {
        var context: NIOSSLContext
        var marks: [String]
        var looked: ContinuousClock.Instant
    }

    private static let interval: Duration = .seconds(1)

    private let certificate: ServerCertificate
    /// PEM file of those who sign clients' certificates; nil: clients need none.
    private let clients: String?
    private let protocols: [String]
    private let logger: Logger
    private let state: Mutex<State>

    /// - Throws: ``PlatformError`` when the files cannot be used.
    init(_ certificate: ServerCertificate, clients: String?, protocols: [String], logger: Logger) throws {
        self.certificate = certificate
        self.clients = clients
        self.protocols = protocols
        self.logger = logger
        let marks = Self.marks(certificate, clients)
        state = Mutex(
            State(
                context: try Self.context(certificate, clients, protocols), marks: marks, looked: .now))
    }

    /// The context of a new connection. Reads the files where they have changed: small ones, and seldom.
    func context() -> NIOSSLContext {
        state.withLock { state in
            let now = ContinuousClock.now
            guard state.looked.duration(to: now) >= Self.interval else { return state.context }
            state.looked = now
            let marks = Self.marks(certificate, clients)
            guard marks != state.marks else { return state.context }
            state.marks = marks
            do {
                state.context = try Self.context(certificate, clients, protocols)
                logger.notice("the certificate was read anew", metadata: ["file": "\(certificate.chain)"])
            } catch {
                logger.error(
                    "the certificate stays the old one: the new one cannot be used",
                    metadata: ["file": "\(certificate.chain)", "reason": "\(error)"])
            }
            return state.context
        }
    }

    private static func context(
        _ certificate: ServerCertificate, _ clients: String?, _ protocols: [String]
    ) throws -> NIOSSLContext {
        var configuration = try certificate.configuration()
        configuration.applicationProtocols = protocols
        if let clients {
            do {
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(clients))
            } catch {
                throw PlatformError("the clients' authorities \(clients) cannot be used: \(error)")
            }
            configuration.certificateVerification = .noHostnameVerification
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw PlatformError("the certificate \(certificate.chain) cannot be used: \(error)")
        }
    }

    /// Says whether any of the files changed.
    private static func marks(_ certificate: ServerCertificate, _ clients: String?) -> [String] {
        ([certificate.chain, certificate.key] + (clients.map { [$0] } ?? [])).map { path in
            let attributes = (try? FileManager.default.attributesOfItem(atPath: Self.target(path))) ?? [:]
            let parts: [Any?] = [
                attributes[.systemFileNumber], attributes[.size],
                (attributes[.modificationDate] as? Date)?.timeIntervalSince1970,
            ]
            return parts.map { $0.map { "\($0)" } ?? "" }.joined(separator: " ")
        }
    }
    /// A Secret's files are links, to a folder that is another with each change.
    private static func target(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
}
