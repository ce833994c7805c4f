// SPDX-License-Identifier: Apache-2.0
import Crypto

extension SigV4 {
    /// The chain of signatures of a chunked body: each signs what it follows ("Signature Calculations … Transferring
    /// Payload in Multiple Chunks").
    package struct ChunkSignatures: Sendable {
        private let key: SigningKey
        private let timestamp: String
        private let scope: String
        /// The signature that came last: 64 hexadecimal digits.
        package private(set) var previous: String

        init(key: SigningKey, timestamp: String, scope: String, seed: String) {
            self.key = key
            self.timestamp = timestamp
            self.scope = scope
            previous = seed
        }

        /// The signature of the next chunk.
        ///
        /// - `sha256`: hash of the chunk's bytes.
        package mutating func chunk(sha256: some Sequence<UInt8>) -> [UInt8] {
            sign("AWS4-HMAC-SHA256-PAYLOAD", SigV4.emptyHash + "\n", sha256)
        }

        /// The signature of the trailers, which follow the last chunk.
        ///
        /// - `sha256`: hash of their lines, each `name:value` and a line feed.
        package mutating func trailer(sha256: some Sequence<UInt8>) -> [UInt8] {
            sign("AWS4-HMAC-SHA256-TRAILER", "", sha256)
        }

        private mutating func sign(_ algorithm: String, _ middle: String, _ sha256: some Sequence<UInt8>) -> [UInt8] {
            var text: [UInt8] = []
            text.reserveCapacity(320)
            for part in [algorithm, timestamp, scope, previous] {
                text.append(contentsOf: part.utf8)
                text.append(UInt8(ascii: "\n"))
            }
            text.append(contentsOf: middle.utf8)
            Hex.append(sha256, to: &text)
            let signature = key.signature(text)
            previous = Hex.text(signature)
            return signature
        }
    }

    /// Puts a body into `aws-chunked` framing with signed chunks.
    package struct ChunkEncoder: Sendable {
        private var signatures: ChunkSignatures

        package init(_ signatures: ChunkSignatures) { self.signatures = signatures }

        /// What goes before the bytes of a chunk; `\r\n` goes after them. A chunk of none ends the body.
        package mutating func head(_ chunk: UnsafeRawBufferPointer) -> [UInt8] {
            var hash = SHA256()
            hash.update(bufferPointer: chunk)
            var bytes = Array(String(chunk.count, radix: 16).utf8)
            bytes.append(contentsOf: ";chunk-signature=".utf8)
            Hex.append(signatures.chunk(sha256: hash.finalize()), to: &bytes)
            bytes.append(contentsOf: "\r\n".utf8)
            return bytes
        }

        /// The last chunk, with trailers where there are some, and their signature.
        package mutating func end(trailers: [(name: String, value: String)] = []) -> [UInt8] {
            var bytes = head(UnsafeRawBufferPointer(start: nil, count: 0))
            if !trailers.isEmpty {
                let lines = trailers.map { "\($0.name):\($0.value)\n" }.joined()
                for trailer in trailers { bytes.append(contentsOf: "\(trailer.name):\(trailer.value)\r\n".utf8) }
                bytes.append(contentsOf: "x-amz-trailer-signature:".utf8)
                Hex.append(signatures.trailer(sha256: SHA256.hash(data: Array(lines.utf8))), to: &bytes)
                bytes.append(contentsOf: "\r\n".utf8)
            }
            bytes.append(contentsOf: "\r\n".utf8)
            return bytes
        }

        /// Bytes of a body of that length in chunks of `chunk` bytes, framing included, without trailers.
        package static func length(of body: Int64, chunk: Int64) -> Int64 {
            func framed(_ size: Int64) -> Int64 {
                Int64(String(size, radix: 16).utf8.count) + 17 + 64 + 2 + size + 2
            }
            let rest = body % chunk
            return body / chunk * framed(chunk) + (rest > 0 ? framed(rest) : 0) + framed(0)
        }
    }
}
