// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI
import Testing

@Suite struct ServiceAccountRulesTests {
    private func account(_ json: JSONValue) -> ServiceAccountRules.Account { .init(KubeObject(json)) }

    private func pod(_ spec: JSONValue) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "n", name: "p")
        pod.spec = spec
        return pod
    }

    @Test(
        arguments: [
            (nil, nil, true), (true, nil, true), (false, nil, false), (nil, true, true), (nil, false, false),
            (true, false, false), (false, true, true),
        ] as [(Bool?, Bool?, Bool)])
    func thePodOutweighsItsAccount(account: Bool?, pod wanted: Bool?, isMounted: Bool) {
        var json: JSONValue = [:]
        if let account { json["automountServiceAccountToken"] = .bool(account) }
        var spec: JSONValue = ["containers": [["name": "c"]]]
        if let wanted { spec["automountServiceAccountToken"] = .bool(wanted) }
        var pod = pod(spec)
        ServiceAccountRules.apply(self.account(json), to: &pod, suffix: "abcde")
        #expect(pod.spec["volumes"].isEmpty != isMounted)
        #expect(pod.spec["containers"][0]["volumeMounts"].isEmpty != isMounted)
    }

    @Test func theVolumeIsUpstreams() throws {
        var pod = pod(["containers": [["name": "c"]], "initContainers": [["name": "i"]]])
        ServiceAccountRules.apply(account([:]), to: &pod, suffix: "abcde")
        let expected = try JSONParser.parse(
            """
            [{"name":"kube-api-access-abcde","projected":{"defaultMode":420,"sources":[
              {"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},
              {"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},
              {"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1",
                "fieldPath":"metadata.namespace"}}]}}]}}]
            """)
        #expect(pod.spec["volumes"] == expected)
        let mount: JSONValue = [
            "name": "kube-api-access-abcde", "readOnly": true,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        ]
        #expect(pod.spec["containers"][0]["volumeMounts"] == [mount])
        #expect(pod.spec["initContainers"][0]["volumeMounts"] == [mount])
    }

    @Test func aMountOfOnesOwnStays() {
        let own: JSONValue = ["name": "v", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"]
        var pod = pod(["containers": [["name": "c", "volumeMounts": [own]]], "volumes": [["name": "v"]]])
        ServiceAccountRules.apply(account([:]), to: &pod, suffix: "abcde")
        #expect(pod.spec["containers"][0]["volumeMounts"] == [own])
        #expect(pod.spec["volumes"] == [["name": "v"]])
    }

    @Test func pullSecretsComeFromTheAccountUnlessThePodHasSome() {
        let account = account(["imagePullSecrets": [["name": "s"]]])
        var silent = pod(["containers": []])
        ServiceAccountRules.apply(account, to: &silent, suffix: "x")
        #expect(silent.spec["imagePullSecrets"] == [["name": "s"]])
        var stated = pod(["containers": [], "imagePullSecrets": [["name": "t"]]])
        ServiceAccountRules.apply(account, to: &stated, suffix: "x")
        #expect(stated.spec["imagePullSecrets"] == [["name": "t"]])
    }

    @Test func bothNamesOfTheAccountAreSet() {
        var silent = pod([:])
        #expect(ServiceAccountRules.name(&silent) == "default")
        #expect(silent.spec == ["serviceAccountName": "default", "serviceAccount": "default"])
    }

    @Test func anAccountMayNameTheSecretsOfItsPods() {
        let account = account([
            "metadata": ["annotations": ["kubernetes.io/enforce-mountable-secrets": "true"]],
            "secrets": [["name": "a"]],
        ])
        let fine = pod(["volumes": [["name": "v", "secret": ["secretName": "a"]]]])
        #expect(ServiceAccountRules.refusal(of: fine, account: account, named: "x") == nil)
        let volume = pod(["volumes": [["name": "v", "secret": ["secretName": "b"]]]])
        #expect(
            ServiceAccountRules.refusal(of: volume, account: account, named: "x")
                == "volume with secret.secretName=\"b\" is not allowed because service account x does not reference "
                + "that secret")
        let variable = pod([
            "containers": [["name": "c", "env": [["name": "E", "valueFrom": ["secretKeyRef": ["name": "b"]]]]]]
        ])
        #expect(
            ServiceAccountRules.refusal(of: variable, account: account, named: "x")
                == "container c with envVar E referencing secret.secretName=\"b\" is not allowed because service "
                + "account x does not reference that secret")
    }

    @Test(
        arguments: [
            (["serviceAccountName": "a"], "a mirror pod may not reference service accounts"),
            (["volumes": [["secret": ["secretName": "s"]]]], "a mirror pod may not reference secrets"),
            (
                ["volumes": [["projected": ["sources": [["serviceAccountToken": ["path": "t"]]]]]]],
                "a mirror pod may not use ServiceAccountToken volume projections"
            ),
        ] as [(JSONValue, String)])
    func mirrorPodsHaveNothingOfTheCluster(spec: JSONValue, why: String) {
        #expect(ServiceAccountRules.refusal(ofMirror: pod(spec)) == why)
        #expect(ServiceAccountRules.refusal(ofMirror: pod([:])) == nil)
    }
}
