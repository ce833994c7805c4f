// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import Crypto
import Foundation
import NIOCore
import NIOHTTP1
import TrackingModel

/// Sends one event to one webhook, as MLflow does (mlflow/webhooks/delivery.py): signed, and again where it fails.
struct WebhookSender: Sendable {
    /// What a webhook answered.
    struct Answer: Sendable {
        let status: Int
        /// Its beginning.
        let body: String
    }

    /// Bytes of an answer that are read.
    private static let maximumAnswer = 64 << 10
    /// What is sent again.
    private static let passing: Set<Int> = [429, 500, 502, 503, 504]
    private static let longestPause: Duration = .seconds(60)

    let settings: WebhookSettings

    /// - Parameters:
    ///   - webhook: where to.
    ///   - secret: signs what is sent; nil for no signature.
    ///   - event: what happened.
    ///   - data: to what.
    /// - Returns: the last answer.
    /// - Throws: where it may not be sent there (`TrackingError`), or nobody answers.
    func send(_ webhook: Webhook, secret: String?, _ event: WebhookEvent, _ data: JSONValue) async throws -> Answer {
        let url = try WebhookURL(webhook.url, schemes: settings.schemes)
        let body: JSONValue = [
            "entity": .string(event.entity), "action": .string(event.action), "data": data,
            "timestamp": .string(Timestamp.now().rfc3339Micro.replacing("Z", with: "+00:00")),
        ]
        let bytes = body.encoded
        let id = RandomID.uuid()
        let time = String(Timestamp.now().seconds)
        var headers: HTTPHeaders = [
            "content-type": "application/json", "x-mlflow-delivery-id": id, "x-mlflow-timestamp": time,
        ]
        if let secret {
            headers.add(name: "x-mlflow-signature", value: Self.signature(secret, id: id, time: time, bytes))
        }
        var attempt = 0
        while true {
            var pause = Self.pause(after: attempt)
            do {
                let (answer, after) = try await post(url, headers, bytes)
                guard Self.passing.contains(answer.status), attempt < settings.retries else { return answer }
                if let after { pause = min(after, Self.longestPause) }
            } catch let error as TrackingError {
                throw error
            } catch {
                guard attempt < settings.retries, !Task.isCancelled else { throw error }
            }
            try await Task.sleep(for: pause)
            attempt += 1
        }
    }

    /// `v1,` and the Base64 of the HMAC (SHA-256) of the delivery's id, its time and its body, with points between them.
    static func signature(_ secret: String, id: String, time: String, _ body: [UInt8]) -> String {
        let signed = Array("\(id).\(time).".utf8) + body
        let code = HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: Array(secret.utf8)))
        return "v1," + Data(code).base64EncodedString()
    }

    /// At once, then 2, 4, … seconds, and a random part.
    static func pause(after attempt: Int) -> Duration {
        guard attempt > 0 else { return .zero }
        return min(.seconds(1 << min(attempt, 6)), longestPause) + .milliseconds(Int.random(in: 0...1000))
    }

    private func post(
        _ url: WebhookURL, _ headers: HTTPHeaders, _ body: [UInt8]
    ) async throws -> (Answer, retryAfter: Duration?) {
        let addresses = try await HostAddresses.find(url.host, allowsPrivate: settings.allowsPrivate)
        var connection = HTTPClient.Configuration()
        // Elsewhere it was not asked to go; proxies of the environment are not used either.
        connection.redirectConfiguration = .disallow
        connection.httpVersion = .http1Only
        connection.connectionPool.retryConnectionEstablishment = false
        // Connected is to what was checked; certificates are those of the name.
        if let address = addresses.first { connection.dnsOverride = [url.writtenHost: address] }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: connection)
        let result: Result<(Answer, retryAfter: Duration?), any Error>
        do {
            result = .success(try await post(url, headers, body, by: client))
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        return try result.get()
    }

    private func post(
        _ url: WebhookURL, _ headers: HTTPHeaders, _ body: [UInt8], by client: HTTPClient
    ) async throws -> (Answer, retryAfter: Duration?) {
        var request = HTTPClientRequest(url: url.text)
        request.method = .POST
        request.headers = headers
        request.body = .bytes(body)
        let response = try await client.execute(
            request, deadline: .now() + .nanoseconds(settings.timeout.nanoseconds))
        var text: [UInt8] = []
        for try await part in response.body {
            text += part.readableBytesView.prefix(Self.maximumAnswer - text.count)
            if text.count >= Self.maximumAnswer { break }
        }
        let after = response.headers.first(name: "retry-after").flatMap { Int($0) }.map { Duration.seconds(max(0, $0)) }
        return (Answer(status: Int(response.status.code), body: String(decoding: text, as: UTF8.self)), after)
    }
}
