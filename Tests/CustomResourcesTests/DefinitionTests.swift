// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI
import Testing

/// Definitions: their rules, names and versions.
@Suite struct DefinitionTests {
    private func definition(_ change: (inout JSONValue) -> Void = { _ in }) throws -> KubeObject {
        var object = try json(
            #"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","#
                + #""metadata":{"name":"foos.example.com"},"spec":{"group":"example.com","scope":"Namespaced","#
                + #""names":{"plural":"foos","singular":"foo","kind":"Foo","listKind":"FooList"},"#
                + #""conversion":{"strategy":"None"},"versions":[{"name":"v1","served":true,"storage":true,"#
                + #""schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","#
                + #""properties":{"image":{"type":"string"}}}}}}}]},"status":{"storedVersions":["v1"]}}"#)
        change(&object)
        return KubeObject(object)
    }

    private func faults(old: KubeObject? = nil, _ change: (inout JSONValue) -> Void) throws -> [String] {
        DefinitionRules.check(try definition(change), old: old).map { "\($0.field): \($0.message)" }
    }

    @Test func aGoodDefinition() throws {
        #expect(try faults { _ in } == [])
    }

    @Test func eachRule() throws {
        #expect(
            try faults { $0["metadata"]["name"] = "foo" } == [
                #"metadata.name: Invalid value: "foo": must be spec.names.plural+"."+spec.group"#
            ])
        #expect(
            try faults {
                $0["spec"]["group"] = "example"
                $0["metadata"]["name"] = "foos.example"
            } == [#"spec.group: Invalid value: "example": should be a domain with at least one dot"#])
        #expect(
            try faults { $0["spec"]["scope"] = "Galaxy" } == [
                #"spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced""#
            ])
        #expect(
            try faults { $0["spec"]["versions"][0]["schema"] = nil } == [
                "spec.versions[0].schema.openAPIV3Schema: Required value"
            ])
        #expect(
            try faults { $0["spec"]["versions"][0]["storage"] = false }.first?.hasSuffix(
                "must have exactly one version marked as storage version") == true)
        #expect(
            try faults { $0["spec"]["names"]["kind"] = "foo_bar" }.first?.hasPrefix(
                #"spec.names.kind: Invalid value: "foo_bar": may have mixed case, but should otherwise match: "#)
                == true)
        #expect(
            try faults { $0["spec"]["names"]["listKind"] = "Foo" } == [
                #"spec.names.listKind: Invalid value: "Foo": kind and listKind may not be the same"#
            ])
        #expect(
            try faults { $0["status"]["storedVersions"] = ["v1", "v0"] }.first?.hasPrefix(
                #"status.storedVersions[1]: Invalid value: "v0": missing from spec.versions; v0 was previously"#)
                == true)
        #expect(
            try faults { $0["spec"]["versions"][0]["subresources"] = ["scale": ["specReplicasPath": ".status.x"]] } == [
                #"spec.subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a json path under .spec"#,
                "spec.subresources.scale.statusReplicasPath: Required value",
            ])
        #expect(
            try faults {
                $0["spec"]["versions"][0]["additionalPrinterColumns"] = [
                    ["name": "A", "type": "text", "jsonPath": "spec"]
                ]
            } == [
                #"spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of "#
                    + "boolean,date,integer,number,string",
                #"spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec": must be a simple json path starting "#
                    + "with .",
            ])
        #expect(
            try faults { $0["spec"]["versions"][0]["selectableFields"] = [["jsonPath": ".spec.nothing"]] } == [
                #"spec.selectableFields[0].jsonPath: Invalid value: ".spec.nothing": is an invalid path: does not "#
                    + "refer to a valid field"
            ])
        #expect(
            try faults { $0["spec"]["conversion"] = ["strategy": "Webhook"] } == [
                "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
                "spec.conversion.conversionReviewVersions: Required value",
            ])
        #expect(
            try faults {
                $0["spec"]["group"] = "x.k8s.io"
                $0["metadata"]["name"] = "foos.x.k8s.io"
            } == [
                #"metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval "#
                    + #"annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111"#
            ])
        #expect(
            try faults { $0["spec"]["versions"][0]["deprecationWarning"] = "old" } == [
                #"spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions"#
            ])
    }

    @Test func defaultsMustBeValid() throws {
        let image = "spec.validation.openAPIV3Schema.properties[spec].properties[image].default"
        func fault(_ value: JSONValue) throws -> [String] {
            try faults {
                $0["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["image"] = [
                    "type": "string", "default": value,
                ]
            }
        }
        #expect(try fault("x") == [])
        #expect(
            try fault(5) == [#"\#(image): Invalid value: "integer":  in body must be of type string: "integer""#])
        #expect(
            try faults {
                $0["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["default"] = ["no": 1]
            } == [
                #"spec.validation.openAPIV3Schema.properties[spec].default: Invalid value: {"no":1}: must not have "#
                    + "unknown fields"
            ])
    }

    @Test func whatMayNotChange() throws {
        let old = try definition { $0["status"]["conditions"] = [["type": "Established", "status": "True"]] }
        #expect(
            try faults(old: old) { $0["spec"]["scope"] = "Cluster" } == [
                #"spec.scope: Invalid value: "Cluster": field is immutable"#
            ])
        #expect(
            try faults(old: old) { $0["spec"]["names"]["plural"] = "bars" } == [
                #"spec.names.plural: Invalid value: "bars": field is immutable"#
            ])
    }

    @Test func namesAreGivenOnce() throws {
        let foo = Definition.Names(
            json: try json(#"{"plural":"foos","singular":"foo","kind":"Foo","listKind":"FooList"}"#))
        let nothing = Definition.Names(json: .null)
        let first = NamesDecision(wanted: foo, present: nothing, others: [])
        #expect(first.isAccepted && first.accepted == foo && first.reason == "NoConflicts")
        let second = NamesDecision(wanted: foo, present: nothing, others: [foo])
        #expect(!second.isAccepted && second.reason == "ListKindConflict")
        #expect(second.message == #""FooList" is already in use"#)
        let kept = NamesDecision(wanted: foo, present: foo, others: [foo])
        #expect(kept.isAccepted)
    }

    @Test func versionsAreOrdered() {
        let order = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]
        #expect(order.shuffled().sorted(by: VersionOrder.isBefore) == order)
    }

    @Test func publishedSchemas() throws {
        let schema = try json(
            #"{"type":"object","properties":{"n":{"type":"string","nullable":true},"i":{"x-kubernetes-int-or-string":true},"#
                + #""o":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"a":{"type":"string"}}},"#
                + #""c":{"type":"integer","allOf":[{"minimum":1}]}},"required":["n","c"]}"#)
        let v2 = PublishedSchema.kind(schema, .v2, objectMeta: "#/definitions/M")
        #expect(v2["properties"]["n"] == .object([:]))
        #expect(v2["properties"]["o"] == ["x-kubernetes-preserve-unknown-fields": true])
        #expect(v2["properties"]["c"] == ["type": "integer"])
        #expect(v2["required"] == ["c"])
        #expect(v2["properties"]["metadata"]["$ref"] == "#/definitions/M")
        let v3 = PublishedSchema.kind(schema, .v3, objectMeta: "#/components/schemas/M")
        #expect(v3["properties"]["c"]["allOf"] == [["minimum": 1]])
        #expect(v3["properties"]["i"]["anyOf"] == [["type": "integer"], ["type": "string"]])
        #expect(v3["properties"]["metadata"]["allOf"] == [["$ref": "#/components/schemas/M"]])
        #expect(
            PublishedSchema.name(group: "stable.example.com", version: "v1", kind: "Foo") == "com.example.stable.v1.Foo"
        )
    }
}
