// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import HTTPTypes
package import Hummingbird
import NIOCore

extension Response {
    /// A JSON answer.
    package static func json(_ value: JSONValue, _ status: HTTPResponse.Status = .ok) -> Response {
        bytes(value.encoded, type: "application/json", status)
    }

    /// An answer in plain text.
    package static func text(_ text: String, _ status: HTTPResponse.Status = .ok) -> Response {
        bytes(Array(text.utf8), type: "text/plain; charset=utf-8", status)
    }

    /// An answer of any type.
    package static func bytes(_ bytes: [UInt8], type: String, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

extension Request {
    /// The whole body.
    /// - Throws: ``ServiceError`` (413) when it is longer than `limit` bytes.
    package func bytes(limit: Int) async throws -> [UInt8] {
        do {
            let buffer = try await body.collect(upTo: limit)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw ServiceError(.contentTooLarge, "the body is longer than \(limit) bytes")
        }
    }

    /// The whole body as JSON.
    /// - Throws: ``ServiceError``: 413 when it is longer than `limit` bytes, 400 when it is not JSON.
    package func json(limit: Int) async throws -> JSONValue {
        let bytes = try await bytes(limit: limit)
        do {
            return try JSONParser.parse(bytes)
        } catch {
            throw ServiceError(.badRequest, "the body is not JSON: \(error)")
        }
    }
}
