// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import Testing

@testable import S3Protocol

@Suite("Chunked bodies")
struct ChunkedBodyTests {
    /// The example of the API reference, "Transferring Payload in Multiple Chunks".
    private static let example: [UInt8] = {
        let first = "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
        let second = "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
        let last = "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
        let letters = { (count: Int) in [UInt8](repeating: UInt8(ascii: "a"), count: count) }
        return Array(first.utf8) + letters(65_536) + Array("\r\n".utf8) + Array(second.utf8) + letters(1024)
            + Array("\r\n".utf8) + Array(last.utf8)
    }()

    private static func exampleHead() -> S3RequestHead {
        let names =
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
            + "x-amz-storage-class"
        return Vectors.head(
            "PUT", "/examplebucket/chunkObject.txt",
            [
                ("x-amz-date", "20130524T000000Z"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="
                        + names + ",Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
                ),
                ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("content-encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "66560"), ("content-length", "66824"),
            ], host: "s3.amazonaws.com")
    }

    private static func decode(
        _ body: inout ChunkedBody, _ bytes: [UInt8], piece: Int
    ) throws(S3Error) -> [UInt8] {
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            var slice = bytes[start..<min(start + piece, bytes.count)]
            try body.decode(&slice) { result += $0 }
        }
        try body.finish()
        return result
    }

    private static func code(_ body: ChunkedBody, _ bytes: [UInt8], piece: Int = 1 << 20) -> S3ErrorCode? {
        var body = body
        do throws(S3Error) {
            _ = try decode(&body, bytes, piece: piece)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("The example of S3's reference, in pieces of every size", arguments: [1, 7, 64, 4096, 65_536, 100_000])
    func documented(piece: Int) throws {
        let verifier = try SigV4.Verifier(Self.exampleHead(), now: Vectors.now)
        #expect(verifier.payload == .streamingSigned)
        try verifier.check(secret: Vectors.secret)
        var body = ChunkedBody(
            kind: verifier.payload, decodedLength: 66_560,
            signatures: verifier.chunkSignatures(secret: Vectors.secret))
        let result = try Self.decode(&body, Self.example, piece: piece)
        #expect(result == [UInt8](repeating: UInt8(ascii: "a"), count: 66_560))
        #expect(Self.example.count == 66_824)
        #expect(SigV4.ChunkEncoder.length(of: 66_560, chunk: 65_536) == 66_824)
    }

    @Test("A changed byte, a missing end, more than was declared")
    func broken() throws {
        let verifier = try SigV4.Verifier(Self.exampleHead(), now: Vectors.now)
        let signatures = verifier.chunkSignatures(secret: Vectors.secret)
        let body = ChunkedBody(kind: .streamingSigned, decodedLength: 66_560, signatures: signatures)
        #expect(Self.code(body, Self.example) == nil)
        var changed = Self.example
        changed[50_000] = UInt8(ascii: "b")
        #expect(Self.code(body, changed) == .signatureDoesNotMatch)
        #expect(Self.code(body, Array(Self.example.dropLast(3))) == .incompleteBody)
        #expect(Self.code(body, Array(Self.example.dropLast(90))) == .incompleteBody)
        #expect(Self.code(body, Self.example + [0]) == .invalidRequest)
        let short = ChunkedBody(kind: .streamingSigned, decodedLength: 66_559, signatures: signatures)
        #expect(Self.code(short, Self.example) == .invalidRequest)
        let long = ChunkedBody(kind: .streamingSigned, decodedLength: 66_561, signatures: signatures)
        #expect(Self.code(long, Self.example) == .incompleteBody)
        // Chunks in another order, and chunks without signatures.
        let unsigned = Array("3\r\nabc\r\n0\r\n\r\n".utf8)
        #expect(
            Self.code(ChunkedBody(kind: .streamingSigned, decodedLength: 3, signatures: signatures), unsigned)
                == .signatureDoesNotMatch)
    }

    @Test("Signed trailers, as the example of S3's reference has them")
    func signedTrailers() throws {
        var head = Vectors.head(
            "PUT", "/examplebucket/chunkObject.txt",
            [
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"), ("content-encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "66560"), ("x-amz-trailer", "x-amz-checksum-crc32c"),
            ], host: "s3.amazonaws.com")
        let chain = Vectors.signer.sign(&head, payload: .streamingSignedTrailer, now: Vectors.now)
        #expect(Vectors.signature(head) == "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
        let letters = [UInt8](repeating: UInt8(ascii: "a"), count: 66_560)
        let checksum = Base64Text.encode(S3Checksum.crc32c.of(letters))
        #expect(checksum == "sOO8/Q==")
        var encoder = SigV4.ChunkEncoder(chain)
        var bytes: [UInt8] = []
        for range in [0..<65_536, 65_536..<66_560] {
            bytes += letters[range].withUnsafeBytes { encoder.head($0) }
            bytes += letters[range] + Array("\r\n".utf8)
        }
        bytes += encoder.end(trailers: [("x-amz-checksum-crc32c", checksum)])
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"))
        #expect(text.contains("400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"))
        #expect(text.contains("0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"))
        #expect(text.contains("signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"))

        let verifier = try SigV4.Verifier(head, now: Vectors.now)
        let signatures = verifier.chunkSignatures(secret: Vectors.secret)
        let fresh = ChunkedBody(kind: .streamingSignedTrailer, decodedLength: 66_560, signatures: signatures)
        var body = fresh
        #expect(try Self.decode(&body, bytes, piece: 1000) == letters)
        #expect(body.trailers.count == 1 && body.trailers.first?.value == "sOO8/Q==")
        let other = Array(text.replacing("sOO8/Q==", with: "sOO8/R==").utf8)
        #expect(Self.code(fresh, other) == .signatureDoesNotMatch)
        let bare = Array(text.split(separator: "x-amz-trailer-signature")[0].utf8) + Array("\r\n".utf8)
        #expect(Self.code(fresh, bare) == .incompleteBody)
        // The reference writes a line feed before the trailers' end of line.
        let reference = Array(text.replacing("sOO8/Q==\r\n", with: "sOO8/Q==\n\r\n").utf8)
        #expect(Self.code(fresh, reference) == nil)
    }

    @Test("Unsigned chunks with trailers, as SDKs send them over TLS")
    func unsignedTrailers() throws {
        let bytes = Array("5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n".utf8)
        for piece in 1...bytes.count {
            var body = ChunkedBody(kind: .streamingUnsignedTrailer, decodedLength: 11, signatures: nil)
            #expect(try Self.decode(&body, bytes, piece: piece) == Array("hello world".utf8))
            #expect(body.trailers.first?.name == "x-amz-checksum-crc32")
        }
        #expect(Base64Text.encode(S3Checksum.crc32.of(Array("hello world".utf8))) == "DUoRhQ==")
    }

    private static let ones = String(repeating: "1", count: 600)
    private static let longTrailer = "0\r\na:" + String(repeating: "b", count: 9000)
    private static let manyTrailers =
        "0\r\n" + String(repeating: "a:" + String(repeating: "b", count: 1000) + "\r\n", count: 9)
    private static let noFraming: [(String, S3ErrorCode)] = [
        ("\r\n", S3ErrorCode.invalidRequest), ("x\r\n", .invalidRequest), ("-1\r\n", .invalidRequest),
        ("fffffffffffffffff\r\n", .invalidRequest), ("ffffffffffffffff\r\n", .invalidRequest),
        ("140000001\r\n", .invalidRequest), ("3\r\nabcd\r\n", .invalidRequest), ("3\r\nabc\n", .invalidRequest),
        ("3\r\nabc\r\n", .incompleteBody), ("", .incompleteBody), ("0\r\n", .incompleteBody),
        ("0\r\nno colon\r\n\r\n", .malformedTrailer), ("0\r\n:value\r\n\r\n", .malformedTrailer),
        (ones, .invalidRequest),
        (longTrailer, .invalidRequest),
        (
            "0\r\n" + String(repeating: "a:" + String(repeating: "b", count: 1000) + "\r\n", count: 9),
            .malformedTrailer
        ),
    ]

    @Test("Framing that is none", arguments: noFraming)
    func malformed(text: String, expected: S3ErrorCode) {
        let body = ChunkedBody(kind: .streamingUnsignedTrailer, decodedLength: nil, signatures: nil)
        #expect(Self.code(body, Array(text.utf8)) == expected)
        #expect(Self.code(body, Array(text.utf8), piece: 1) == expected)
    }

    @Test("Changed framing is refused or gives bytes of the declared length")
    func fuzz() throws {
        var dice = Dice(state: 99)
        let text = "5\r\nhello\r\n6;chunk-signature=00\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
        var refused = 0
        for _ in 0..<2000 {
            var bytes = Array(text.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                bytes[Int.random(in: 0..<bytes.count, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
            }
            var body = ChunkedBody(kind: .streamingUnsignedTrailer, decodedLength: 11, signatures: nil)
            do {
                let result = try Self.decode(&body, bytes, piece: Int.random(in: 1...40, using: &dice))
                #expect(result.count == 11)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 500)
    }
}
