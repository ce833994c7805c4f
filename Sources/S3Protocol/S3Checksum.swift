// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import Crypto

/// The checksums that S3 knows for objects (user guide, "Checking object integrity").
package enum S3Checksum: String, Sendable, Hashable, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"

    /// What a multipart object's checksum is of.
    package enum Kind: String, Sendable, Hashable {
        /// The checksums of the parts, with their number behind a hyphen.
        case composite = "COMPOSITE"
        /// The whole object.
        case fullObject = "FULL_OBJECT"
    }

    /// `x-amz-checksum-crc32c`
    package var header: String {
        switch self {
        case .crc32: "x-amz-checksum-crc32"
        case .crc32c: "x-amz-checksum-crc32c"
        case .crc64nvme: "x-amz-checksum-crc64nvme"
        case .sha1: "x-amz-checksum-sha1"
        case .sha256: "x-amz-checksum-sha256"
        }
    }

    /// `ChecksumCRC32C`, the element of documents.
    package var element: StaticString {
        switch self {
        case .crc32: "ChecksumCRC32"
        case .crc32c: "ChecksumCRC32C"
        case .crc64nvme: "ChecksumCRC64NVME"
        case .sha1: "ChecksumSHA1"
        case .sha256: "ChecksumSHA256"
        }
    }

    /// Bytes of the checksum.
    package var length: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// The kind that a multipart upload gets where it does not say one.
    package var defaultKind: Kind { self == .crc64nvme ? .fullObject : .composite }

    /// - Throws: `InvalidArgument` for an algorithm that S3 does not know.
    package init(named name: String) throws(S3Error) {
        guard let found = Self(rawValue: name.uppercased()) else {
            throw S3Error(
                .invalidRequest,
                "Checksum algorithm provided is unsupported: \(name.prefix(32)). Please try again with any of the valid "
                    + "types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        }
        self = found
    }

    /// The checksum that a request's headers give; nil for none.
    ///
    /// - Throws: `InvalidRequest` for more than one, or a value that cannot be one.
    package static func given(_ headers: S3Headers) throws(S3Error) -> (algorithm: S3Checksum, bytes: [UInt8])? {
        var found: (S3Checksum, [UInt8])?
        for algorithm in allCases {
            guard let text = headers[algorithm.header] else { continue }
            guard found == nil else {
                throw S3Error(
                    .invalidRequest,
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
            }
            found = (algorithm, try algorithm.bytes(base64: text))
        }
        return found
    }

    /// The bytes of a value.
    ///
    /// - Throws: `InvalidRequest`.
    package func bytes(base64 text: String) throws(S3Error) -> [UInt8] {
        guard let bytes = Base64Text.decode(text), bytes.count == length else {
            throw S3Error(.invalidRequest, "Value for \(header) header is invalid.")
        }
        return bytes
    }

    /// A checksum in the making.
    package struct Running: Sendable {
        private enum State: Sendable {
            case check(CyclicCheck, UInt64)
            case sha1(Insecure.SHA1)
            case sha256(SHA256)
        }

        package let algorithm: S3Checksum
        private var state: State

        package init(_ algorithm: S3Checksum) {
            self.algorithm = algorithm
            state =
                switch algorithm {
                case .crc32: .check(.crc32, 0)
                case .crc32c: .check(.crc32c, 0)
                case .crc64nvme: .check(.crc64nvme, 0)
                case .sha1: .sha1(Insecure.SHA1())
                case .sha256: .sha256(SHA256())
                }
        }

        package mutating func update(_ bytes: UnsafeRawBufferPointer) {
            switch state {
            case .check(let check, let value): state = .check(check, check.update(value, bytes))
            case .sha1(var hash):
                hash.update(bufferPointer: bytes)
                state = .sha1(hash)
            case .sha256(var hash):
                hash.update(bufferPointer: bytes)
                state = .sha256(hash)
            }
        }

        package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

        /// The checksum of what came so far, in network order.
        package var bytes: [UInt8] {
            switch state {
            case .check(let check, let value): S3Checksum.bytes(value, count: check.width / 8)
            case .sha1(let hash): Array(hash.finalize())
            case .sha256(let hash): Array(hash.finalize())
            }
        }

        package var base64: String { Base64Text.encode(bytes) }
    }

    /// The checksum of all of `bytes`.
    package func of(_ bytes: [UInt8]) -> [UInt8] {
        var running = Running(self)
        running.update(bytes)
        return running.bytes
    }

    /// The composite of parts' checksums: `BASE64-NUMBER`.
    package func composite(_ parts: [[UInt8]]) -> String {
        var running = Running(self)
        for part in parts { running.update(part) }
        return running.base64 + "-\(parts.count)"
    }

    /// The checksum of a whole object from its parts', in base64; nil where the algorithm cannot tell it.
    ///
    /// - `parts`: checksums in network order, and bytes of each part.
    package func fullObject(_ parts: [(checksum: [UInt8], length: Int64)]) -> String? {
        let check: CyclicCheck
        switch self {
        case .crc32: check = .crc32
        case .crc32c: check = .crc32c
        case .crc64nvme: check = .crc64nvme
        case .sha1, .sha256: return nil
        }
        var value: UInt64 = 0
        for part in parts {
            let next = part.checksum.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
            value = check.combine(value, next, length: part.length)
        }
        return Base64Text.encode(Self.bytes(value, count: length))
    }

    private static func bytes(_ value: UInt64, count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - $0) * 8)) }
    }
}
