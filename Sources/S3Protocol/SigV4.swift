// SPDX-License-Identifier: Apache-2.0
import Crypto
import Synchronization

/// Signature version 4 of AWS, as S3 has it (API reference, "Authenticating Requests: AWS Signature Version 4"): paths
/// are encoded once and never normalised, and a body's hash is part of a signed request's headers.
package enum SigV4 {
    package static let algorithm = "AWS4-HMAC-SHA256"
    /// SHA-256 of nothing.
    package static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    /// How far a request's clock may be off: seconds.
    package static let maximumSkew: Int64 = 15 * 60
    /// How long a presigned request may be good for: seconds.
    package static let maximumExpiry: Int64 = 7 * 86_400

    /// The scope of a signature: a day, a region and a service.
    package struct Scope: Sendable, Hashable {
        /// `20130524`.
        package var date: String
        package var region: String
        package var service: String

        package init(date: String, region: String, service: String = "s3") {
            self.date = date
            self.region = region
            self.service = service
        }

        /// `20130524/us-east-1/s3/aws4_request`.
        package var text: String { "\(date)/\(region)/\(service)/aws4_request" }
    }

    /// The key of a scope, derived from a secret.
    package struct SigningKey: Sendable {
        private let key: SymmetricKey

        package init(secret: String, scope: Scope) {
            var key = SymmetricKey(data: Array(("AWS4" + secret).utf8))
            for part in [scope.date, scope.region, scope.service, "aws4_request"] {
                key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
            }
            self.key = key
        }

        /// HMAC-SHA-256 of a string to sign.
        package func signature(_ stringToSign: [UInt8]) -> [UInt8] {
            Array(HMAC<SHA256>.authenticationCode(for: stringToSign, using: key))
        }
    }

    /// Keys that were derived: deriving takes four times what signing does, and a key is good for a day.
    package final class SigningKeys: Sendable {
        private struct Name: Hashable {
            var secret: String
            var scope: Scope
        }

        private let keys = Mutex<[Name: SigningKey]>([:])
        private static let maximum = 1024

        package init() {}

        package func key(secret: String, scope: Scope) -> SigningKey {
            let name = Name(secret: secret, scope: scope)
            if let key = keys.withLock({ $0[name] }) { return key }
            let key = SigningKey(secret: secret, scope: scope)
            keys.withLock { keys in
                if keys.count >= Self.maximum { keys.removeAll(keepingCapacity: true) }
                keys[name] = key
            }
            return key
        }
    }

    /// What a request says about its body.
    package enum PayloadKind: Sendable, Hashable {
        /// SHA-256 of the body: 32 bytes.
        case signed(sha256: [UInt8])
        case unsigned
        /// `aws-chunked`: every chunk is signed.
        case streamingSigned
        /// The same, with signed trailers.
        case streamingSignedTrailer
        /// `aws-chunked` without signatures, with trailers.
        case streamingUnsignedTrailer

        /// Whether the body is in `aws-chunked` framing.
        package var isChunked: Bool {
            switch self {
            case .signed, .unsigned: false
            default: true
            }
        }

        package var hasTrailers: Bool { self == .streamingSignedTrailer || self == .streamingUnsignedTrailer }

        package var hasChunkSignatures: Bool { self == .streamingSigned || self == .streamingSignedTrailer }

        /// The value of `x-amz-content-sha256`.
        package var text: String {
            switch self {
            case .signed(let sha256): Hex.text(sha256)
            case .unsigned: "UNSIGNED-PAYLOAD"
            case .streamingSigned: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            case .streamingSignedTrailer: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
            case .streamingUnsignedTrailer: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            }
        }

        /// - Throws: `InvalidArgument`; `NotImplemented` for version 4A.
        package init(text: String) throws(S3Error) {
            switch text {
            case "UNSIGNED-PAYLOAD": self = .unsigned
            case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .streamingSigned
            case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": self = .streamingSignedTrailer
            case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .streamingUnsignedTrailer
            default:
                if text.hasPrefix("STREAMING-AWS4-ECDSA-") {
                    throw S3Error(.notImplemented, "Signature version 4A is not implemented; use AWS4-HMAC-SHA256.")
                }
                guard text.utf8.count == 64, let sha256 = Hex.bytes(text) else {
                    throw S3Error(
                        .invalidArgument,
                        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                            + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a "
                            + "valid sha256 value.",
                        details: [
                            .init("ArgumentName", "x-amz-content-sha256"),
                            .init("ArgumentValue", String(text.prefix(128))),
                        ])
                }
                self = .signed(sha256: sha256)
            }
        }
    }

    /// The string that is signed for a canonical request.
    static func stringToSign(timestamp: String, scope: String, canonicalRequest: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(160)
        bytes.append(contentsOf: "AWS4-HMAC-SHA256\n".utf8)
        bytes.append(contentsOf: timestamp.utf8)
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: scope.utf8)
        bytes.append(UInt8(ascii: "\n"))
        Hex.append(SHA256.hash(data: canonicalRequest), to: &bytes)
        return bytes
    }

    /// Whether the bytes are the same, in a time that only depends on their number.
    static func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}
