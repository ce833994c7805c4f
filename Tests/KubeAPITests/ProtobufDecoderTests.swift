// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import ProtobufFormat
import Testing

@Suite struct ProtobufDecoderTests {
    @Test(arguments: KubectlBodies.all)
    func decodesWhatKubectlSends(body: KubectlBodies.Body) throws {
        #expect(try ProtobufDecoder.decode(envelope: body.bytes) == JSONParser.parse(body.json))
    }

    @Test(arguments: Schema.builtIn.kinds.keys.filter { !$0.kind.hasSuffix("List") })
    func decodesEveryFieldOfEveryKind(kind: GroupVersionKind) throws {
        let object = try #require(FullObject.make(kind))
        let encoded = try #require(ProtobufEncoder.envelope(object))
        #expect(try ProtobufDecoder.decode(envelope: encoded) == object)
    }

    @Test func keepsZeroesOfPointersOnly() throws {
        let object: JSONValue = [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "web", "generation": 0, "uid": ""],
            "spec": [
                "replicas": 0, "paused": false, "minReadySeconds": 0, "selector": [:], "strategy": [:],
                "template": ["metadata": [:], "spec": ["containers": [], "terminationGracePeriodSeconds": 0]],
            ],
        ]
        let encoded = try #require(ProtobufEncoder.envelope(object))
        #expect(
            try ProtobufDecoder.decode(envelope: encoded) == [
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "web"],
                "spec": [
                    "replicas": 0, "selector": [:], "strategy": [:],
                    "template": ["metadata": [:], "spec": ["terminationGracePeriodSeconds": 0]],
                ],
            ])
    }

    static let garbage: [(suffix: [UInt8], reason: String)] = [
        ([], "no kind \"\" is registered"),
        ([0x12, 0x05, 0x00], "longer than what is left"),
        ([0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], "longer than"),
        ([0x80], "ends within a varint"),
        ([UInt8](repeating: 0xFF, count: 11), "longer than 64 bits"),
        ([0x00, 0x00], "field number out of range"),
        ([0x0F], "unknown wire type 7"),
        ([0x0D, 0x01], "ends within a number"),
    ]

    @Test(arguments: garbage)
    func refusesGarbage(suffix: [UInt8], reason: String) {
        let error = #expect(throws: ProtobufError.self) {
            try ProtobufDecoder.decode(envelope: ProtobufDecoder.magic + suffix)
        }
        #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
    }

    @Test(arguments: ["", "{}", "k8s"])
    func refusesBodiesWithoutTheMagicBytes(body: String) {
        let error = #expect(throws: ProtobufError.self) { try ProtobufDecoder.decode(envelope: Array(body.utf8)) }
        #expect(error?.reason.contains("does not begin with") == true)
    }

    @Test func refusesStringsThatAreNotUTF8() throws {
        let name = ProtobufEncoder.bytes(1, ProtobufEncoder.bytes(1, [0xFF, 0xFE]))
        let typeMeta = ProtobufEncoder.bytes(1, Array("v1".utf8)) + ProtobufEncoder.bytes(2, Array("Pod".utf8))
        let body = ProtobufDecoder.magic + ProtobufEncoder.bytes(1, typeMeta) + ProtobufEncoder.bytes(2, name)
        let error = #expect(throws: ProtobufError.self) { try ProtobufDecoder.decode(envelope: body) }
        #expect(error?.reason == "field name is not UTF-8")
    }

    /// Mutated bodies decode or are refused; they never trap, and what is decoded has the shape of its type.
    @Test func survivesMutatedBodies() throws {
        var random = SplitMix64(state: 42)
        var decoded = 0
        for body in KubectlBodies.all {
            let original = body.bytes
            for _ in 0..<300 {
                var bytes = original
                for _ in 0...Int.random(in: 0..<4, using: &random) where bytes.count > 5 {
                    let index = Int.random(in: 4..<bytes.count, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                    case 2: bytes.removeSubrange(index...)
                    default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                    }
                }
                guard let value = try? ProtobufDecoder.decode(envelope: bytes) else { continue }
                decoded += 1
                let kind = GroupVersionKind(
                    apiVersion: value["apiVersion"].string ?? "", kind: value["kind"].string ?? "")
                let type = try #require(Schema.builtIn.type(kind))
                #expect(ObjectValidation.check(value, type: type).unknownFields.isEmpty)
            }
        }
        #expect(decoded > 100)
    }
}

/// A seeded generator, so that a failure can be repeated.
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
