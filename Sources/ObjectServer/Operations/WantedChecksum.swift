// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import ObjectStore
import S3Protocol

/// The checksum that a client asks for with a body: given in a header, to come in a trailer, or only named.
struct WantedChecksum {
    private var running: S3Checksum.Running
    private let given: [UInt8]?
    private let isInTrailer: Bool

    /// Nil where none is asked for.
    /// - Throws: `InvalidRequest`, `InvalidArgument` for what cannot be one.
    init?(_ headers: S3Headers) throws(S3Error) {
        if let (algorithm, bytes) = try S3Checksum.given(headers) {
            self.init(algorithm, given: bytes, isInTrailer: false)
        } else if let trailer = headers["x-amz-trailer"]?.lowercased(),
            let algorithm = S3Checksum.allCases.first(where: { $0.header == trailer })
        {
            self.init(algorithm, given: nil, isInTrailer: true)
        } else if let name = headers["x-amz-sdk-checksum-algorithm"] ?? headers["x-amz-checksum-algorithm"] {
            self.init(try S3Checksum(named: name), given: nil, isInTrailer: false)
        } else {
            return nil
        }
    }

    private init(_ algorithm: S3Checksum, given: [UInt8]?, isInTrailer: Bool) {
        running = S3Checksum.Running(algorithm)
        self.given = given
        self.isInTrailer = isInTrailer
    }

    mutating func update(_ bytes: ArraySlice<UInt8>) { bytes.withUnsafeBytes { running.update($0) } }

    /// The checksum of all bytes, which has to be the one that was given.
    /// - Parameter trailers: what followed the body.
    /// - Returns: it.
    /// - Throws: `BadDigest` where it is another, `MalformedTrailerError` where the announced one did not come.
    func checked(_ trailers: [(name: String, value: String)]) throws(S3Error) -> ObjectChecksum {
        let algorithm = running.algorithm
        var given = given
        if isInTrailer {
            guard let text = trailers.first(where: { $0.name == algorithm.header })?.value else {
                throw S3Error(
                    .malformedTrailer, "The trailer \(algorithm.header), which x-amz-trailer announced, did not come.")
            }
            given = try algorithm.bytes(base64: text)
        }
        let found = running.bytes
        if let given, given != found {
            throw S3Error(
                .badDigest, "The \(algorithm.rawValue) you specified did not match the calculated checksum.",
                details: [
                    .init("ExpectedDigest", Base64Text.encode(given)),
                    .init("CalculatedDigest", Base64Text.encode(found)),
                ])
        }
        return ObjectChecksum(
            algorithm: algorithm.rawValue, value: Base64Text.encode(found), type: S3Checksum.Kind.fullObject.rawValue)
    }
}
