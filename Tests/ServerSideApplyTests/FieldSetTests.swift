// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SeededRandom
import ServerSideApply
import Testing

@Suite struct FieldSetTests {
    static func set(_ text: String) throws -> FieldSet { try FieldSet(json: try JSONParser.parse(text)) }

    static let texts = [
        #"{}"#,
        #"{"f:spec":{"f:replicas":{}}}"#,
        #"{"f:a":{".":{},"f:b":{}}}"#,
        #"{"f:list":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{}},"v:\"x\"":{},"v:1":{}}}"#,
        #"{"f:a\"b\\c\u0001":{"i:0":{},"i:1":{"f:x":{}}}}"#,
    ]

    @Test(arguments: texts)
    func roundTrip(_ text: String) throws {
        let set = try Self.set(text)
        #expect(String(decoding: set.bytes, as: UTF8.self) == text)
        var managed = ManagedFields()
        managed = try ManagedFields(json: [
            [
                "manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
                "time": "2026-01-02T03:04:05Z", "fieldsV1": try JSONParser.parse(#"{"f:zz":{}}"#),
            ],
            [
                "manager": "n\"", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                "subresource": "status", "fieldsV1": try JSONParser.parse(text == "{}" ? #"{"f:a":{}}"# : text),
            ],
        ])
        let stored = try ManagedFields(stored: managed.bytes)
        #expect(stored == managed)
        #expect(stored.entries.map(\.manager) == ["n\"", "m"])
        #expect(try ManagedFields(json: try JSONParser.parse(managed.bytes)) == managed)
    }

    @Test func spellingsOfClientsAreMadeOne() throws {
        let set = try Self.set(
            #"{"f:l":{"k:{ \"protocol\": \"TCP\", \"containerPort\":80 }":{},"x:future":{"f:a":{}}}}"#)
        #expect(
            String(decoding: set.bytes, as: UTF8.self)
                == #"{"f:l":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{}}}"#)
        #expect(set.paths.map { $0.map(\.pathText).joined() } == [".l[containerPort=80,protocol=\"TCP\"]"])
    }

    struct Operation: Sendable {
        var left: String
        var right: String
        var union: String
        var intersection: String
        var difference: String
    }

    static let operations = [
        Operation(
            left: #"{"f:a":{},"f:b":{"f:c":{}}}"#, right: #"{"f:b":{".":{},"f:d":{}}}"#,
            union: #"{"f:a":{},"f:b":{".":{},"f:c":{},"f:d":{}}}"#, intersection: "{}",
            difference: #"{"f:a":{},"f:b":{"f:c":{}}}"#),
        Operation(
            left: #"{"f:a":{".":{},"f:b":{},"f:c":{}}}"#, right: #"{"f:a":{".":{},"f:b":{}}}"#,
            union: #"{"f:a":{".":{},"f:b":{},"f:c":{}}}"#, intersection: #"{"f:a":{".":{},"f:b":{}}}"#,
            difference: #"{"f:a":{"f:c":{}}}"#),
        Operation(left: "{}", right: #"{"v:1":{}}"#, union: #"{"v:1":{}}"#, intersection: "{}", difference: "{}"),
    ]

    @Test(arguments: operations)
    func operation(_ input: Operation) throws {
        let left = try Self.set(input.left)
        let right = try Self.set(input.right)
        #expect(left.union(right) == (try Self.set(input.union)))
        #expect(right.union(left) == (try Self.set(input.union)))
        #expect(left.intersection(right) == (try Self.set(input.intersection)))
        #expect(left.subtracting(right) == (try Self.set(input.difference)))
    }

    /// Random sets: the operations agree with sets of paths, and the codec gives back what it got.
    @Test func operationsAgreeWithSetsOfPaths() throws {
        var random = SplitMix(state: 7)
        func path() -> [PathElement] {
            (0..<Int.random(in: 1...4, using: &random)).map { _ in
                let number = Int.random(in: 0..<3, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: return .key(["name": JSONValue(number)])
                case 1: return .value(JSONValue("\(number)"))
                default: return .field("f\(number)")
                }
            }
        }
        for _ in 0..<300 {
            let left = (0..<Int.random(in: 0..<12, using: &random)).map { _ in path() }
            let right = (0..<Int.random(in: 0..<12, using: &random)).map { _ in path() }
            let (one, two) = (FieldSet(paths: left), FieldSet(paths: right))
            #expect(Set(one.union(two).paths) == Set(left + right))
            #expect(Set(one.intersection(two).paths) == Set(left).intersection(right))
            #expect(Set(one.subtracting(two).paths) == Set(left).subtracting(right))
            #expect(one.count == Set(left).count)
            #expect(left.allSatisfy(one.contains))
            #expect(try FieldSet(json: try JSONParser.parse(one.bytes)) == one)
        }
    }

    /// Bytes from outside, whatever they are, are read or refused.
    @Test func hostileTextsAreReadOrRefused() throws {
        var random = SplitMix(state: 7)
        let seed = Array(
            #"[{"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:a":{".":{},"k:{\"n\":1}":{}}},"manager":"m","operation":"Update","time":"2026-01-02T03:04:05Z"}]"#
                .utf8)
        #expect(try ManagedFields(stored: seed).entries.count == 1)
        var refused = 0
        for _ in 0..<5000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(contentsOf: bytes[place...].prefix(20), at: place)
                }
            }
            do {
                let read = try ManagedFields(stored: bytes)
                #expect(try ManagedFields(stored: read.bytes) == read)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 0)
        let deep = String(repeating: #"{"f:a":"#, count: 100_000)
        #expect(throws: FieldSetError.self) { try ManagedFields(stored: Array(deep.utf8)) }
        var nested: JSONValue = [:]
        for _ in 0..<300 { nested = ["f:a": nested] }
        #expect(throws: FieldSetError.self) { try FieldSet(json: nested) }
        for wrong: JSONValue in [["f:a": 1], ["f:a": ["f:b": "x"]], [[:]], "x"] {
            #expect(throws: FieldSetError.self) { try FieldSet(json: wrong) }
        }
    }

    @Test func invalidEntriesAreRefused() {
        let good: JSONValue = [
            "manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": [:],
        ]
        for (member, value) in [
            ("operation", "Delete"), ("apiVersion", ""), ("fieldsType", "FieldsV2"), ("fieldsType", nil),
            ("fieldsV1", ["f:a": 5]),
        ] as [(String, JSONValue)] {
            var bad = good
            bad[member] = value
            #expect(throws: FieldSetError.self) { try ManagedFields(json: [bad]) }
        }
        #expect(ManagedFields.isReset([[:]]))
        #expect(!ManagedFields.isReset([]))
        #expect(!ManagedFields.isReset([good]))
    }
}
