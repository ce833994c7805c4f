// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

struct SelectorTests {
    @Test(arguments: [
        ("app=web", ["app": "web"], true),
        ("app==web", ["app": "api"], false),
        ("app!=web", [:], true),
        ("app in (web, api),tier", ["app": "api", "tier": ""], true),
        ("app notin (web)", ["app": "web"], false),
        ("!app", ["app": "web"], false),
        ("version>3", ["version": "4"], true),
        ("version<3", ["version": "x"], false),
        ("example.com/role=a_b.c", ["example.com/role": "a_b.c"], true),
        ("", ["any": "thing"], true),
    ])
    func labels(text: String, labels: [String: String], isMatch: Bool) throws {
        #expect(try LabelSelector(parsing: text).matches(labels) == isMatch)
    }

    @Test(arguments: ["a in (", "a in b", "=x", "a b", "a=(b)", "a like (b)", "a>x"])
    func refuses(text: String) {
        #expect(throws: StatusError.self) { try LabelSelector(parsing: text) }
    }

    @Test func objectForm() throws {
        let selector = try LabelSelector(json: [
            "matchLabels": ["a": "1"],
            "matchExpressions": [
                ["key": "b", "operator": "In", "values": ["x", "y"]], ["key": "c", "operator": "Exists"],
            ],
        ])
        #expect(selector.matches(["a": "1", "b": "y", "c": ""]))
        #expect(!selector.matches(["a": "1", "b": "z", "c": ""]))
        #expect(throws: StatusError.self) {
            try LabelSelector(json: ["matchExpressions": [["key": "a", "operator": "Near"]]])
        }
    }

    @Test func fields() throws {
        let selector = try FieldSelector(parsing: "metadata.name=a,status.phase!=Running")
        #expect(selector.matches(["metadata.name": "a", "status.phase": "Pending"]))
        #expect(!selector.matches(["metadata.name": "a", "status.phase": "Running"]))
        #expect(throws: StatusError.self) { try FieldSelector(parsing: "metadata.name") }
    }
}

struct QuantityTests {
    @Test(arguments: [
        ("0", 0), ("1", 1000), ("500m", 500), ("1.5", 1500), ("1k", 1_000_000), ("1Ki", 1_024_000),
        ("0.5Gi", 536_870_912_000),
        ("1e3", 1_000_000), ("1P", 1_000_000_000_000_000_000), ("-250m", -250), ("100n", 1), ("12E6", 12_000_000_000),
    ])
    func parses(text: String, millis: Int64) {
        #expect(Quantity(text)?.millis == millis)
    }

    @Test(arguments: ["", "abc", "1.2.3", "1 Gi", "1gi", "--1", "."])
    func refuses(text: String) { #expect(Quantity(text) == nil) }

    @Test func roundsUpAndCaps() {
        #expect(Quantity("1500m")?.value == 2)
        #expect(Quantity("99E")?.millis == .max)
    }
}
