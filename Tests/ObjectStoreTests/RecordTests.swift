// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import Testing

@testable import ObjectStore

@Suite struct RecordTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    private func version(_ random: inout Generator) -> VersionRecord {
        var record = VersionRecord(
            sequence: .random(in: 1 ... .max, using: &random), isNull: .random(using: &random),
            modified: .random(in: 0...1 << 45, using: &random))
        record.isDeleteMarker = Int.random(in: 0..<4, using: &random) == 0
        if !record.isDeleteMarker {
            record.size = .random(in: 0...1 << 45, using: &random)
            record.md5 = (0..<16).map { _ in .random(in: 0...255, using: &random) }
            record.partCount = .random(in: 0...10_000, using: &random)
            let id = Int64.random(in: 1 ... .max, using: &random)
            record.body = [.empty, .inline(id), .file(id), .segments(id)].randomElement(using: &random) ?? .empty
        }
        func text() -> String { String(repeating: "ü", count: .random(in: 0...20, using: &random)) }
        func some() -> String? { Bool.random(using: &random) ? text() : nil }
        record.attributes.contentType = some()
        record.attributes.expires = some()
        record.attributes.storageClass = some()
        for _ in 0..<Int.random(in: 0..<3, using: &random) {
            record.attributes.metadata.append(ObjectField(text(), text()))
        }
        for _ in 0..<Int.random(in: 0..<3, using: &random) {
            record.attributes.tags.append(ObjectField(text(), text()))
        }
        if .random(using: &random) {
            record.attributes.checksum = ObjectChecksum(algorithm: text(), value: text(), type: text())
        }
        record.attributes.owner = text()
        return record
    }

    private func decode(_ bytes: [UInt8], bucket: Int64, key: String, age: Int64) -> VersionRecord? {
        bytes.withUnsafeBytes { data in
            key.withBytes { try? VersionRecord(data, bucket: bucket, key: $0, age: age) }
        }
    }

    @Test func recordsComeBackAndOnlyAtTheirPlace() {
        var random = Generator(state: 1)
        for _ in 0..<500 {
            let record = version(&random)
            let bytes = record.encode(bucket: 3, key: "key")
            let age = -record.sequence
            #expect(decode(bytes, bucket: 3, key: "key", age: age) == record)
            #expect(decode(bytes, bucket: 4, key: "key", age: age) == nil)
            #expect(decode(bytes, bucket: 3, key: "kez", age: age) == nil)
            #expect(decode(bytes, bucket: 3, key: "key", age: age == -1 ? -2 : age + 1) == nil)
            var flipped = bytes
            flipped[.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            #expect(decode(flipped, bucket: 3, key: "key", age: age) == nil)
            #expect(decode(Array(bytes.dropLast()), bucket: 3, key: "key", age: age) == nil)
        }
    }

    /// Records that are nonsense, with a checksum that is right.
    @Test func nonsenseIsRefusedWithoutATrap() {
        var random = Generator(state: 2)
        var decoded = 0
        for round in 0..<4000 {
            var content: [UInt8]
            if round.isMultiple(of: 2) {
                content = Array(version(&random).encode(bucket: 1, key: "k").dropLast(4))
                for _ in 0..<3 {
                    content[.random(in: 0..<content.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            } else {
                content = (0..<Int.random(in: 0..<60, using: &random)).map { _ in
                    let values: [UInt8] = [0, 1, 2, 3, 255, 127, 128, .random(in: 0...255, using: &random)]
                    return values.randomElement(using: &random) ?? 0
                }
            }
            func sealed(_ place: UInt32) -> [UInt8] {
                var writer = RecordWriter()
                writer.append(content)
                return writer.finish(place)
            }
            let version = sealed("k".withBytes { RecordPlace.version(1, $0, 5) })
            if decode(version, bucket: 1, key: "k", age: -5) != nil { decoded += 1 }
            sealed(RecordPlace.segments(5)).withUnsafeBytes { data in
                let segments = (try? Segment.decode(data, id: 5)) ?? []
                _ = segments.reduce(0) { $0 + $1.size }
            }
            sealed(RecordPlace.part(5, 1)).withUnsafeBytes { _ = try? PartRecord($0, upload: 5, number: 1) }
            sealed("k".withBytes { RecordPlace.upload(1, $0, 5) }).withUnsafeBytes { data in
                _ = "k".withBytes { try? UploadRecord(data, bucket: 1, key: $0, id: 5) }
            }
            #expect((try? BlockSums(version, id: 1, size: Int64(content.count))) == nil)
        }
        #expect(decoded > 0)
    }

    @Test func namesOfVersionsAreChecked() {
        for sequence in [1, 2, 77, 1 << 40, Int64.max] {
            let name = VersionID.encode(sequence)
            #expect(name.utf8.count == 32 && VersionID.decode(name) == sequence)
            #expect(VersionID.decode(name.uppercased()) == nil || name == name.uppercased())
            #expect(VersionID.decode(String(name.dropLast()) + (name.last == "0" ? "1" : "0")) == nil)
        }
        for name in ["", "null", String(repeating: "0", count: 32), String(repeating: "é", count: 16), "x"] {
            #expect(VersionID.decode(name) == nil)
        }
    }

    @Test func checksumsOfBlocksAreOfTheBytesHoweverTheyCome() {
        let bytes = pattern(2_500_000)
        var whole = BlockSums()
        bytes.withUnsafeBytes { whole.append($0) }
        var pieces = BlockSums()
        var index = 0
        while index < bytes.count {
            let end = min(index + 77_777, bytes.count)
            bytes[index..<end].withUnsafeBytes { pieces.append($0) }
            index = end
        }
        #expect(whole.sums == pieces.sums && whole.sums.count == 3)
        // RFC 3720, appendix B.4: 32 bytes of zeroes.
        #expect([UInt8](repeating: 0, count: 32).withUnsafeBytes { CRC32C.checksum($0) } == 0x8A91_36AA)
        #expect(LifecycleRule.due(.max - 5, days: .max) == .max)
        #expect(LifecycleRule.due(0, days: 1) == 86_400_000 && LifecycleRule.due(1, days: 1) == 2 * 86_400_000)
    }
}
