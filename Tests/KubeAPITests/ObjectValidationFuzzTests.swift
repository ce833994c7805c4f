// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

/// Objects of every kind with parts replaced by anything: all is refused or stored, nothing traps, and what is
/// stored has no unknown fields and stays as it is when it is decoded again.
@Suite struct ObjectValidationFuzzTests {
    @Test(arguments: Schema.builtIn.kinds.keys.filter { !$0.kind.hasSuffix("List") })
    func survivesAnything(kind: GroupVersionKind) throws {
        let full = try #require(FullObject.make(kind))
        let type = try #require(Schema.builtIn.type(kind))
        var random = LinearGenerator(state: UInt64(kind.kind.utf8.count) + 7)
        for _ in 0..<20 {
            var mutated = full
            for _ in 0..<5 { mutate(&mutated, &random, depth: 0) }
            let report = ObjectValidation.check(mutated, type: type)
            guard case .object = report.object else { continue }
            let again = ObjectValidation.check(report.object, type: type)
            #expect(again.unknownFields.isEmpty && again.typeErrors.isEmpty)
            #expect(again.object == report.object)
            var object = report.object
            Defaults.apply(&object, kind)
            let completed = ObjectValidation.check(object, type: type)
            #expect(completed.unknownFields.isEmpty && completed.typeErrors.isEmpty)
            for cause in ObjectValidation.semantic(object, kind, old: full) {
                #expect(cause.reason.hasPrefix("FieldValue") && !cause.message.isEmpty)
            }
            _ = try? StrategicMergePatch.apply(mutated, to: full, type: type)
            _ = MergePatch.apply(mutated, to: full)
        }
    }

    private static let values: [JSONValue] = [
        .null, true, 0, -1, 99_999_999_999, 1.5, "", "x", "50%", "$patch", [], [[:]], [nil], ["a", 1], [:],
        ["$patch": "delete"], ["$patch": "replace"], ["name": "a", "$retainKeys": ["name"]],
        ["$setElementOrder/containers": [["name": "a"]], "$deleteFromPrimitiveList/finalizers": ["x"]],
    ]

    private func mutate(_ value: inout JSONValue, _ random: inout LinearGenerator, depth: Int) {
        let replacement = Self.values[Int.random(in: 0..<Self.values.count, using: &random)]
        switch value {
        case .object(var members) where !members.isEmpty && Int.random(in: 0..<8, using: &random) > 0:
            let keys = members.keys.sorted()
            let key = keys[Int.random(in: 0..<keys.count, using: &random)]
            mutate(&members[key, default: .null], &random, depth: depth + 1)
            value = .object(members)
        case .array(var elements) where !elements.isEmpty && Int.random(in: 0..<8, using: &random) > 0:
            mutate(&elements[Int.random(in: 0..<elements.count, using: &random)], &random, depth: depth + 1)
            value = .array(elements)
        default:
            if depth > 0 { value = replacement }
        }
    }
}

/// A seeded generator, so that a failure can be repeated.
private struct LinearGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
