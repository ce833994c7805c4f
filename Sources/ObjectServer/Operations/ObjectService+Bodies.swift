// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import Crypto
import ObjectStore
import S3Protocol

extension ObjectService {
    /// Bodies that need no share of the memory: there is room for one of each connection.
    private static let freeBytes: Int64 = 64 << 10
    /// What a large body may have in memory at a time: read and not yet written.
    private static let shareBytes = 2 << 20

    /// A body that was stored, with the checksum that was asked for.
    struct Received {
        var body: StoredBody
        var checksum: ObjectChecksum?
    }

    /// Stores the body of a request, checked against all that the client said of it.
    func receive(_ call: Call) async throws -> Received {
        let headers = call.request.headers
        if call.exchange.contentLength == nil, headers["x-amz-decoded-content-length"] == nil,
            !call.verifier.payload.isChunked
        {
            throw S3Error(.missingContentLength, "You must provide the Content-Length HTTP header.")
        }
        var reader = try PayloadReader(call, maximum: configuration.maximumObjectBytes, signatures: signingKeys)
        let digest = try contentMD5(headers)
        var wanted = try WantedChecksum(headers)
        let signed: [UInt8]? = if case .signed(let sha256) = call.verifier.payload { sha256 } else { nil }
        let isSmall = reader.length.map { $0 <= Self.freeBytes } ?? false
        let share = isSmall ? nil : try await budget.take(Self.shareBytes)
        defer { withExtendedLifetime(share) {} }
        let body = store.body(sha256: signed != nil)
        while let bytes = try await reader.next() {
            wanted?.update(bytes)
            try await body.write(bytes)
        }
        let stored = try await body.finish()
        if let signed, stored.sha256 != signed { throw mismatch(stored.sha256 ?? [], signed) }
        if let digest, stored.md5 != digest {
            throw S3Error(.badDigest, "The Content-MD5 you specified did not match what we received.")
        }
        return Received(body: stored, checksum: try wanted?.checked(reader.trailers))
    }

    /// The whole body of a request that is a document.
    /// - Parameters:
    ///   - call: the request.
    ///   - required: whether an empty one is refused.
    ///   - checksums: whether checksums in the head are those of the document.
    /// - Returns: its bytes.
    /// - Throws: `S3Error` where it is too large, or not what was signed.
    func document(_ call: Call, required: Bool = true, checksums: Bool = true) async throws -> [UInt8] {
        var reader = try PayloadReader(
            call, maximum: Int64(configuration.maximumDocumentBytes), signatures: signingKeys)
        let digest = try contentMD5(call.request.headers)
        var wanted = checksums ? try WantedChecksum(call.request.headers) : nil
        let isSmall = reader.length.map { $0 <= Self.freeBytes } ?? false
        let share = isSmall ? nil : try await budget.take(configuration.maximumDocumentBytes)
        defer { withExtendedLifetime(share) {} }
        var document: [UInt8] = []
        while let bytes = try await reader.next() {
            wanted?.update(bytes)
            document.append(contentsOf: bytes)
        }
        if case .signed(let sha256) = call.verifier.payload {
            let found = Array(SHA256.hash(data: document))
            guard found == sha256 else { throw mismatch(found, sha256) }
        }
        if let digest, Array(Insecure.MD5.hash(data: document)) != digest {
            throw S3Error(.badDigest, "The Content-MD5 you specified did not match what we received.")
        }
        _ = try wanted?.checked(reader.trailers)
        guard !required || !document.isEmpty else {
            throw S3Error(.missingRequestBody, "Request body is empty.")
        }
        return document
    }

    private func mismatch(_ found: [UInt8], _ signed: [UInt8]) -> S3Error {
        S3Error(
            .contentSHA256Mismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.",
            details: [
                .init("ClientComputedContentSHA256", Hex.text(signed)),
                .init("S3ComputedContentSHA256", Hex.text(found)),
            ])
    }

    private func contentMD5(_ headers: S3Headers) throws(S3Error) -> [UInt8]? {
        guard let text = headers["content-md5"] else { return nil }
        guard let bytes = Base64Text.decode(text), bytes.count == 16 else {
            throw S3Error(.invalidDigest, "The Content-MD5 you specified was invalid.")
        }
        return bytes
    }
}
