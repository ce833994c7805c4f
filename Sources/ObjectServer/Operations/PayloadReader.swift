// SPDX-License-Identifier: Apache-2.0
import NIOCore
import S3Protocol

/// The bytes of a request's body as they are meant: `aws-chunked` framing taken away, signatures of chunks checked,
/// never more than may be.
struct PayloadReader {
    /// How much is given out at a time, where so much has come already.
    private static let step = 512 << 10

    /// Bytes of the body itself, as the head says; nil where it does not.
    let length: Int64?
    private let exchange: Exchange
    private let maximum: Int64
    private var chunks: ChunkedBody?
    private var count: Int64 = 0

    /// - Parameters:
    ///   - call: the request.
    ///   - maximum: bytes that the body may have.
    ///   - signatures: where signing keys are kept.
    /// - Throws: `EntityTooLarge` before anything is read, where the head says so; `MissingContentLength`.
    init(_ call: Call, maximum: Int64, signatures: SigV4.SigningKeys) throws(S3Error) {
        exchange = call.exchange
        self.maximum = maximum
        let headers = call.request.headers
        let payload = call.verifier.payload
        let decoded: Int64?
        if let text = headers["x-amz-decoded-content-length"] {
            guard let number = Int64(text), number >= 0 else {
                throw S3Error(.invalidArgument, "x-amz-decoded-content-length must be a number of bytes.")
            }
            decoded = number
        } else {
            decoded = nil
        }
        if payload.isChunked {
            guard decoded != nil || payload == .streamingUnsignedTrailer else {
                throw S3Error(.missingContentLength, "You must provide the x-amz-decoded-content-length HTTP header.")
            }
            length = decoded
            chunks = ChunkedBody(
                kind: payload, decodedLength: decoded,
                signatures: call.key.flatMap { call.verifier.chunkSignatures(secret: $0.secret, keys: signatures) })
        } else {
            length = exchange.contentLength
            chunks = nil
        }
        try check(length ?? 0)
    }

    /// Trailers of the body, once it is over; names are lower case.
    var trailers: [(name: String, value: String)] { chunks?.trailers ?? [] }

    /// The next bytes; nil at the end of a body that is complete.
    /// - Throws: `S3Error` where the framing is wrong or the body is too large, ``ConnectionError`` where it stops.
    mutating func next() async throws -> ArraySlice<UInt8>? {
        while let first = try await exchange.read() {
            var bytes: [UInt8] = []
            try take(first, &bytes)
            while bytes.count < Self.step, exchange.hasMore, let more = try await exchange.read() {
                try take(more, &bytes)
            }
            count += Int64(bytes.count)
            try check(count)
            if !bytes.isEmpty { return bytes[...] }
        }
        try chunks?.finish()
        return nil
    }

    private mutating func take(_ buffer: ByteBuffer, _ bytes: inout [UInt8]) throws {
        guard chunks != nil else {
            if bytes.isEmpty { bytes.reserveCapacity(min(Int(clamping: length ?? 0), Self.step + (256 << 10))) }
            bytes.append(contentsOf: buffer.readableBytesView)
            return
        }
        bytes = try buffer.withUnsafeReadableBytes { raw in
            var result = bytes
            for range in try chunks?.decode(raw) ?? [] { result.append(contentsOf: raw[range]) }
            return result
        }
    }

    private func check(_ bytes: Int64) throws(S3Error) {
        guard bytes > maximum else { return }
        throw S3Error(
            .entityTooLarge, "Your proposed upload exceeds the maximum allowed size",
            details: [.init("ProposedSize", String(bytes)), .init("MaxSizeAllowed", String(maximum))])
    }
}
