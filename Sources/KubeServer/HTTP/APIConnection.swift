// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Dispatch
import HTTPTypes
import HummingbirdCore
import KubeAPI
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization

/// Answers the requests of one connection.
final class APIConnection: Sendable {
    private enum Peer {
        case unknown
        case known(UserInfo?)
    }

    private let server: APIServer
    private let authenticator: Authenticator
    private let compressed: GzipCache
    private let logger: Logger
    private let peer = Mutex(Peer.unknown)

    init(server: APIServer, authenticator: Authenticator, compressed: GzipCache, logger: Logger) {
        self.server = server
        self.authenticator = authenticator
        self.compressed = compressed
        self.logger = logger
    }

    /// An answer, and the seats that its request has until it is sent.
    private struct Answered {
        var response: KubeResponse
        var permit: FlowControl.Permit?
    }

    func respond(to request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        let answered = try await answer(request, channel)
        var response = answered.response
        logger.debug(
            "request",
            metadata: [
                "method": "\(request.method.rawValue)", "path": "\(request.head.path ?? "")",
                "status": "\(response.status)",
            ])
        guard case .stream(let chunks) = response.body else {
            if case .bytes(let bytes) = response.body, bytes.count >= Gzip.threshold {
                compress(&response, bytes, request)
                // A large answer keeps its seats while it is sent, but not for a client that does not take it.
                answered.permit?.leave(after: Self.longestSending)
            } else {
                answered.permit?.leave()
            }
            try await Self.send(response, isHead: request.method == .head, writer)
            answered.permit?.leave()
            return
        }
        answered.permit?.leave()
        defer { response.onEnd?() }
        if request.method == .head { return try await writer.writeResponse(Self.head(response)) }
        let call = Self.call(request, channel)
        // A watch counts itself.
        let presence =
            chunks is WatchStream ? nil : server.metrics.longRunning.enter(server.labels(call, RequestPath(call.path)))
        try await stream(chunks, response, writer, channel)
        withExtendedLifetime(presence) {}
    }

    private static let longestSending = DispatchTimeInterval.seconds(1)

    private func compress(_ response: inout KubeResponse, _ bytes: [UInt8], _ request: Request) {
        guard Gzip.isAccepted(request.headers[.acceptEncoding]),
            !response.headers.contains(where: { $0.name == "Content-Encoding" })
        else { return }
        let tag = response.headers.first { $0.name.lowercased() == "etag" }?.value
        guard let smaller = compressed.compressed(bytes, tag: tag.map { "\($0) \(response.contentType)" }) else {
            return
        }
        response.body = .bytes(smaller)
        response.headers.append(("Content-Encoding", "gzip"))
        response.headers.append(("Vary", "Accept-Encoding"))
    }

    private func answer(_ request: Request, _ channel: any Channel) async throws -> Answered {
        let certificateUser = try await certificateUser(channel)
        guard
            let client = await authenticator.user(
                certificateUser: certificateUser, authorization: request.headers[.authorization])
        else { return refused(.unauthorized(), request, UserInfo(name: ""), channel) }
        let user: UserInfo
        do throws(StatusError) {
            let acting = try Impersonation(
                headers: request.headers.lazy.map { (name: $0.name.canonicalName, value: $0.value) })
            if let acting { user = try server.impersonate(acting, by: client) } else { user = client }
        } catch {
            return refused(error, request, client, channel)
        }
        let impersonator = user.isImpersonated ? client : nil
        var call = Self.call(request, channel)
        let path = RequestPath(call.path)
        let requestClass = RequestClass(call, path, store: server.store, registry: server.registry)
        if requestClass.isProxied {
            Self.passOn(request, &call)
        } else {
            do throws(StatusError) {
                call.body = try await Self.body(of: request)
            } catch {
                return refused(error, request, client, channel)
            }
        }
        guard let level = requestClass.level else {
            return Answered(response: await server.handle(call, path, user: user, client: impersonator))
        }
        let permit = await server.flow.enter(
            level, flow: RequestClass.flow(of: user, userAgent: call.userAgent), width: requestClass.width)
        guard let permit else {
            var error = StatusError(
                code: 429, reason: "TooManyRequests", message: "Too many requests, please try again later.")
            error.retryAfterSeconds = 1
            return refused(error, request, client, channel)
        }
        return Answered(response: await server.handle(call, path, user: user, client: impersonator), permit: permit)
    }

    private static func call(_ request: Request, _ channel: any Channel) -> KubeRequest {
        let target = request.head.path ?? "/"
        let end = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        var call = KubeRequest(
            method: request.method.rawValue, path: String(target[..<end]),
            query: end == target.endIndex ? [] : PercentEncoding.query(target[end...].dropFirst()),
            contentType: request.headers[.contentType] ?? "", accept: request.headers[.accept] ?? "",
            userAgent: request.headers[.userAgent] ?? "")
        call.sourceAddress = channel.remoteAddress?.ipAddress ?? ""
        return call
    }

    /// What a backend gets, it gets as it came.
    private static func passOn(_ request: Request, _ call: inout KubeRequest) {
        call.headers = request.headers.filter { !$0.name.canonicalName.hasPrefix("impersonate-") }.map {
            ($0.name.rawName, $0.value)
        }
        if let authority = request.head.authority { call.headers.append(("Host", authority)) }
        if let target = request.head.path, let mark = target.firstIndex(of: "?") {
            call.rawQuery = String(target[target.index(after: mark)...])
        }
        let hasBody = request.headers[.contentLength].map { $0 != "0" } ?? (request.headers[.transferEncoding] != nil)
        if hasBody { call.bodyStream = request.body.map { [UInt8](buffer: $0) } }
    }

    /// The answer to a request that does not get to the server.
    private func refused(
        _ error: StatusError, _ request: Request, _ client: UserInfo, _ channel: any Channel
    ) -> Answered {
        let call = Self.call(request, channel)
        let path = RequestPath(call.path)
        server.metrics.requests.record(server.labels(call, path), code: error.code, seconds: nil)
        let response = APIServer.answer(error)
        server.auditEvent(call, path, client: client)?.answered(response)
        return Answered(response: response)
    }

    /// The user of the client's certificate, looked up once per connection.
    private func certificateUser(_ channel: any Channel) async throws -> UserInfo? {
        if case .known(let user) = peer.withLock({ $0 }) { return user }
        let certificate = try await channel.nioSSL_peerCertificate().get()
        let user = try certificate.flatMap { ClusterPKI.user(certificateDER: try $0.toDERBytes()) }
        peer.withLock { $0 = .known(user) }
        return user
    }

    private static func body(of request: Request) async throws(StatusError) -> [UInt8] {
        if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
            throw .unsupportedMediaType(
                "the body of the request has the content encoding \"\(encoding.prefix(64))\": only bodies that are not "
                    + "compressed are taken")
        }
        let limit = BodyDecoder.maximumBytes
        let tooLarge = StatusError.tooLarge("limit is \(limit): Request entity too large: limit is \(limit)")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
        var bytes: [UInt8] = []
        do {
            for try await buffer in request.body {
                guard bytes.count + buffer.readableBytes <= limit else { break }
                bytes.append(contentsOf: buffer.readableBytesView)
                if bytes.count == limit { break }
            }
        } catch {
            throw .badRequest("the body of the request could not be read: \(error)")
        }
        guard bytes.count < limit else { throw tooLarge }
        return bytes
    }

    private static func head(_ response: KubeResponse) -> HTTPResponse {
        var fields = HTTPFields()
        if !response.contentType.isEmpty { fields[.contentType] = response.contentType }
        if !response.headers.contains(where: { $0.name.lowercased() == "cache-control" }) {
            fields[.cacheControl] = "no-cache, private"
        }
        for (name, value) in response.headers {
            if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
        }
        return HTTPResponse(status: HTTPResponse.Status(code: response.status), headerFields: fields)
    }

    private static func send(
        _ response: KubeResponse, isHead: Bool, _ writer: consuming ResponseWriter
    ) async throws {
        var head = head(response)
        guard case .bytes(let bytes) = response.body else { return try await writer.writeResponse(head) }
        head.headerFields[.contentLength] = String(bytes.count)
        if isHead || bytes.isEmpty { return try await writer.writeResponse(head) }
        try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Sends chunks as they come, until the end, the client's disconnection, or the server's shutdown.
    private func stream(
        _ chunks: ByteStream, _ response: KubeResponse, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        var head = Self.head(response)
        head.headerFields[.connection] = "close"
        if let watch = chunks as? WatchStream {
            let body = ResponseBody { writer in
                try await Self.send(watch, &writer, channel)
                try await writer.finish(nil)
            }
            return try await writer.write(response: head, body: body)
        }
        let body = ResponseBody { writer in
            let (closed, gate) = AsyncStream<Void>.makeStream()
            channel.closeFuture.whenComplete { _ in gate.finish() }
            // The child task alone uses the writer while the group runs.
            nonisolated(unsafe) var sink = writer
            await withGracefulShutdownHandler {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        do {
                            for try await chunk in chunks { try await sink.write(ByteBuffer(bytes: chunk)) }
                        } catch {
                            // The client has gone, or the node that the log came from: the answer ends here.
                        }
                    }
                    group.addTask { for await _ in closed {} }
                    await group.next()
                    group.cancelAll()
                }
            } onGracefulShutdown: {
                gate.finish()
            }
            gate.finish()
            try await writer.finish(nil)
        }
        try await writer.write(response: head, body: body)
    }

    /// Sends the changes of a watch, in the connection's own task: there may be many thousands of them.
    private static func send(
        _ watch: WatchStream, _ writer: inout any ResponseBodyWriter, _ channel: any Channel
    ) async throws {
        channel.closeFuture.whenComplete { [weak watch] _ in watch?.cancel() }
        try await withGracefulShutdownHandler {
            for try await chunk in watch { try await writer.write(ByteBuffer(bytes: chunk)) }
        } onGracefulShutdown: {
            // The client is told where to go on.
            watch.end()
        }
    }
}
