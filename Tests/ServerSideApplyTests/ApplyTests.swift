// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SeededRandom
import ServerSideApply
import Testing

/// The merge rules, by list and map type, on a type of our own and on built-in ones.
@Suite struct ApplyTests {
    /// One applier after the other, on one object.
    struct Story {
        var object: JSONValue?
        var managers = ManagedFields()
        var manager: FieldManager
        var clock = 0

        init(_ type: MergeType) { manager = FieldManager(type: type) }

        static let custom = MergeType(
            object: .object(
                fields: [
                    "spec": .object(
                        fields: [
                            "text": .scalar(.string), "number": .scalar(.number), "flag": .scalar(.boolean),
                            "amount": .scalar(.any),
                            "atomicList": .list(.scalar(.string), .atomic),
                            "set": .list(.scalar(.string), .set),
                            "keyed": .list(
                                .object(
                                    fields: [
                                        "name": .scalar(.string), "value": .scalar(.number), "other": .scalar(.string),
                                    ],
                                    others: nil, isAtomic: false),
                                .map(keys: [.init("name")])),
                            "ports": .list(
                                .object(
                                    fields: [
                                        "port": .scalar(.number), "protocol": .scalar(.string),
                                        "name": .scalar(.string),
                                    ],
                                    others: nil, isAtomic: false),
                                .map(keys: [.init("port"), .init("protocol", default: "TCP")])),
                            "atomicMap": .object(fields: [:], others: .scalar(.string), isAtomic: true),
                            "granular": .object(fields: [:], others: .scalar(.string), isAtomic: false),
                            "struct": .object(
                                fields: ["a": .scalar(.number), "b": .scalar(.number)], others: nil, isAtomic: false),
                            "free": .deduced, "whole": .anything,
                        ],
                        others: nil, isAtomic: false)
                ],
                others: nil, isAtomic: false))

        mutating func request(_ name: String) -> FieldManager.Request {
            clock += 1
            return FieldManager.Request(
                manager: name, apiVersion: "example.org/v1",
                time: Timestamp(seconds: 1_800_000_000 + Int64(clock)).rfc3339)
        }

        func wrapped(_ spec: JSONValue) -> JSONValue {
            .object([
                "apiVersion": "example.org/v1", "kind": "Thing", "metadata": ["name": "thing"], "spec": spec,
            ])
        }

        mutating func apply(_ name: String, _ spec: JSONValue, force: Bool = false) throws {
            let applied = try manager.apply(wrapped(spec), to: object, managers, request(name), force: force)
            object = applied.object ?? object
            managers = applied.managers
        }

        mutating func update(_ name: String, _ change: (inout JSONValue) -> Void) {
            let old = object ?? .object([:])
            var new = old
            change(&new)
            managers = manager.updated(managers, from: old, to: new, request(name))
            object = new
        }

        mutating func create(_ name: String, _ spec: JSONValue) {
            let new = wrapped(spec)
            object = new
            managers = manager.created(new, request(name), ignoring: [])
        }

        func fields(of name: String) -> String? {
            managers.entries.first { $0.manager == name }.map { String(decoding: $0.fields.bytes, as: UTF8.self) }
        }

        var spec: JSONValue { object?["spec"] ?? .null }
    }

    struct Merge: Sendable, CustomTestStringConvertible {
        var name: String
        var first: JSONValue
        var second: JSONValue
        /// After `two` applied `second` to what `one` applied as `first`.
        var merged: JSONValue
        /// After `one` then applied nothing.
        var rest: JSONValue
        var testDescription: String { name }
    }

    static let merges = [
        Merge(
            name: "scalars", first: ["text": "a", "flag": true], second: ["number": 1],
            merged: ["text": "a", "flag": true, "number": 1], rest: ["number": 1]),
        Merge(
            name: "shared value", first: ["text": "a"], second: ["text": "a"], merged: ["text": "a"],
            rest: ["text": "a"]),
        Merge(
            name: "set", first: ["set": ["a", "b"]], second: ["set": ["c", "b"]],
            merged: ["set": ["a", "c", "b"]], rest: ["set": ["c", "b"]]),
        Merge(
            name: "keyed list", first: ["keyed": [["name": "a", "value": 1], ["name": "b", "value": 2]]],
            second: ["keyed": [["name": "c", "value": 3], ["name": "a", "other": "x"]]],
            merged: [
                "keyed": [
                    ["name": "c", "value": 3], ["name": "a", "value": 1, "other": "x"], ["name": "b", "value": 2],
                ]
            ],
            rest: ["keyed": [["name": "c", "value": 3], ["name": "a", "other": "x"]]]),
        Merge(
            name: "default of a key", first: ["ports": [["port": 80, "protocol": "TCP", "name": "w"]]],
            second: ["ports": [["port": 80], ["port": 80, "protocol": "UDP"]]],
            merged: ["ports": [["port": 80, "protocol": "TCP", "name": "w"], ["port": 80, "protocol": "UDP"]]],
            rest: ["ports": [["port": 80], ["port": 80, "protocol": "UDP"]]]),
        Merge(
            name: "granular map", first: ["granular": ["a": "1"]], second: ["granular": ["b": "2"]],
            merged: ["granular": ["a": "1", "b": "2"]], rest: ["granular": ["b": "2"]]),
        Merge(
            name: "struct", first: ["struct": ["a": 1]], second: ["struct": ["b": 2]],
            merged: ["struct": ["a": 1, "b": 2]], rest: ["struct": ["b": 2]]),
        Merge(
            name: "struct of one alone", first: ["struct": ["a": 1]], second: ["text": "x"],
            merged: ["struct": ["a": 1], "text": "x"], rest: ["text": "x"]),
        Merge(
            name: "deduced", first: ["free": ["x": ["y": 1], "l": [1]]], second: ["free": ["x": ["z": 2]]],
            merged: ["free": ["x": ["y": 1, "z": 2], "l": [1]]], rest: ["free": ["x": ["z": 2]]]),
        Merge(
            name: "numbers by value", first: ["number": 1], second: ["number": 1.0], merged: ["number": 1],
            rest: ["number": 1]),
        Merge(
            name: "same atomic values", first: ["atomicMap": ["a": "1"], "atomicList": ["a"], "whole": [["x": 1]]],
            second: ["atomicMap": ["a": "1"], "atomicList": ["a"], "whole": [["x": 1]]],
            merged: ["atomicMap": ["a": "1"], "atomicList": ["a"], "whole": [["x": 1]]],
            rest: ["atomicMap": ["a": "1"], "atomicList": ["a"], "whole": [["x": 1]]]),
    ]

    @Test(arguments: merges)
    func mergesAndRemoves(_ input: Merge) throws {
        var story = Story(Story.custom)
        try story.apply("one", input.first)
        #expect(story.spec == input.first)
        try story.apply("two", input.second)
        #expect(story.spec == input.merged, "\(story.spec.text)")
        let before = story.managers
        try story.apply("two", input.second)
        #expect(story.managers == before, "an apply that changes nothing leaves no trace")
        try story.apply("one", [:])
        #expect(story.spec == input.rest, "\(story.spec.text)")
        #expect(story.fields(of: "one") == nil || story.fields(of: "one") == #"{"f:spec":{}}"#)
    }

    struct Conflict: Sendable, CustomTestStringConvertible {
        var name: String
        var first: JSONValue
        var second: JSONValue
        var message: String
        var forced: JSONValue
        var testDescription: String { name }
    }

    static let conflicts = [
        Conflict(
            name: "scalar", first: ["text": "a"], second: ["text": "b"],
            message: #"Apply failed with 1 conflict: conflict with "one": .spec.text"#, forced: ["text": "b"]),
        Conflict(
            name: "two fields", first: ["text": "a", "struct": ["a": 1]], second: ["text": "b", "struct": ["a": 2]],
            message: "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.text\n- .spec.struct.a",
            forced: ["text": "b", "struct": ["a": 2]]),
        Conflict(
            name: "element", first: ["keyed": [["name": "a", "value": 1]]],
            second: ["keyed": [["name": "a", "value": 2]]],
            message: #"Apply failed with 1 conflict: conflict with "one": .spec.keyed[name="a"].value"#,
            forced: ["keyed": [["name": "a", "value": 2]]]),
        Conflict(
            name: "atomic list", first: ["atomicList": ["a"]], second: ["atomicList": ["a", "b"]],
            message: #"Apply failed with 1 conflict: conflict with "one": .spec.atomicList"#,
            forced: ["atomicList": ["a", "b"]]),
        Conflict(
            name: "atomic map", first: ["atomicMap": ["a": "1"]], second: ["atomicMap": ["b": "1"]],
            message: #"Apply failed with 1 conflict: conflict with "one": .spec.atomicMap"#,
            forced: ["atomicMap": ["b": "1"]]),
        Conflict(
            name: "key with two members", first: ["ports": [["port": 80, "name": "a"]]],
            second: ["ports": [["port": 80, "name": "b"]]],
            message: #"Apply failed with 1 conflict: conflict with "one": .spec.ports[port=80,protocol="TCP"].name"#,
            forced: ["ports": [["port": 80, "name": "b"]]]),
    ]

    @Test(arguments: conflicts)
    func conflictsAreToldAndForced(_ input: Conflict) throws {
        var story = Story(Story.custom)
        try story.apply("one", input.first)
        let before = story
        let error = #expect(throws: ApplyError.self) { try story.apply("two", input.second) }
        guard case .conflict(let conflict)? = error else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
        #expect(conflict.message == input.message)
        #expect(conflict.status.code == 409)
        #expect(conflict.status.reason == "Conflict")
        #expect(
            conflict.causes.allSatisfy { $0.reason == "FieldManagerConflict" && $0.message == "conflict with \"one\"" })
        #expect(story.object == before.object)
        #expect(story.managers == before.managers)
        try story.apply("two", input.second, force: true)
        #expect(story.spec == input.forced)
        // The fields went over: who had them may not change them back, and its own removal leaves them.
        #expect(throws: ApplyError.self) { try story.apply("one", input.first) }
        try story.apply("one", [:])
        #expect(story.spec == input.forced)
    }

    @Test func updatesTakeFieldsOver() throws {
        var story = Story(Story.custom)
        try story.apply("one", ["text": "a", "number": 1])
        story.update("editor") { $0["spec"]["text"] = "b" }
        #expect(story.fields(of: "one") == #"{"f:spec":{"f:number":{}}}"#)
        #expect(story.fields(of: "editor") == #"{"f:spec":{"f:text":{}}}"#)
        let error = #expect(throws: ApplyError.self) { try story.apply("one", ["text": "c", "number": 1]) }
        guard case .conflict(let conflict)? = error else { return }
        #expect(
            conflict.message
                == #"Apply failed with 1 conflict: conflict with "editor" using example.org/v1: .spec.text"#)
        // What it does not send any more goes only where it owned it.
        try story.apply("one", [:])
        #expect(story.spec == ["text": "b"])
        // The same value is shared.
        try story.apply("two", ["text": "b"])
        #expect(story.fields(of: "editor") == #"{"f:spec":{"f:text":{}}}"#)
        // What an update removes is nobody's.
        story.update("editor") { $0["spec"]["text"] = nil }
        #expect(story.fields(of: "editor") == nil)
        #expect(story.fields(of: "two") == nil || story.fields(of: "two") == #"{"f:spec":{}}"#)
    }

    @Test func defaultsBelowARemovedStructGoWithIt() throws {
        var story = Story(Story.custom)
        try story.apply("one", ["struct": ["a": 1], "text": "x"])
        // As defaulting adds them: nobody's.
        story.object?["spec"]["struct"]["b"] = 5
        try story.apply("one", ["text": "x"])
        #expect(story.spec == ["text": "x"])
    }

    @Test func whatWasThereBeforeTheFirstApplyIsKept() throws {
        var story = Story(Story.custom)
        story.object = story.wrapped(["text": "a", "set": ["x"]])
        story.update("ignored") { $0["spec"]["number"] = 1 }
        #expect(story.managers.isEmpty, "objects without managers are not tracked")
        try story.apply("one", ["text": "a", "set": ["y"]])
        #expect(story.managers.entries.map(\.manager) == ["one", "before-first-apply"])
        try story.apply("one", [:])
        #expect(story.spec == ["text": "a", "set": ["x"], "number": 1])
        #expect(throws: ApplyError.self) { try story.apply("one", ["text": "b"]) }
    }

    @Test func createdObjectsBelongToTheirCreator() throws {
        var story = Story(Story.custom)
        story.create("maker", ["text": "a", "keyed": [["name": "a"]], "granular": [:]])
        #expect(
            story.fields(of: "maker")
                == #"{"f:spec":{".":{},"f:granular":{},"f:keyed":{".":{},"k:{\"name\":\"a\"}":{".":{},"f:name":{}}},"f:text":{}}}"#
        )
    }

    struct Fault: Sendable {
        var spec: JSONValue
        var message: String
    }

    static let faults = [
        Fault(spec: ["other": 1], message: ".spec.other: field not declared in schema"),
        Fault(spec: ["number": "x"], message: ".spec.number: expected numeric (int or float), got string"),
        Fault(spec: ["text": 1], message: ".spec.text: expected string, got &value.valueUnstructured{Value:1}"),
        Fault(spec: ["set": "x"], message: #".spec.set: expected list, got &{"x"}"#),
        Fault(spec: ["set": ["a", "a"]], message: #".spec.set: duplicate entries for key [="a"]"#),
        Fault(
            spec: ["set": [["a": 1]]],
            message: ".spec.set: element 0: associative list without keys has an element that's a map type"),
        Fault(
            spec: ["keyed": [["name": "a"], ["name": "a", "value": 1]]],
            message: #".spec.keyed: duplicate entries for key [name="a"]"#),
        Fault(
            spec: ["keyed": [["value": 1]]],
            message:
                #".spec.keyed: element 0: associative list with keys has an element that omits key field "name" (and doesn't have default value)"#
        ),
        Fault(
            spec: ["keyed": ["a"]],
            message: ".spec.keyed: element 0: associative list with keys may not have non-map elements"),
        Fault(
            spec: ["keyed": [["name": "a", "x": 1]]],
            message: #".spec.keyed[name="a"].x: field not declared in schema"#),
        Fault(spec: ["struct": [1]], message: ".spec.struct: expected map, got &{a list of 1}"),
        Fault(
            spec: ["x": 1, "y": 1],
            message: "errors:\n  .spec.x: field not declared in schema\n  .spec.y: field not declared in schema"),
    ]

    @Test(arguments: faults)
    func refusesWhatDoesNotFit(_ input: Fault) {
        var story = Story(Story.custom)
        let error = #expect(throws: ApplyError.self) { try story.apply("one", input.spec) }
        guard case .typed(let fault)? = error else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
        #expect(fault.description == input.message)
        #expect(story.object == nil)
    }

    /// A schema whose map and list become atomic: who owned a part owns the whole.
    @Test func whatBecomesAtomicIsOwnedAsAWhole() throws {
        func type(_ isAtomic: Bool) -> MergeType {
            MergeType(
                object: .object(
                    fields: [
                        "spec": .object(
                            fields: [
                                "m": .object(fields: [:], others: .scalar(.string), isAtomic: isAtomic),
                                "l": .list(.scalar(.string), isAtomic ? .atomic : .set),
                            ], others: nil, isAtomic: false)
                    ], others: nil, isAtomic: false))
        }
        var story = Story(type(false))
        try story.apply("one", ["m": ["a": "1"], "l": ["x"]])
        try story.apply("two", ["m": ["b": "2"], "l": ["y"]])
        story.manager = FieldManager(type: type(true))
        try story.apply("two", ["m": ["a": "1", "b": "2"], "l": ["x", "y"]])
        #expect(story.fields(of: "one") == #"{"f:spec":{"f:l":{},"f:m":{}}}"#)
        #expect(story.fields(of: "two") == #"{"f:spec":{"f:l":{},"f:m":{}}}"#)
        #expect(throws: ApplyError.self) { try story.apply("two", ["m": ["b": "2"], "l": ["x", "y"]]) }
    }

    @Test func theOldestUpdatersAreMerged() {
        var story = Story(Story.custom)
        story.create("u0", ["granular": ["k0": "v"]])
        for number in 1..<15 { story.update("u\(number)") { $0["spec"]["granular"]["k\(number)"] = "v" } }
        #expect(story.managers.entries.count == ManagedFields.maximumUpdateManagers)
        #expect(story.fields(of: "u0") == nil)
        #expect(story.fields(of: "ancient-changes")?.contains("f:k5") == true)
        #expect(story.fields(of: "ancient-changes")?.contains("f:k6") == false)
        #expect(story.fields(of: "u6") != nil)
        let all = story.managers.entries.reduce(FieldSet()) { $0.union($1.fields) }
        for number in 0..<15 {
            #expect(all.contains([.field("spec"), .field("granular"), .field("k\(number)")]))
        }
    }

    /// Random applies by three managers agree with a model: a field has the value of who forced it last, as long as
    /// anybody who applied it still does.
    @Test func randomAppliesAgreeWithAModel() throws {
        var random = SplitMix(state: 7)
        for _ in 0..<40 {
            var story = Story(Story.custom)
            var owners: [String: Set<String>] = [:]
            var values: [String: String] = [:]
            for _ in 0..<25 {
                let applier = ["a", "b", "c"][Int.random(in: 0..<3, using: &random)]
                var wanted: [String: String] = [:]
                for key in ["k1", "k2", "k3", "k4"] where Bool.random(using: &random) {
                    wanted[key] = Bool.random(using: &random) ? "x" : "y"
                }
                for key in values.keys {
                    if let value = wanted[key] {
                        if values[key] == value { owners[key]?.insert(applier) } else { owners[key] = [applier] }
                    } else if owners[key]?.remove(applier) != nil, owners[key]?.isEmpty == true {
                        owners[key] = nil
                    }
                }
                for (key, value) in wanted {
                    owners[key, default: []].insert(applier)
                    values[key] = value
                }
                values = values.filter { owners[$0.key] != nil }
                try story.apply(applier, wanted.isEmpty ? [:] : ["granular": JSONValue(wanted)], force: true)
                #expect(story.spec["granular"].stringMembers == values)
            }
        }
    }
}
