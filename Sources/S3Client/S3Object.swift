// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
package import NIOCore
package import S3Protocol

/// What an answer's head says about an object.
package struct S3ObjectInfo: Sendable {
    package var key: String
    /// Bytes of the object (of all of it where a range was asked for).
    package var size: Int64
    /// Without quotes.
    package var etag: String
    /// Milliseconds since 1970; whole seconds.
    package var modified: Int64
    package var contentType: String
    package var versionID: String?
    /// Names without `x-amz-meta-`, lower case.
    package var metadata: [String: String]
    package var headers: S3Headers

    init(key: String, headers: S3Headers) {
        self.key = key
        self.headers = headers
        let whole = headers["content-range"]?.split(separator: "/").last.flatMap { Int64($0) }
        size = whole ?? headers["content-length"].flatMap { Int64($0) } ?? 0
        etag = S3Documents.unquoted(headers["etag"] ?? "")
        modified = (headers["last-modified"].flatMap { S3Time.parse(http: $0) } ?? 0) * 1000
        contentType = headers["content-type"] ?? "binary/octet-stream"
        versionID = headers["x-amz-version-id"]
        metadata = [:]
        for field in headers.with(prefix: "x-amz-meta-") { metadata[field.name] = field.value }
        metadata["apus-write"] = nil
    }
}

/// What an object is written with.
package struct S3WriteOptions: Sendable {
    package var contentType: String?
    /// Names without `x-amz-meta-`.
    package var metadata: [String: String] = [:]
    package var condition: S3WriteCondition?
    /// Further headers, such as `cache-control`; names are lower case.
    package var headers: [(name: String, value: String)] = []

    package init(contentType: String? = nil, metadata: [String: String] = [:], condition: S3WriteCondition? = nil) {
        self.contentType = contentType
        self.metadata = metadata
        self.condition = condition
    }

    var fields: [(name: String, value: String)] {
        var fields = headers
        if let contentType { fields.append(("content-type", contentType)) }
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
            fields.append(("x-amz-meta-" + name.lowercased(), value))
        }
        return fields
    }
}

/// What a write made.
package struct S3WriteResult: Sendable, Hashable {
    /// Without quotes.
    package var etag: String
    package var versionID: String?
}

/// An object and its body as it comes.
package struct S3ObjectStream: Sendable, AsyncSequence {
    package typealias Element = ByteBuffer

    package let info: S3ObjectInfo
    /// Bytes that the body has.
    package let length: Int64
    let first: S3Answer
    let client: S3Client
    let bucket: String
    /// Where in the object the body begins.
    let start: Int64
    let versionID: String?

    package func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    /// All of the body.
    ///
    /// - Throws: `EntityTooLarge` where it has more than `maximum` bytes.
    package func bytes(maximum: Int = 256 << 20) async throws(S3Error) -> [UInt8] {
        guard length <= Int64(maximum) else { throw tooLarge(maximum) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(length))
        var iterator = makeAsyncIterator()
        while let buffer = try await iterator.next() {
            // An answer need not say how long it is.
            guard bytes.count + buffer.readableBytes <= maximum else { throw tooLarge(maximum) }
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        return bytes
    }

    private func tooLarge(_ maximum: Int) -> S3Error {
        S3Error(.entityTooLarge, "the object has more than the \(maximum) bytes that are taken", resource: info.key)
    }

    /// Goes on where a connection broke, as long as the object is the same.
    package struct Iterator: AsyncIteratorProtocol {
        private let stream: S3ObjectStream
        private var parts: HTTPClientResponse.Body.AsyncIterator
        private var read: Int64 = 0
        private var failures = 0

        init(stream: S3ObjectStream) {
            self.stream = stream
            parts = stream.first.body.makeAsyncIterator()
        }

        package mutating func next() async throws(S3Error) -> ByteBuffer? {
            while true {
                let failure: S3Error
                do {
                    if let buffer = try await parts.next() {
                        read += Int64(buffer.readableBytes)
                        failures = 0
                        return buffer
                    }
                    if read >= stream.length { return nil }
                    failure = S3Error(
                        .incompleteBody, "the body ended after \(read) of \(stream.length) bytes",
                        resource: stream.info.key)
                } catch {
                    failure = S3Error(
                        transport: error, resource: stream.info.key, endpoint: stream.client.configuration.endpoint)
                }
                failures += 1
                guard failure.code != .cancelled, failures < stream.client.configuration.retries.attempts else {
                    throw failure
                }
                try await stream.client.pause(before: failures)
                try await resume()
            }
        }

        /// Asks for the rest.
        private mutating func resume() async throws(S3Error) {
            var call = S3Call("GET", bucket: stream.bucket, key: stream.info.key)
            if let version = stream.versionID { call.query = [("versionId", version)] }
            let first = stream.start + read
            guard read < stream.length else { return }
            call.headers.add("range", ByteRange.closed(first, stream.start + stream.length - 1).text)
            call.headers.add("if-match", "\"\(stream.info.etag)\"")
            parts = try await stream.client.send(call).body.makeAsyncIterator()
        }
    }
}
