// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
package import Logging
import NIOCore
import NIOHTTP1
package import S3Protocol

/// A client of any S3: signed requests, bodies streamed both ways, retries, uploads in parts.
///
/// ``shutdown()`` must be called before the last reference goes.
package final class S3Client: Sendable {
    package let configuration: S3ClientConfiguration
    private let http: HTTPClient
    private let signer: SigV4.Signer?
    /// `http` or `https`.
    private let scheme: String
    /// Host and port, as the Host header has them.
    private let authority: String
    private let logger: Logger
    /// Seconds since 1970.
    private let clock: @Sendable () -> Int64

    /// - Throws: `InvalidURI` where the endpoint is none.
    package init(
        _ configuration: S3ClientConfiguration, logger: Logger = Logger(label: "apus.s3"),
        clock: @escaping @Sendable () -> Int64 = { Timestamp.now().seconds }
    ) throws(S3Error) {
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
        let (scheme, authority) = try Self.parse(configuration.endpoint)
        self.scheme = scheme
        self.authority = authority
        signer = configuration.credentials.map { SigV4.Signer($0, region: configuration.region) }
        http = S3Transport.make(configuration)
    }

    /// Closes all connections.
    package func shutdown() async throws { try await http.shutdown() }

    private static func parse(_ endpoint: String) throws(S3Error) -> (String, String) {
        let parts = endpoint.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, parts[0] == "http" || parts[0] == "https", parts[1].hasPrefix("//") else {
            throw S3Error(.invalidURI, "the endpoint \(endpoint) is not http://HOST[:PORT] or https://HOST[:PORT]")
        }
        var authority = parts[1].dropFirst(2)
        if authority.hasSuffix("/") { authority.removeLast() }
        guard !authority.isEmpty, !authority.contains(where: { "/?#@ ".contains($0) }) else {
            throw S3Error(.invalidURI, "the endpoint \(endpoint) has more than a host and a port")
        }
        let name = authority.lowercased()
        let standard = parts[0] == "http" ? ":80" : ":443"
        return (String(parts[0]), name.hasSuffix(standard) ? String(name.dropLast(standard.count)) : name)
    }

    // MARK: Requests

    /// The head of a request, with the target's path and query encoded.
    func head(_ call: S3Call) -> S3RequestHead {
        var host = authority
        var path = "/"
        if let bucket = call.bucket {
            if configuration.addressing == .virtualHost {
                host = bucket + "." + authority
            } else {
                path += bucket + (call.key == nil ? "" : "/")
            }
        }
        if let key = call.key { path += URIEncoding.encode(key, keepsSlash: true) }
        if !call.query.isEmpty {
            let items = call.query.map { item in
                item.value.map { URIEncoding.encode(item.name) + "=" + URIEncoding.encode($0) }
                    ?? URIEncoding.encode(item.name)
            }
            path += "?" + items.joined(separator: "&")
        }
        return S3RequestHead(
            method: call.method, target: path, headers: S3Headers([(name: "host", value: host)] + call.headers.fields))
    }

    /// A URL that anyone may use until it expires.
    ///
    /// - Throws: `AccessDenied` where the client has no credentials.
    package func presign(
        _ method: String, bucket: String, key: String, query: [(name: String, value: String?)] = [],
        expires: Duration
    ) throws(S3Error) -> String {
        guard let signer else { throw S3Error(.accessDenied, "the client has no credentials to sign with") }
        let head = head(S3Call(method, bucket: bucket, key: key, query: query))
        let target = signer.presign(head, expires: expires.components.seconds, now: clock())
        return scheme + "://" + (head.headers["host"] ?? authority) + target
    }

    /// Sends a request, again where that may help, and gives back the answer once its head is there and good.
    ///
    /// - Throws: what the server answered; `connectionFailed`; `cancelled`.
    func send(_ call: S3Call) async throws(S3Error) -> S3Answer {
        var attempt = 0
        var isAmbiguous = false
        while true {
            let failure: S3Error
            do throws(S3Error) {
                return try await sendOnce(call)
            } catch {
                failure = error
            }
            if failure.code == .preconditionFailed, isAmbiguous, let token = call.token,
                let answer = try await ownWrite(call, token)
            {
                return answer
            }
            attempt += 1
            // S3 asks for another try where two writes of one key met.
            let isConflict = failure.code == .conditionalRequestConflict && call.method == "PUT" && call.key != nil
            guard failure.isWorthRetrying || isConflict, attempt < configuration.retries.attempts else { throw failure }
            // The server may have done what was asked, though its answer did not come.
            isAmbiguous = isAmbiguous || failure.code == .connectionFailed || failure.status >= 500
            logger.debug(
                "a request to S3 is sent again",
                metadata: [
                    "method": "\(call.method)", "bucket": "\(call.bucket ?? "")", "key": "\(call.key ?? "")",
                    "attempt": "\(attempt + 1)", "error": "\(failure)",
                ])
            try await pause(before: attempt)
        }
    }

    /// Waits before an attempt.
    func pause(before attempt: Int) async throws(S3Error) {
        do {
            try await Task.sleep(for: configuration.retries.pause(before: attempt))
        } catch {
            throw S3Error.cancelled
        }
    }

    /// The answer of a conditional write whose first attempt was done after all: the object has the write's own token.
    private func ownWrite(_ call: S3Call, _ token: String) async throws(S3Error) -> S3Answer? {
        do throws(S3Error) {
            let answer = try await sendOnce(S3Call("HEAD", bucket: call.bucket, key: call.key))
            return answer.headers[S3Call.tokenHeader] == token ? answer : nil
        } catch {
            if error.code == .cancelled { throw error }
            return nil
        }
    }

    private func sendOnce(_ call: S3Call) async throws(S3Error) -> S3Answer {
        var head = head(call)
        if let signer {
            let payload: SigV4.PayloadKind =
                call.body.readableBytes == 0
                ? .signed(sha256: S3Call.emptyHash) : .signed(sha256: call.bodyHash)
            signer.sign(&head, payload: payload, now: clock())
        }
        var request = HTTPClientRequest(url: scheme + "://" + (head.headers["host"] ?? authority) + head.target)
        request.method = HTTPMethod(rawValue: head.method)
        for field in head.headers { request.headers.add(name: field.name, value: field.value) }
        if call.body.readableBytes > 0 {
            request.body = .bytes(call.body)
        } else if call.method == "PUT" || call.method == "POST" {
            request.body = .bytes(ByteBuffer())
        }
        let resource = "/" + (call.bucket ?? "") + (call.key.map { "/" + $0 } ?? "")
        do {
            let response = try await http.execute(request, deadline: .distantFuture)
            let status = Int(response.status.code)
            if (200..<300).contains(status) { return S3Answer(response) }
            let body = try await response.body.collect(upTo: 64 << 10)
            var failure = S3Error(status: status, xml: Array(body.readableBytesView), resource: resource)
            if body.readableBytes == 0, status == 404, call.key == nil { failure = failure.renamed(.noSuchBucket) }
            throw failure
        } catch let error as S3Error {
            throw error
        } catch {
            throw S3Error(transport: error, resource: resource, endpoint: configuration.endpoint)
        }
    }
}

extension S3Error {
    /// Whether the same request may go through later.
    var isWorthRetrying: Bool {
        switch code {
        case .connectionFailed, .internalError, .operationAborted, .requestTimeout, .serviceUnavailable, .slowDown: true
        case .cancelled, .notImplemented: false
        default: status >= 500 || status == 429
        }
    }

    static var cancelled: S3Error { S3Error(.cancelled, "the task was cancelled") }

    /// The same failure under another name.
    func renamed(_ code: S3ErrorCode) -> S3Error {
        var copy = self
        copy.code = code
        copy.name = code.rawValue
        return copy
    }

    init(transport error: any Error, resource: String, endpoint: String) {
        if error is CancellationError || (error as? HTTPClientError) == .cancelled {
            self = .cancelled
        } else {
            self.init(.connectionFailed, "\(endpoint) could not be asked: \(error)", resource: resource)
        }
    }
}
