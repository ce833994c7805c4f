// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CEL
import CustomResources
import KubeAPI
import Testing

/// Rules in CEL of schemas.
@Suite struct RuleTests {
    private func compile(_ spec: String) throws -> (tree: RuleTree?, faults: [String]) {
        let schema = try json(#"{"type":"object","properties":{"spec":\#(spec)}}"#)
        let (tree, faults) = RuleTree.compile(try StructuralSchema.read(schema), json: schema, path: "s")
        return (tree, faults.map { "\($0.field): \($0.message)" })
    }

    private func faults(_ spec: String, _ value: String, old: String? = nil) throws -> [String] {
        let (tree, faults) = try compile(spec)
        #expect(faults == [])
        let rules = try #require(tree)
        let old = try old.map { try json(#"{"spec":\#($0)}"#) }
        return rules.evaluate(try json(#"{"spec":\#(value)}"#), old: old).map {
            "\($0.reason) \($0.field): \($0.message)"
        }
    }

    private static func scale(_ rule: String, _ more: String = "") -> String {
        #"{"type":"object","properties":{"min":{"type":"integer"},"max":{"type":"integer"},"#
            + #""names":{"type":"array","maxItems":10,"items":{"type":"string","maxLength":20}}},"#
            + #""x-kubernetes-validations":[{"rule":"\#(rule)"\#(more)}]}"#
    }

    @Test func aRuleHoldsOrIsToldOf() throws {
        let rule = Self.scale("self.min <= self.max")
        #expect(try faults(rule, #"{"min":1,"max":2}"#) == [])
        #expect(
            try faults(rule, #"{"min":3,"max":2}"#) == [
                #"FieldValueInvalid spec: Invalid value: "object": failed rule: self.min <= self.max"#
            ])
        #expect(
            try faults(rule, #"{"max":2}"#) == [
                #"FieldValueInvalid spec: Invalid value: "object": no such key: min evaluating rule: self.min <= self.max"#
            ])
        #expect(try faults(rule, #"{"min":3,"max":2}"#, old: #"{"min":3,"max":2}"#) == [])
    }

    @Test func messagesReasonsAndPaths() throws {
        #expect(
            try faults(Self.scale("self.min <= self.max", #","message":"min is too large""#), #"{"min":3,"max":2}"#)
                == [
                    #"FieldValueInvalid spec: Invalid value: "object": min is too large"#
                ])
        #expect(
            try faults(
                Self.scale(
                    "self.min <= self.max",
                    #","messageExpression":"'min must be at most ' + string(self.max)","reason":"FieldValueForbidden","#
                        + #""fieldPath":".min""#), #"{"min":3,"max":2}"#) == [
                    "FieldValueForbidden spec.min: Forbidden: min must be at most 2"
                ])
        #expect(
            try faults(
                Self.scale(
                    "has(self.names)", #","reason":"FieldValueRequired","fieldPath":".names","message":"say it""#),
                "{}") == ["FieldValueRequired spec.names: Required value: say it"])
    }

    @Test func transitionsCompareWithTheValueBefore() throws {
        let rule = Self.scale("self.min >= oldSelf.min")
        #expect(try faults(rule, #"{"min":1}"#) == [])
        #expect(try faults(rule, #"{"min":2}"#, old: #"{"min":1}"#) == [])
        #expect(try faults(rule, #"{"min":1}"#, old: #"{"min":2}"#).count == 1)
        let optional = Self.scale(
            "!oldSelf.hasValue() || self.min >= oldSelf.value().min", #","optionalOldSelf":true"#)
        #expect(try faults(optional, #"{"min":1}"#) == [])
        #expect(try faults(optional, #"{"min":1}"#, old: #"{"min":2}"#).count == 1)
    }

    @Test func rulesOfElementsAndEntries() throws {
        let list =
            #"{"type":"array","maxItems":5,"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"#
            + #""items":{"type":"object","required":["k"],"properties":{"k":{"type":"string","maxLength":9},"#
            + #""n":{"type":"integer"}},"x-kubernetes-validations":[{"rule":"self.n >= oldSelf.n"}]}}"#
        #expect(
            try faults(list, #"[{"k":"b","n":1},{"k":"a","n":5}]"#, old: #"[{"k":"a","n":4},{"k":"b","n":2}]"#) == [
                #"FieldValueInvalid spec[0]: Invalid value: "object": failed rule: self.n >= oldSelf.n"#
            ])
        let map =
            #"{"type":"object","maxProperties":5,"additionalProperties":{"type":"integer","#
            + #""x-kubernetes-validations":[{"rule":"self % 2 == 0","message":"must be even"}]}}"#
        #expect(
            try faults(map, #"{"a":2,"b":3}"#) == [
                #"FieldValueInvalid spec[b]: Invalid value: "integer": must be even"#
            ])
    }

    @Test func rulesThatDoNotCompileAreRefused() throws {
        let unknown = try compile(Self.scale("self.nothing > 1")).faults
        #expect(unknown.count == 1)
        #expect(
            unknown[0].hasPrefix(
                #"s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: apiextensions.ValidationRule{"#))
        #expect(unknown[0].contains("undefined field 'nothing'"))
        #expect(
            try compile(Self.scale("self.min")).faults.first?.contains("cel expression must evaluate to a bool") == true
        )
        #expect(
            try compile(Self.scale("self.min > 0", #","messageExpression":"1""#)).faults.first?.contains(
                "messageExpression must evaluate to a string") == true)
        #expect(
            try compile(Self.scale("self.min > 0", #","optionalOldSelf":true"#)).faults == [
                "s.properties[spec].x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if "
                    + "oldSelf is not used in rule"
            ])
        let atomic =
            #"{"type":"array","maxItems":5,"items":{"type":"integer","#
            + #""x-kubernetes-validations":[{"rule":"self >= oldSelf"}]}}"#
        #expect(
            try compile(atomic).faults == [
                #"s.properties[spec].items.x-kubernetes-validations[0].rule: Invalid value: "self >= oldSelf": oldSelf "#
                    + "cannot be used on the uncorrelatable portion of the schema within s.properties[spec]"
            ])
    }

    @Test func whatMayCostTooMuchIsRefused() throws {
        let open =
            #"{"type":"array","items":{"type":"string"},"x-kubernetes-validations":"#
            + #"[{"rule":"self.all(x, self.exists(y, x.startsWith(y)))"}]}"#
        let faults = try compile(open).faults
        #expect(
            faults.contains {
                $0.hasPrefix(
                    "s.properties[spec].x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds")
                    && $0.contains("more than 100x")
            }, "\(faults)")
    }

    @Test func evaluationEndsWithItsBudget() throws {
        let spec =
            #"{"type":"array","maxItems":100,"items":{"type":"string","maxLength":20},"x-kubernetes-validations":"#
            + #"[{"rule":"self.all(x, x.size() < 100)"}]}"#
        let tree = try #require(try compile(spec).tree)
        let value: JSONValue = ["spec": .array(Array(repeating: "abc", count: 100))]
        #expect(tree.evaluate(value, old: nil) == [])
        let spent = tree.evaluate(value, old: nil, budget: CELBudget(perCall: 1_000_000, remaining: 50))
        #expect(spent.count == 1)
        #expect(spent.first?.message.contains("no further validation rules will be run") == true)
    }
}
