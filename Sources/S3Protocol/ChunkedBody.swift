// SPDX-License-Identifier: Apache-2.0
import Crypto

/// Decodes `aws-chunked` framing as it comes, with or without signatures of chunks, with or without trailers.
///
/// Bytes of a chunk are given out before the chunk's signature is known to be right: who keeps them must let them go
/// when a later call throws.
package struct ChunkedBody: Sendable {
    /// Bytes of a chunk's head, at most: a size, a signature, and room for other extensions.
    package static let maximumHead = 512
    /// Bytes of all trailers together, at most.
    package static let maximumTrailers = 8192
    /// Bytes of one chunk, at most: S3's largest object in one request is 5 GiB.
    package static let maximumChunk: Int64 = 5 << 30

    private enum State: Sendable {
        case head
        case data(left: Int64)
        case dataEnd(seen: Int)
        case trailers
        case done
    }

    private let kind: SigV4.PayloadKind
    private let expected: Int64?
    private var signatures: SigV4.ChunkSignatures?
    private var state = State.head
    /// A line that is not whole yet.
    private var line: [UInt8] = []
    private var hash = SHA256()
    private var chunkSignature: [UInt8] = []
    private var trailerBytes = 0
    private var hasTrailerSignature = false

    /// Bytes given out so far.
    package private(set) var decodedLength: Int64 = 0
    /// What followed the body; names are lower case. The trailers' signature is not among them.
    package private(set) var trailers: [(name: String, value: String)] = []

    /// - Parameters:
    ///   - kind: one of those that are chunked.
    ///   - decodedLength: what `x-amz-decoded-content-length` says; nil when it is not known.
    ///   - signatures: for the kinds with signed chunks; nil leaves signatures unchecked.
    package init(kind: SigV4.PayloadKind, decodedLength: Int64?, signatures: SigV4.ChunkSignatures?) {
        self.kind = kind
        expected = decodedLength
        self.signatures = signatures
    }

    /// Whether the framing's end was seen.
    package var isDone: Bool {
        if case .done = state { return true }
        return false
    }

    /// Takes the next bytes of the framed body.
    ///
    /// - Returns: where in `bytes` the body's own bytes are, in order.
    /// - Throws: `InvalidRequest`, `IncompleteBody`, `SignatureDoesNotMatch`, `MalformedTrailerError`.
    package mutating func decode(_ bytes: UnsafeRawBufferPointer) throws(S3Error) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var index = 0
        while index < bytes.count {
            switch state {
            case .data(let left):
                let count = Int(min(left, Int64(bytes.count - index)))
                let range = index..<(index + count)
                if kind.hasChunkSignatures, signatures != nil {
                    hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[range]))
                }
                decodedLength += Int64(count)
                ranges.append(range)
                index += count
                state = left == Int64(count) ? .dataEnd(seen: 0) : .data(left: left - Int64(count))
            case .dataEnd(let seen):
                guard bytes[index] == (seen == 0 ? UInt8(ascii: "\r") : UInt8(ascii: "\n")) else {
                    throw malformed("the bytes of a chunk are not followed by CR LF")
                }
                index += 1
                if seen == 0 {
                    state = .dataEnd(seen: 1)
                } else {
                    try checkChunk()
                    state = .head
                }
            case .head:
                guard try takeLine(bytes, &index, maximum: Self.maximumHead) else { continue }
                try head()
            case .trailers:
                guard try takeLine(bytes, &index, maximum: Self.maximumTrailers) else { continue }
                try trailer()
            case .done:
                throw malformed("bytes follow the end of the body")
            }
        }
        return ranges
    }

    /// Decodes all of `bytes`, and hands the body's own bytes to `sink`.
    package mutating func decode(
        _ bytes: inout ArraySlice<UInt8>, _ sink: (ArraySlice<UInt8>) throws(S3Error) -> Void
    ) throws(S3Error) {
        let start = bytes.startIndex
        let result = bytes.withUnsafeBytes { [self] buffer -> Result<([Range<Int>], ChunkedBody), S3Error> in
            var copy = self
            do throws(S3Error) {
                return .success((try copy.decode(buffer), copy))
            } catch {
                return .failure(error)
            }
        }
        let (ranges, next) = try result.get()
        self = next
        for range in ranges { try sink(bytes[(start + range.lowerBound)..<(start + range.upperBound)]) }
        bytes = bytes[bytes.endIndex...]
    }

    /// To be called where the request's body ends.
    ///
    /// - Throws: `IncompleteBody` where the framing's end or bytes are missing.
    package func finish() throws(S3Error) {
        guard isDone else {
            throw S3Error(
                .incompleteBody,
                "The request body terminated unexpectedly: the aws-chunked body has no end after \(decodedLength) bytes."
            )
        }
        if let expected, expected != decodedLength {
            throw S3Error(
                .incompleteBody,
                "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header: "
                    + "\(expected) were declared, \(decodedLength) came.")
        }
    }

    /// Collects a line; true when it is whole, without its end.
    private mutating func takeLine(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, maximum: Int
    ) throws(S3Error) -> Bool {
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "\n") {
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return true
            }
            line.append(byte)
            guard line.count <= maximum else {
                throw malformed("a line of the framing is longer than \(maximum) bytes")
            }
        }
        return false
    }

    /// `hex-size[;chunk-signature=64 digits]`.
    private mutating func head() throws(S3Error) {
        let parts = line.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard let digits = parts.first, !digits.isEmpty, digits.count <= 16 else {
            throw malformed("a chunk has no size")
        }
        var size: Int64 = 0
        for digit in digits {
            guard let value = Hex.value(digit), size <= Self.maximumChunk else {
                throw malformed("a chunk's size is not a hexadecimal number within 5 GiB")
            }
            size = size << 4 | Int64(value)
        }
        guard size <= Self.maximumChunk else { throw malformed("a chunk's size is more than 5 GiB") }
        if let expected, decodedLength + size > expected {
            throw malformed("there is more than x-amz-decoded-content-length says (\(expected) bytes)")
        }
        chunkSignature = []
        for part in parts.dropFirst() where part.starts(with: "chunk-signature=".utf8) {
            chunkSignature = Hex.bytes(String(decoding: part.dropFirst(16), as: UTF8.self)) ?? []
        }
        line.removeAll(keepingCapacity: true)
        hash = SHA256()
        if size > 0 {
            state = .data(left: size)
        } else {
            try checkChunk()
            state = .trailers
        }
    }

    private mutating func checkChunk() throws(S3Error) {
        guard kind.hasChunkSignatures, var chain = signatures else { return }
        let signature = chain.chunk(sha256: hash.finalize())
        signatures = chain
        guard SigV4.constantTimeEqual(signature, chunkSignature) else {
            throw S3Error(
                .signatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided: the chunk that ends "
                    + "at byte \(decodedLength) of the body has another one.")
        }
    }

    private mutating func trailer() throws(S3Error) {
        trailerBytes += line.count + 2
        guard trailerBytes <= Self.maximumTrailers else {
            throw malformedTrailer("the trailers are longer than \(Self.maximumTrailers) bytes")
        }
        defer { line.removeAll(keepingCapacity: true) }
        if line.isEmpty {
            // A signed trailer may have an empty line between the trailers and their signature.
            if kind == .streamingSignedTrailer && !hasTrailerSignature && !trailers.isEmpty { return }
            if kind == .streamingSignedTrailer && !hasTrailerSignature && signatures != nil {
                throw malformedTrailer("the trailers are not signed")
            }
            state = .done
            return
        }
        guard kind.hasTrailers else { throw malformed("there are trailers, and the request did not say so") }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            let name = String(validating: line[..<colon], as: UTF8.self)?.lowercased(),
            let value = String(validating: line[(colon + 1)...], as: UTF8.self)
        else { throw malformedTrailer("a trailer is not NAME:VALUE") }
        let trimmed = String(value.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        if name == "x-amz-trailer-signature" {
            try checkTrailers(trimmed)
            hasTrailerSignature = true
        } else {
            guard !hasTrailerSignature else { throw malformedTrailer("a trailer follows the trailers' signature") }
            trailers.append((name, trimmed))
        }
    }

    private mutating func checkTrailers(_ text: String) throws(S3Error) {
        guard kind == .streamingSignedTrailer, var chain = signatures else { return }
        let lines = trailers.map { "\($0.name):\($0.value)\n" }.joined()
        let signature = chain.trailer(sha256: SHA256.hash(data: Array(lines.utf8)))
        signatures = chain
        guard let provided = Hex.bytes(text), SigV4.constantTimeEqual(signature, provided) else {
            throw S3Error(
                .signatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided: the trailers have "
                    + "another one.")
        }
    }

    private func malformed(_ reason: String) -> S3Error {
        S3Error(.invalidRequest, "The aws-chunked body is malformed: \(reason).")
    }

    private func malformedTrailer(_ reason: String) -> S3Error {
        S3Error(.malformedTrailer, "The request contained trailing data that was not well-formed: \(reason).")
    }
}
