// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import CEL

/// Expressions made of others by chance: they give a value or an error, and never more.
@Suite struct FuzzTests {
    private struct Source: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private static let seeds = [
        "self.replicas > 1 && self.name.startsWith('a') ? [1, 2].map(x, x * 2) : []",
        "self.tags.all(t, t.matches('^[a-z]+$')) || has(self.labels.x)",
        "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v + size(k))",
        "'%s %d %.3f'.format(['a', 1, 2.5]).substring(1, 3).charAt(0)",
        "timestamp('2024-01-01T00:00:00Z').getHours('+01:00') + duration('1h').getMinutes()",
        "quantity('1Gi').add(quantity('1Mi')).isGreaterThan(quantity('1G'))",
        "cidr('10.0.0.0/8').containsIP(ip('10.1.2.3')) && url('https://e.com:1/a?b=c').getPort() == '1'",
        "self.?labels['x'].orValue('y') in ['y', \"z\"] != b'\\xff'.size() < 9223372036854775807u",
        "cel.bind(x, optional.of(self.parts), x.optMap(y, y[0].size).orValue(-9223372036854775808))",
        "sets.contains([1u, 2u], [dyn(1.0)]) && math.greatest(1, 2.0) >= 1 % 0 - int('3')",
        "[[1], [2, 3]].flatten().sort().reverse().slice(0, 2).distinct().indexOf(2)",
    ]

    private static let pieces = [
        "(", ")", "[", "]", "{", "}", ".", "?", ":", ",", "!", "-", "&&", "||", "in", "null", "''", "\"", "\\", "0x",
        "1e309", ".?", "[?", "self", "x", "map(x, x)", "all(a, b, c)", "has(self.x)", "\u{0}", "😀", "e\u{301}", "9u",
        "duration('9999999h')", "optional.none()", ".size()", "//", "r'", "b'", "'''", "Object{a: 1}",
    ]

    @Test func mutatedExpressions() throws {
        let schema = try #require(CELSchema.openAPI(SchemaTests.schema))
        var environment = CELEnvironment()
        environment.declare("self", schema)
        let values = ["self": CELValue(SchemaTests.object, schema: schema)]
        var source = Source(state: 42)
        var outcomes: [String: Int] = [:]
        for round in 0..<6000 {
            let expression = Self.mutated(Self.seeds[round % Self.seeds.count], &source)
            let found = ExpressionTable.outcome(expression, environment, values)
            let kind = found.hasPrefix("compile: ") ? "compile" : found.hasPrefix("error: ") ? "error" : "value"
            outcomes[kind, default: 0] += 1
        }
        // Not all are refused at once: the mutations reach the evaluation.
        #expect(outcomes["value", default: 0] > 100)
        #expect(outcomes["compile", default: 0] > 100)
    }

    /// Values that are not what the schema says.
    @Test func valuesOfOtherTypes() throws {
        let schema = try #require(CELSchema.openAPI(SchemaTests.schema))
        var environment = CELEnvironment()
        environment.declare("self", schema)
        let odd: [JSONValue] = [nil, true, 1, 1.5, "text", [1, "a"], ["id": 1], [["id": "p"]]]
        var source = Source(state: 7)
        for round in 0..<2000 {
            var object = SchemaTests.object
            for key in SchemaTests.object.members.keys.sorted() where Bool.random(using: &source) {
                object[key] = odd.randomElement(using: &source) ?? nil
            }
            let found = ExpressionTable.outcome(
                Self.seeds[round % Self.seeds.count], environment, ["self": CELValue(object, schema: schema)])
            #expect(!found.isEmpty)
        }
    }

    private static func mutated(_ seed: String, _ source: inout Source) -> String {
        var scalars = Array(seed.unicodeScalars)
        for _ in 0..<Int.random(in: 1...3, using: &source) {
            let position = Int.random(in: 0...scalars.count, using: &source)
            switch Int.random(in: 0..<4, using: &source) {
            case 0 where position < scalars.count: scalars.remove(at: position)
            case 1:
                let other = Array((seeds.randomElement(using: &source) ?? "").unicodeScalars)
                let start = Int.random(in: 0...other.count, using: &source)
                let end = Int.random(in: start...other.count, using: &source)
                scalars.insert(contentsOf: other[start..<end], at: position)
            case 2 where position < scalars.count:
                let end = Int.random(in: position...scalars.count, using: &source)
                scalars.removeSubrange(position..<end)
            default:
                scalars.insert(contentsOf: (pieces.randomElement(using: &source) ?? "").unicodeScalars, at: position)
            }
        }
        return CELText.text(scalars)
    }
}
