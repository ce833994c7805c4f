// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import Testing

@testable import S3Protocol

@Suite("Checksums")
struct ChecksumTests {
    private static let check = Array("123456789".utf8)

    /// Check values of the catalogue of parametrised CRC algorithms, and of FIPS 180.
    @Test("Known values")
    func known() {
        #expect(Hex.text(S3Checksum.crc32.of(Self.check)) == "cbf43926")
        #expect(Hex.text(S3Checksum.crc32c.of(Self.check)) == "e3069283")
        #expect(Hex.text(S3Checksum.crc64nvme.of(Self.check)) == "ae8b14860a799888")
        #expect(Hex.text(S3Checksum.sha1.of(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            Hex.text(S3Checksum.sha256.of(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Hex.text(S3Checksum.crc32.of([])) == "00000000")
        #expect(Hex.text(S3Checksum.crc64nvme.of([])) == "0000000000000000")
    }

    @Test(
        "Folding, the table, pieces and parts agree, for every length",
        arguments: [S3Checksum.crc32, .crc32c, .crc64nvme])
    func agree(algorithm: S3Checksum) throws {
        let check: CyclicCheck = algorithm == .crc32 ? .crc32 : algorithm == .crc32c ? .crc32c : .crc64nvme
        var dice = Dice(state: 11)
        let bytes = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &dice) }
        for length in Array(0...300) + [511, 512, 513, 1023, 4096, 4999, 5000] {
            let slice = Array(bytes[..<length])
            let fast = slice.withUnsafeBytes { check.update(0, $0) }
            let slow = slice.withUnsafeBytes { check.updateByTable(0, $0) }
            #expect(fast == slow, "\(algorithm) of \(length) bytes")
            let middle = Int.random(in: 0...length, using: &dice)
            var running = S3Checksum.Running(algorithm)
            running.update(Array(slice[..<middle]))
            running.update(Array(slice[middle...]))
            #expect(running.bytes == algorithm.of(slice))
            let parts = [slice[..<middle], slice[middle...]].map { part in
                (checksum: algorithm.of(Array(part)), length: Int64(part.count))
            }
            #expect(algorithm.fullObject(parts) == running.base64)
        }
    }

    @Test("Composite checksums of parts")
    func composite() {
        let parts = [S3Checksum.sha256.of([1]), S3Checksum.sha256.of([2])]
        let expected = Base64Text.encode(S3Checksum.sha256.of(parts[0] + parts[1])) + "-2"
        #expect(S3Checksum.sha256.composite(parts) == expected)
        #expect(S3Checksum.sha256.fullObject([(parts[0], 1)]) == nil)
    }

    @Test("Values in headers")
    func headers() throws {
        let given = try S3Checksum.given(S3Headers([(name: "x-amz-checksum-crc32", value: "y/Q5Jg==")]))
        #expect(given?.algorithm == .crc32 && given?.bytes == S3Checksum.crc32.of(Self.check))
        #expect(try S3Checksum.given(S3Headers()) == nil)
        for value in ["y/Q5Jg", "", "y/Q5JgA=", "!!!!!!==", "y/Q5Jh=="] {
            #expect(throws: S3Error.self) {
                try S3Checksum.given(S3Headers([(name: "x-amz-checksum-crc32", value: value)]))
            }
        }
        #expect(throws: S3Error.self) {
            try S3Checksum.given(
                S3Headers([
                    (name: "x-amz-checksum-crc32", value: "y/Q5Jg=="),
                    (name: "x-amz-checksum-crc32c", value: "4waSgw=="),
                ]))
        }
        #expect(try S3Checksum(named: "sha256") == .sha256)
        #expect(throws: S3Error.self) { try S3Checksum(named: "MD5") }
    }
}
