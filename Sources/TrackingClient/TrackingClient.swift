// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A client of any server that speaks MLflow's protocol: typed calls, retries, artifacts through the server's proxy.
///
/// ``shutdown()`` must be called before the last reference goes.
package final class TrackingClient: Sendable {
    package let configuration: TrackingClientConfiguration
    /// Where the server is, without a slash at its end.
    package let base: String
    private let http: HTTPClient
    private let logger: Logger

    /// - Throws: `invalid` where the address is none.
    package init(
        _ configuration: TrackingClientConfiguration, logger: Logger = Logger(label: "apus.tracking")
    ) throws(TrackingClientError) {
        self.configuration = configuration
        self.logger = logger
        base = try configuration.base()
        var settings = HTTPClient.Configuration()
        settings.httpVersion = .http1Only
        settings.redirectConfiguration = .disallow
        settings.timeout = .init(
            connect: .nanoseconds(configuration.connectTimeout.nanoseconds),
            read: .nanoseconds(configuration.idleTimeout.nanoseconds))
        // Without its own: it would hide for seconds that nobody listens, and the client has retries.
        settings.connectionPool.retryConnectionEstablishment = false
        // Servers close idle connections after some seconds; one that was closed costs a retry.
        settings.connectionPool.idleTimeout = .seconds(3)
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    /// Closes all connections.
    package func shutdown() async { try? await http.shutdown() }

    // MARK: Calls of the protocol

    /// GETs what a call of the protocol says.
    func get(
        _ path: String, _ query: [(name: String, value: String?)] = []
    ) async throws(TrackingClientError) -> JSONValue {
        let items = query.compactMap { item in
            item.value.map { "\(PercentEncoding.encode(item.name))=\(PercentEncoding.encode($0))" }
        }
        return try await call(.GET, items.isEmpty ? path : path + "?" + items.joined(separator: "&"), nil, .harmless)
    }

    /// POSTs a call of the protocol.
    func post(
        _ path: String, _ body: JSONValue, _ repetition: TrackingRetries.Repetition,
        retries: TrackingRetries? = nil
    ) async throws(TrackingClientError) -> JSONValue {
        try await call(.POST, path, body, repetition, retries: retries)
    }

    func call(
        _ method: HTTPMethod, _ path: String, _ body: JSONValue?, _ repetition: TrackingRetries.Repetition,
        retries: TrackingRetries? = nil
    ) async throws(TrackingClientError) -> JSONValue {
        var request = HTTPClientRequest(url: base + "/api/2.0/mlflow/" + path)
        request.method = method
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body.encoded))
        }
        let limit = configuration.answerLimit
        let bytes = try await withRetries(repetition, retries) { [self] () async throws(TrackingClientError) in
            try await collect(try await send(request), limit: limit)
        }
        do {
            return try JSONParser.parse(bytes)
        } catch {
            throw TrackingClientError(.badAnswer, "\(base) answered \(path) with what is not JSON: \(error)")
        }
    }

    // MARK: Requests

    /// Sends until it goes through, as the policy allows.
    func withRetries<Value: Sendable>(
        _ repetition: TrackingRetries.Repetition, _ retries: TrackingRetries? = nil,
        _ attempt: () async throws(TrackingClientError) -> Value
    ) async throws(TrackingClientError) -> Value {
        let retries = retries ?? configuration.retries
        var failures = 0
        while true {
            let failure: TrackingClientError
            do throws(TrackingClientError) {
                return try await attempt()
            } catch {
                failure = error
            }
            failures += 1
            guard let pause = retries.pause(after: failure, failures: failures, repetition: repetition) else {
                throw failure
            }
            logger.debug(
                "a request to the tracking server is sent again",
                metadata: ["attempt": "\(failures + 1)", "error": "\(failure)"])
            do {
                try await Task.sleep(for: pause)
            } catch {
                throw TrackingClientError(.cancelled, "the task was cancelled")
            }
        }
    }

    /// Sends once. The answer is a good one.
    func send(_ request: HTTPClientRequest) async throws(TrackingClientError) -> HTTPClientResponse {
        var request = request
        request.headers.replaceOrAdd(name: "user-agent", value: "apus-tracking")
        if let authorization = configuration.authorization {
            request.headers.replaceOrAdd(name: "authorization", value: authorization)
        }
        let response: HTTPClientResponse
        let body: [UInt8]
        do {
            response = try await http.execute(request, deadline: .distantFuture)
            if (200..<300).contains(response.status.code) { return response }
            // What is not read to its end costs the connection.
            body = Array(try await response.body.collect(upTo: 1 << 20).readableBytesView)
        } catch {
            throw failure(error)
        }
        throw TrackingClientError(
            status: Int(response.status.code), body: body, retryAfter: response.headers.first(name: "retry-after"))
    }

    func collect(
        _ response: HTTPClientResponse, limit: Int
    ) async throws(TrackingClientError) -> [UInt8] {
        do {
            return Array(try await response.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw TrackingClientError(.badAnswer, "\(base) answered with more than the \(limit) bytes that are taken")
        } catch {
            throw failure(error)
        }
    }

    /// A fault below HTTP.
    func failure(_ error: any Error) -> TrackingClientError {
        if let error = error as? TrackingClientError { return error }
        if error is CancellationError || (error as? HTTPClientError) == .cancelled {
            return TrackingClientError(.cancelled, "the task was cancelled")
        }
        if let error = error as? FileError { return TrackingClientError(.file, error.description) }
        let isRefused = error is NIOConnectionError || (error as? IOError)?.errnoCode == ECONNREFUSED
        return TrackingClientError(
            .connection,
            isRefused ? "nobody listens at \(base)" : "the tracking server \(base) does not answer: \(error)",
            isUnsent: isRefused || (error as? HTTPClientError) == .connectTimeout)
    }
}
