// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import DeltaProtocol

/// Numbers that are the same at every run.
struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

func code(_ work: () throws -> Void) -> DeltaError.Code? {
    do {
        try work()
        return nil
    } catch {
        return (error as? DeltaError)?.code
    }
}

@Suite("Delta actions")
struct ActionTests {
    @Test("Lines of another writer are read, and what is not known in them is ignored")
    func lines() throws {
        let text = #"""
            {"commitInfo":{"timestamp":1,"operation":"WRITE","zzz":[1]}}
            {"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz"],"writerFeatures":["timestampNtz","appendOnly"],"new":1}}
            {"metaData":{"id":"x","name":null,"format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":["p"],"createdTime":5,"configuration":{"delta.appendOnly":"true"}}}

            {"add":{"path":"p=a%20b/x.parquet","partitionValues":{"p":"a b","q":null},"size":7,"modificationTime":8,"dataChange":true,"stats":"{\"numRecords\":3}","tags":null,"deletionVector":{"storageType":"u","pathOrInlineDv":"ab^-aqEH.-t@S}K{vb[*k^","offset":4,"sizeInBytes":40,"cardinality":6}}}
            {"remove":{"path":"y.parquet","deletionTimestamp":9,"dataChange":true,"extendedFileMetadata":true,"partitionValues":{},"size":1}}
            {"txn":{"appId":"app","version":12,"lastUpdated":3}}
            {"domainMetadata":{"domain":"d","configuration":"c","removed":false}}
            {"cdc":{"path":"_change_data/z","partitionValues":{},"size":2,"dataChange":false}}
            {"somethingNew":{"a":1}}
            {"txn":{"appId":"b","version":1},"somethingElse":{}}
            """#
        let commit = try DeltaCommit(version: 4, lines: Array(text.utf8))
        #expect(commit.actions.count == 10)
        guard case .add(let file) = commit.actions[3] else {
            Issue.record("the fourth action is \(commit.actions[3])")
            return
        }
        #expect(file.location == "p=a b/x.parquet")
        #expect(file.partitionValues == ["p": "a b", "q": nil])
        #expect(file.key.vector == "uab^-aqEH.-t@S}K{vb[*k^@4")
        #expect(commit.actions[8] == .unknown("somethingNew"))
        #expect(commit.info?.operation == "WRITE")
        // What is written is read the same, without what is not known.
        let again = try DeltaCommit(version: 4, lines: commit.encoded)
        #expect(again.actions == commit.actions.filter { $0 != .unknown("somethingNew") })
        #expect(String(decoding: again.encoded, as: UTF8.self).contains(#""q":null"#))
    }

    @Test(
        "Actions that lack what they must have are refused",
        arguments: [
            #"{"add":{"path":"x"}}"#,
            #"{"add":{"path":1,"partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#,
            #"{"add":{"path":"%zz","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#,
            #"{"protocol":{"minReaderVersion":"1","minWriterVersion":2}}"#, #"{"metaData":{"id":"x"}}"#,
            #"{"txn":{"appId":"x"}}"#,
            #"{"remove":{}}"#, #"{"add":{},"remove":{}}"#, "{}", "[]", "1", "{",
            #"{"remove":{"path":"x","dataChange":1}}"#,
            #"{"sidecar":{"path":"x","sizeInBytes":1,"modificationTime":1}}"#,
        ])
    func refused(line: String) {
        #expect(code { _ = try DeltaCommit(version: 0, lines: Array(line.utf8)) } == .corruptLog)
    }

    @Test("Damaged commits are refused or read, and never end the process")
    func fuzz() throws {
        let text =
            #"{"add":{"path":"a%20b","partitionValues":{"p":"1"},"size":7,"modificationTime":8,"dataChange":true,"deletionVector":{"storageType":"i","pathOrInlineDv":"wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L","sizeInBytes":40,"cardinality":6}}}"#
        var dice = Dice(state: 1)
        var refused = 0
        for _ in 0..<2000 {
            var bytes = Array(text.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                let place = Int.random(in: bytes.indices, using: &dice)
                switch Int.random(in: 0..<3, using: &dice) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &dice)
                case 1: bytes.remove(at: place)
                default: bytes.insert(bytes[Int.random(in: bytes.indices, using: &dice)], at: place)
                }
            }
            do throws(DeltaError) {
                let commit = try DeltaCommit(version: 0, lines: bytes)
                for case .add(let file) in commit.actions { _ = try? file.deletionVector?.rows() }
            } catch {
                refused += 1
            }
        }
        #expect(refused > 500)
    }

    @Test("Paths are URIs, whatever the file's name")
    func paths() throws {
        var dice = Dice(state: 2)
        let letters = Array("abzAZ09-._~ %/=+&?#:;@üß漢🙂\"'\\<>[]{}|^`$!*(),")
        for _ in 0..<500 {
            let name = String(
                (0..<Int.random(in: 1...30, using: &dice)).map { _ in letters.randomElement(using: &dice) ?? "x" })
            let uri = DeltaPath.encode(name)
            #expect(try DeltaPath.decode(uri) == name)
            #expect(uri.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
            #expect(!uri.contains(":"))
        }
        #expect(try DeltaPath.inside("p=a%2520b/x.parquet") == "p=a%20b/x.parquet")
        for bad in ["../x", "a/../../x", "a//b", "./x", "", "a/%2e%2e/b", "a%00b"] {
            #expect(code { _ = try DeltaPath.inside(bad) } == .corruptLog, "\(bad)")
        }
        for bad in ["/etc/passwd", "s3://b/x", "file:///x", "C:/x"] {
            #expect(code { _ = try DeltaPath.inside(bad) } == .unsupportedReaderFeature, "\(bad)")
        }
    }
}

@Suite("Deletion vectors")
struct DeletionVectorTests {
    @Test("A vector in the log itself")
    func inline() throws {
        let vector = DeletionVector(
            storage: .inline, pathOrInline: "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", sizeInBytes: 44,
            cardinality: 6)
        #expect(try vector.rows() == [3, 4, 7, 11, 18, 29])
        #expect(try vector.location() == nil)
        // The other order of bytes, which writers long ago had.
        let old = DeletionVector(
            storage: .inline, pathOrInline: "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", sizeInBytes: 40,
            cardinality: 6)
        #expect(code { _ = try old.rows() } == .corruptLog)
    }

    @Test("The protocol's example of a file's name")
    func name() throws {
        let vector = DeletionVector(
            storage: .relative, pathOrInline: "ab^-aqEH.-t@S}K{vb[*k^", offset: 4, sizeInBytes: 40, cardinality: 6)
        #expect(try vector.location() == "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin")
        #expect(vector.uniqueID == "uab^-aqEH.-t@S}K{vb[*k^@4")
    }

    /// A vector of array, bitmap and run containers.
    private static func bitmap(_ rows: [Int64]) -> [UInt8] {
        var bytes: [UInt8] = []
        func little(_ value: some FixedWidthInteger & UnsignedInteger) {
            for place in 0..<value.bitWidth / 8 {
                bytes.append(UInt8(truncatingIfNeeded: value >> (8 * numericCast(place))))
            }
        }
        little(UInt32(1_681_511_377))
        let high = Dictionary(grouping: rows) { $0 >> 32 }.sorted { $0.key < $1.key }
        little(UInt64(high.count))
        for (key, rows) in high {
            little(UInt32(key))
            let containers = Dictionary(grouping: rows) { $0 >> 16 & 0xFFFF }.sorted { $0.key < $1.key }
            little(UInt32(12_346))
            little(UInt32(containers.count))
            for (key, rows) in containers {
                little(UInt16(key))
                little(UInt16(rows.count - 1))
            }
            for _ in containers { little(UInt32(0)) }
            for (_, rows) in containers {
                if rows.count <= 4096 {
                    for row in rows { little(UInt16(row & 0xFFFF)) }
                } else {
                    var words = [UInt64](repeating: 0, count: 1024)
                    for row in rows { words[Int(row & 0xFFFF) / 64] |= 1 << UInt64(row & 63) }
                    for word in words { little(word) }
                }
            }
        }
        return bytes
    }

    @Test("Vectors in files: small and large containers, checked by length and checksum")
    func file() throws {
        var dice = Dice(state: 3)
        var rows = Set<Int64>()
        for _ in 0..<3000 { rows.insert(Int64.random(in: 0..<100_000, using: &dice)) }
        for row in 0..<9000 { rows.insert(1 << 33 + Int64(row) * 3) }
        let sorted = rows.sorted()
        let bitmap = Self.bitmap(sorted)
        let size = UInt32(bitmap.count)
        func big(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> UInt32($0) & 255) } }
        let file: [UInt8] = [1, 9, 9] + big(size) + bitmap + big(CRC32.of(bitmap))
        let vector = DeletionVector(
            storage: .relative, pathOrInline: "ab^-aqEH.-t@S}K{vb[*k^", offset: 3, sizeInBytes: Int64(size),
            cardinality: Int64(sorted.count))
        #expect(try vector.rows(file: file) == sorted)
        for _ in 0..<200 {
            var damaged = file
            let place = Int.random(in: 3..<file.count, using: &dice)
            damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
            #expect(code { _ = try vector.rows(file: damaged) } == .corruptLog, "a flipped bit at \(place)")
        }
        for length in [0, 1, 3, 7, 20, file.count - 1] {
            #expect(code { _ = try vector.rows(file: Array(file.prefix(length))) } == .corruptLog)
        }
        // Damage that a checksum does not show is bounded all the same.
        for _ in 0..<300 {
            var damaged = bitmap
            damaged[Int.random(in: 0..<64, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
            var reader = ByteReader(damaged[...])
            _ = try? RoaringRows.read(&reader, maximum: Int64(sorted.count))
        }
    }

    @Test("Base 85 there and back")
    func base85() {
        var dice = Dice(state: 4)
        for length in stride(from: 0, to: 64, by: 4) {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &dice) }
            #expect(Base85.decode(Base85.encode(bytes)) == bytes)
        }
        #expect(Base85.decode("abcd") == nil)
        #expect(Base85.decode("%%%%%") == nil)
        #expect(Base85.decode("abc\"d") == nil)
    }
}
