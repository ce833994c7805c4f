// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1
import ObjectStore
import S3Protocol

/// Pages of other origins in browsers (CORS).
extension ObjectService {
    /// Answers a browser's question whether a page may send a request. It is not signed.
    func preflight(_ request: S3Request, _ exchange: Exchange) async throws {
        guard let origin = request.headers["origin"] else {
            throw S3Error(
                .invalidRequest, "Insufficient information. Origin request header needed.", resource: request.resource)
        }
        guard let method = request.headers["access-control-request-method"] else {
            throw S3Error(
                .invalidRequest, "Invalid Access-Control-Request-Method: it is missing.", resource: request.resource)
        }
        let headers = (request.headers["access-control-request-headers"] ?? "").split(separator: ",").map { name in
            String(name.filter { $0 != " " })
        }.filter { !$0.isEmpty }
        guard let name = request.bucket, let info = try? await store.bucket(name),
            let bytes = info.documents[.cors],
            let fields = try S3Documents.CORSConfiguration(xml: bytes).answer(
                origin: origin, method: method, requestHeaders: headers)
        else {
            throw S3Error(
                .accessDenied, "CORSResponse: This CORS request is not allowed.", resource: request.resource,
                details: [.init("Method", method), .init("ResourceType", request.key == nil ? "BUCKET" : "OBJECT")])
        }
        var head = AnswerHead(200)
        for (name, value) in fields { head.add(given: name, value) }
        try await exchange.send(head)
    }

    /// Lets a page of another origin read the answer, where the bucket says so.
    func allowOrigin(_ request: S3Request, _ info: BucketInfo, _ exchange: Exchange) {
        guard let origin = request.headers["origin"], let bytes = info.documents[.cors],
            let configuration = try? S3Documents.CORSConfiguration(xml: bytes)
        else { return }
        let method = exchange.head.method.rawValue
        for (name, value) in configuration.answer(origin: origin, method: method, requestHeaders: nil) ?? [] {
            exchange.common.append((name, value))
        }
    }
}
