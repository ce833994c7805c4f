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
    private let channel: any Channel
    private let isHTTP2: Bool
    private let logger: Logger
    private let peer = Mutex(Peer.unknown)

    /// - Parameters:
    ///   - server: answers.
    ///   - authenticator: tells whose the requests are.
    ///   - compressed: answers that were compressed before.
    ///   - channel: the connection with its TLS.
    ///   - isHTTP2: whether its requests are streams.
    ///   - logger: gets a line for each request.
    init(
        server: APIServer, authenticator: Authenticator, compressed: GzipCache, channel: any Channel, isHTTP2: Bool,
        logger: Logger
    ) {
        self.server = server
        self.authenticator = authenticator
        self.compressed = compressed
        self.channel = channel
        self.isHTTP2 = isHTTP2
        self.logger = logger
    }

    /// A request, its answer, and the seats that it has until the answer is sent; in one place, for it is kept while a
    /// watch goes on.
    private final class Answered: Sendable {
        let call: KubeRequest
        let response: KubeResponse
        let permit: FlowControl.Permit?

        init(_ call: KubeRequest, _ response: KubeResponse, permit: FlowControl.Permit? = nil) {
            self.call = call
            self.response = response
            self.permit = permit
        }

        var isStream: Bool {
            if case .stream = response.body { true } else { false }
        }

        var watch: WatchStream? {
            if case .stream(let chunks) = response.body { chunks as? WatchStream } else { nil }
        }
    }

    /// Answers one request.
    /// - Parameters:
    ///   - request: the request.
    ///   - writer: takes the answer.
    ///   - channel: what the request came on: the connection, or its stream.
    /// - Throws: when the client has gone.
    func respond(to request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        let answered =
            Self.isWatch(request)
            ? try await answerApart(request, channel) : try await answer(request, Self.call(request, channel))
        log(request, answered)
        if let watch = answered.watch {
            try await send(watch, answered, writer, channel)
        } else if answered.isStream {
            try await stream(answered, writer, channel)
        } else {
            try await sendWhole(answered, request, writer)
        }
    }

    private func log(_ request: Request, _ answered: Answered) {
        logger.debug(
            "request",
            metadata: [
                "method": "\(request.method.rawValue)", "path": "\(request.head.path ?? "")",
                "status": "\(answered.response.status)",
            ])
    }

    /// Whether the answer may go on for long: it is only a guess.
    private static func isWatch(_ request: Request) -> Bool {
        guard let target = request.head.path, let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else {
            return false
        }
        return target[mark...].contains("watch=")
    }

    private func sendWhole(
        _ answered: Answered, _ request: Request, _ writer: consuming ResponseWriter
    ) async throws {
        var response = answered.response
        if case .bytes(let bytes) = response.body, bytes.count >= Gzip.threshold {
            compress(&response, bytes, request)
            // A large answer keeps its seats while it is sent, but not for a client that does not take it.
            answered.permit?.leave(after: Self.longestSending)
        } else {
            answered.permit?.leave()
        }
        try await Self.send(response, isHead: request.method == .head, writer)
        answered.permit?.leave()
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

    /// The answer, from a task that ends with it: a task keeps the stack that it once needed, and that of a watch, of
    /// which there may be many thousands, lives long.
    private func answerApart(_ request: Request, _ channel: any Channel) async throws -> Answered {
        async let answered = answer(request, Self.call(request, channel))
        return try await answered
    }

    private func answer(_ request: Request, _ call: KubeRequest) async throws -> Answered {
        let certificateUser = try await certificateUser()
        guard
            let client = await authenticator.user(
                certificateUser: certificateUser, authorization: request.headers[.authorization])
        else { return refused(.unauthorized(), call, UserInfo(name: "")) }
        let user: UserInfo
        do throws(StatusError) {
            let acting = try Impersonation(
                headers: request.headers.lazy.map { (name: $0.name.canonicalName, value: $0.value) })
            if let acting { user = try server.impersonate(acting, by: client) } else { user = client }
        } catch {
            return refused(error, call, client)
        }
        let impersonator = user.isImpersonated ? client : nil
        var call = call
        let path = RequestPath(call.path)
        let requestClass = RequestClass(call, path, store: server.store, registry: server.registry)
        if requestClass.isProxied {
            passOn(request, &call)
        } else {
            do throws(StatusError) {
                call.body = try await Self.body(of: request)
            } catch {
                return refused(error, call, client)
            }
        }
        guard let level = requestClass.level else {
            return Answered(call, await server.handle(call, path, user: user, client: impersonator))
        }
        let permit = await server.flow.enter(
            level, flow: RequestClass.flow(of: user, userAgent: call.userAgent), width: requestClass.width)
        guard let permit else {
            var error = StatusError(
                code: 429, reason: "TooManyRequests", message: "Too many requests, please try again later.")
            error.retryAfterSeconds = 1
            return refused(error, call, client)
        }
        return Answered(call, await server.handle(call, path, user: user, client: impersonator), permit: permit)
    }

    private static func call(_ request: Request, _ channel: any Channel) -> KubeRequest {
        let target = request.head.path ?? "/"
        let end = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        var call = KubeRequest(
            method: request.method.rawValue, path: String(target[..<end]),
            query: end == target.endIndex ? [] : PercentEncoding.query(target[end...].dropFirst()), accept: "")
        for field in request.headers {
            switch field.name {
            case .accept: Self.append(field.value, to: &call.accept)
            case .contentType: Self.append(field.value, to: &call.contentType)
            case .userAgent: Self.append(field.value, to: &call.userAgent)
            default: break
            }
        }
        call.sourceAddress = channel.remoteAddress?.ipAddress ?? ""
        return call
    }

    /// Fields of one name are one list (RFC 9110, section 5.3).
    private static func append(_ value: String, to list: inout String) {
        list = list.isEmpty ? value : "\(list), \(value)"
    }

    /// What a backend gets, it gets as it came.
    private func passOn(_ request: Request, _ call: inout KubeRequest) {
        call.headers = request.headers.filter { !$0.name.canonicalName.hasPrefix("impersonate-") }.map {
            ($0.name.rawName, $0.value)
        }
        if let authority = request.head.authority { call.headers.append(("Host", authority)) }
        if let target = request.head.path, let mark = target.firstIndex(of: "?") {
            call.rawQuery = String(target[target.index(after: mark)...])
        }
        // HTTP/2 does not say whether there is a body of a length that is not known.
        let isChunked =
            isHTTP2 ? !Self.bodiless.contains(request.method) : request.headers[.transferEncoding] != nil
        let hasBody = request.headers[.contentLength].map { $0 != "0" } ?? isChunked
        if hasBody { call.bodyStream = request.body.map { [UInt8](buffer: $0) } }
    }

    private static let bodiless: Set<HTTPRequest.Method> = [.get, .head, .options, .delete, .trace]

    /// The answer to a request that does not get to the server.
    private func refused(_ error: StatusError, _ call: KubeRequest, _ client: UserInfo) -> Answered {
        let path = RequestPath(call.path)
        server.metrics.requests.record(server.labels(call, path), code: error.code, seconds: nil)
        let response = APIServer.answer(error)
        server.auditEvent(call, path, client: client)?.answered(response)
        return Answered(call, response)
    }

    /// The user of the client's certificate, looked up once per connection.
    private func certificateUser() async throws -> UserInfo? {
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
        _ answered: Answered, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        answered.permit?.leave()
        defer { answered.response.onEnd?() }
        guard case .stream(let chunks) = answered.response.body else { return }
        if answered.call.method == "HEAD" { return try await writer.writeResponse(Self.head(answered.response)) }
        // A watch counts itself.
        let presence = server.metrics.longRunning.enter(server.labels(answered.call, RequestPath(answered.call.path)))
        defer { withExtendedLifetime(presence) {} }
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
        try await writer.write(response: streamHead(answered), body: body)
    }

    private func streamHead(_ answered: Answered) -> HTTPResponse {
        var head = Self.head(answered.response)
        if !isHTTP2 { head.headerFields[.connection] = "close" }
        return head
    }

    /// Sends the changes of a watch, in the request's own task: there may be many thousands of them.
    private func send(
        _ watch: WatchStream, _ answered: Answered, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        answered.permit?.leave()
        if answered.call.method == "HEAD" { return try await writer.writeResponse(streamHead(answered)) }
        channel.closeFuture.whenComplete { [weak watch] _ in watch?.cancel() }
        var body = try await writer.writeHead(streamHead(answered))
        try await withGracefulShutdownHandler {
            for try await chunk in watch { try await body.write(ByteBuffer(bytes: chunk)) }
        } onGracefulShutdown: {
            // The client is told where to go on.
            watch.end()
        }
        try await body.finish(nil)
    }
}
