// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite struct StrategicMergePatchTests {
    @Test(arguments: [
        // Lists of objects merge by their key, and new elements go last.
        PatchTests.Case(
            #"{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}}"#,
            #"{"spec":{"containers":[{"name":"b","image":"2"},{"name":"c","image":"3"}]}}"#,
            #"{"spec":{"containers":[{"image":"1","name":"a"},{"image":"2","name":"b"},{"image":"3","name":"c"}]}}"#),
        PatchTests.Case(
            #"{"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"}]}]}}"#,
            #"{"spec":{"containers":[{"name":"a","env":[{"name":"X","$patch":"delete"},{"name":"Y","value":"2"}]}]}}"#,
            #"{"spec":{"containers":[{"env":[{"name":"Y","value":"2"}],"name":"a"}]}}"#),
        // $patch: replace for a list, and for a map.
        PatchTests.Case(
            #"{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#,
            #"{"spec":{"containers":[{"$patch":"replace"},{"name":"c"}]}}"#,
            #"{"spec":{"containers":[{"name":"c"}]}}"#),
        PatchTests.Case(
            #"{"spec":{"securityContext":{"runAsUser":1,"fsGroup":2}}}"#,
            #"{"spec":{"securityContext":{"$patch":"replace","runAsUser":3}}}"#,
            #"{"spec":{"securityContext":{"runAsUser":3}}}"#),
        PatchTests.Case(
            #"{"spec":{"nodeSelector":{"a":"b"},"hostname":"x"}}"#, #"{"spec":{"nodeSelector":{"$patch":"delete"}}}"#,
            #"{"spec":{"hostname":"x","nodeSelector":{}}}"#),
        // Lists without a strategy are replaced.
        PatchTests.Case(
            #"{"spec":{"containers":[{"name":"a","args":["x","y"]}]}}"#,
            #"{"spec":{"containers":[{"name":"a","args":["z"]}]}}"#,
            #"{"spec":{"containers":[{"args":["z"],"name":"a"}]}}"#),
        // Lists of primitives merge as sets.
        PatchTests.Case(
            #"{"metadata":{"finalizers":["a","b"]}}"#, #"{"metadata":{"finalizers":["b","c"]}}"#,
            #"{"metadata":{"finalizers":["a","b","c"]}}"#),
        PatchTests.Case(
            #"{"metadata":{"finalizers":["a","b"]}}"#,
            #"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}}"#, #"{"metadata":{"finalizers":["b"]}}"#),
        PatchTests.Case(
            #"{"metadata":{"finalizers":["a","b"]}}"#,
            #"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["c","b"],"finalizers":["c"]}}"#,
            #"{"metadata":{"finalizers":["c","b"]}}"#),
        // The client's order wins, elements that only the server knows stay in place.
        PatchTests.Case(
            #"{"spec":{"containers":[{"name":"server"},{"name":"a"},{"name":"b"}]}}"#,
            #"{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"a","image":"2"}]}}"#,
            #"{"spec":{"containers":[{"name":"server"},{"name":"b"},{"image":"2","name":"a"}]}}"#),
        PatchTests.Case(
            #"{"spec":{"containers":[{"name":"a"},{"name":"server"}]}}"#,
            #"{"spec":{"$setElementOrder/containers":[{"name":"a"},{"name":"new"}],"containers":[{"name":"new"}]}}"#,
            #"{"spec":{"containers":[{"name":"a"},{"name":"new"},{"name":"server"}]}}"#),
        PatchTests.Case(
            #"{"spec":{"containers":[{"name":"a"}]}}"#,
            #"{"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"b"}]}}"#,
            "doesn't match $setElementOrder list"),
        // Nulls remove; nulls of what is not there leave nothing.
        PatchTests.Case(
            #"{"metadata":{"labels":{"a":"b"},"name":"x"}}"#,
            #"{"metadata":{"labels":{"a":null,"c":null},"annotations":{"d":null}}}"#,
            #"{"metadata":{"annotations":{},"labels":{},"name":"x"}}"#),
        PatchTests.Case(
            #"{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}"#,
            #"{"spec":{"volumes":[{"name":"v","$retainKeys":["name","hostPath"],"hostPath":{"path":"/x"}}]}}"#,
            #"{"spec":{"volumes":[{"hostPath":{"path":"/x"},"name":"v"}]}}"#),
        PatchTests.Case(
            #"{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}"#,
            #"{"spec":{"volumes":[{"name":"v","$retainKeys":["name"],"hostPath":{"path":"/x"}}]}}"#,
            "not in the retainKeys list"),
        PatchTests.Case(
            #"{"spec":{"containers":[]}}"#, #"{"spec":{"containers":[{"image":"x"}]}}"#,
            "does not contain declared merge key: name"),
        PatchTests.Case(#"{"spec":{}}"#, #"{"spec":{"$patch":"frob"}}"#, "unknown patch type"),
        PatchTests.Case(#"{}"#, #"[]"#, "must be an object"),
    ])
    func pods(example: PatchTests.Case) throws {
        let type = try #require(Schema.builtIn.type(group: "", version: "v1", kind: "Pod"))
        try example.check { (original, patch) throws(PatchError) in
            try StrategicMergePatch.apply(patch, to: original, type: type)
        }
    }

    @Test func knowsTheMergeKeysOfOtherKinds() throws {
        let type = try #require(Schema.builtIn.type(group: "apps", version: "v1", kind: "Deployment"))
        let example = PatchTests.Case(
            #"{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}},"template":{"spec":{"tolerations":[{"key":"a"}],"containers":[{"name":"c","ports":[{"containerPort":80},{"containerPort":90}]}]}}}}"#,
            #"{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"},"template":{"spec":{"tolerations":[{"key":"b"}],"containers":[{"name":"c","ports":[{"containerPort":80,"name":"http"}]}]}}}}"#,
            #"{"spec":{"strategy":{"type":"Recreate"},"template":{"spec":{"containers":[{"name":"c","ports":[{"containerPort":80,"name":"http"},{"containerPort":90}]}],"tolerations":[{"key":"b"}]}}}}"#
        )
        try example.check { (original, patch) throws(PatchError) in
            try StrategicMergePatch.apply(patch, to: original, type: type)
        }
    }
}
