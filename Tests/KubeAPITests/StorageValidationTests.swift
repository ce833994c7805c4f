// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

/// What is said about objects of storage that are wrong: `FIELD: MESSAGE`.
@Suite struct StorageValidationTests {
    struct Case: Sendable {
        var kind: GroupVersionKind
        var json: String
        var old: String?
        var expected: [String]

        init(_ kind: String, _ json: String, old: String? = nil, _ expected: [String]) {
            let isCore = kind.hasPrefix("Persistent")
            self.kind = GroupVersionKind(group: isCore ? "" : "storage.k8s.io", version: "v1", kind: kind)
            self.json = json
            self.old = old
            self.expected = expected
        }
    }

    private func object(_ text: String, _ kind: GroupVersionKind) throws -> JSONValue {
        var json = try JSONParser.parse(text)
        if json["metadata"].isNull { json["metadata"] = ["name": "x"] }
        let type = try #require(Schema.builtIn.type(kind))
        json = ObjectValidation.check(json, type: type).object
        Defaults.apply(&json, kind)
        return json
    }

    @Test(arguments: [
        Case(
            "CSIDriver",
            #"{"spec":{"tokenRequests":[{"audience":"a","expirationSeconds":5},{"audience":"a"},{"audience":"b","expirationSeconds":4294967297}]}}"#,
            [
                "spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes",
                #"spec.tokenRequests[1].audience: Duplicate value: "a""#,
                "spec.tokenRequests[2].expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds",
            ]),
        Case(
            "CSINode", #"{"spec":{"drivers":[{"name":"a","nodeID":"m"}]}}"#,
            old: #"{"spec":{"drivers":[{"name":"a","nodeID":"n"}]}}"#,
            [#"CSINodeDriver: Invalid value: {"name":"a","nodeID":"m"}: field is immutable"#]),
        Case(
            "CSINode",
            #"{"spec":{"drivers":[{"name":"a","nodeID":"n","allocatable":{"count":3}},{"name":"b","nodeID":"n"}]}}"#,
            old: #"{"spec":{"drivers":[{"name":"a","nodeID":"n"}]}}"#, []),
        Case(
            "CSIStorageCapacity", #"{"capacity":"-1"}"#,
            [
                "storageClassName: Required value",
                #"capacity: Invalid value: "-1": must be greater than or equal to 0"#,
            ]),
        Case(
            "CSIStorageCapacity", #"{"storageClassName":"b"}"#, old: #"{"storageClassName":"a"}"#,
            [#"storageClassName: Invalid value: "b": field is immutable"#]),
    ])
    func faults(example: Case) throws {
        let old = try example.old.map { try object($0, example.kind) }
        let causes = ObjectValidation.semantic(try object(example.json, example.kind), example.kind, old: old)
        #expect(causes.map { "\($0.field): \($0.message)" } == example.expected)
    }

    @Test func driverDefaults() throws {
        let driver = try object(#"{"spec":{}}"#, Case("CSIDriver", "", []).kind)
        #expect(driver["spec"]["attachRequired"] == true)
        #expect(driver["spec"]["podInfoOnMount"] == false)
        #expect(driver["spec"]["volumeLifecycleModes"] == ["Persistent"])
        #expect(driver["spec"]["fsGroupPolicy"] == "ReadWriteOnceWithFSType")
    }
}
