// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import Crypto
import NIOCore
import NIOHTTP1
import S3Protocol

/// A request to be sent, as often as it takes.
struct S3Call: Sendable {
    /// A conditional write says who it is in the object's metadata, so that a second attempt knows the first.
    static let tokenHeader = "x-amz-meta-apus-write"
    static let emptyHash = Array(SHA256.hash(data: [UInt8]()))

    var method: String
    var bucket: String?
    var key: String?
    var query: [(name: String, value: String?)]
    var headers = S3Headers()
    var token: String?
    private(set) var body = ByteBuffer()
    /// SHA-256: hashed once for all attempts.
    private(set) var bodyHash: [UInt8] = S3Call.emptyHash

    init(_ method: String, bucket: String? = nil, key: String? = nil, query: [(name: String, value: String?)] = []) {
        self.method = method
        self.bucket = bucket
        self.key = key
        self.query = query
    }

    mutating func setBody(_ body: ByteBuffer) {
        self.body = body
        bodyHash = body.withUnsafeReadableBytes { bytes in
            var hash = SHA256()
            hash.update(bufferPointer: bytes)
            return Array(hash.finalize())
        }
    }

    mutating func setBody(_ bytes: [UInt8]) { setBody(ByteBuffer(bytes: bytes)) }

    /// Makes it a write that only goes through under its condition, and that knows its own work.
    mutating func setCondition(_ condition: S3WriteCondition?) {
        switch condition {
        case .absent: headers.add("if-none-match", "*")
        case .matches(let etag): headers.add("if-match", "\"\(etag)\"")
        case nil: return
        }
    }
}

/// What must hold for a write.
package enum S3WriteCondition: Sendable, Hashable {
    /// There is no such object.
    case absent
    /// The object has that entity tag.
    case matches(String)
}

/// A good answer: its head, and its body as it comes.
struct S3Answer: Sendable {
    var status: Int
    var headers: S3Headers
    var body: HTTPClientResponse.Body

    init(_ response: HTTPClientResponse) {
        status = Int(response.status.code)
        headers = S3Headers(response.headers.map { (name: $0.name.lowercased(), value: $0.value) })
        body = response.body
    }

    /// All of the body.
    ///
    /// - Throws: `connectionFailed`, also for more than `maximum` bytes.
    func bytes(_ maximum: Int = 32 << 20) async throws(S3Error) -> [UInt8] {
        do {
            return Array(try await body.collect(upTo: maximum).readableBytesView)
        } catch {
            throw S3Error(transport: error, resource: "", endpoint: "the server")
        }
    }
}
