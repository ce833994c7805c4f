// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite struct DefaultsTests {
    /// Decodes, applies defaults, and checks that applying them again changes nothing.
    private func completed(_ kind: String, _ json: String) throws -> JSONValue {
        let kind = ObjectValidationTests.Case(kind, "", []).kind
        let type = try #require(Schema.builtIn.type(kind))
        var object = ObjectValidation.check(try JSONParser.parse(json), type: type).object
        Defaults.apply(&object, kind)
        var again = ObjectValidation.check(object, type: type).object
        Defaults.apply(&again, kind)
        #expect(again == object)
        return object
    }

    @Test func pods() throws {
        let pod = try completed(
            "Pod",
            """
            {"spec":{"serviceAccountName":"sa","containers":[{"name":"c","image":"nginx","ports":[{"containerPort":80}],
            "livenessProbe":{"httpGet":{"port":80}},"resources":{"limits":{"cpu":"1","memory":"1Gi"},
            "requests":{"cpu":"500m"}},"env":[{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]}],
            "volumes":[{"name":"e"},{"name":"s","secret":{"secretName":"x"}},{"name":"h","hostPath":{"path":"/x"}}]}}
            """)
        let expected = try JSONParser.parse(
            """
            {"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler",
            "securityContext":{},"terminationGracePeriodSeconds":30,"enableServiceLinks":true,
            "serviceAccount":"sa","serviceAccountName":"sa",
            "containers":[{"name":"c","image":"nginx","imagePullPolicy":"Always","terminationMessagePolicy":"File",
            "terminationMessagePath":"/dev/termination-log","ports":[{"containerPort":80,"protocol":"TCP"}],
            "livenessProbe":{"httpGet":{"port":80,"path":"/","scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,
            "successThreshold":1,"failureThreshold":3},
            "resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"500m","memory":"1Gi"}},
            "env":[{"name":"IP","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"status.podIP"}}}]}],
            "volumes":[{"name":"e","emptyDir":{}},{"name":"s","secret":{"secretName":"x","defaultMode":420}},
            {"name":"h","hostPath":{"path":"/x","type":""}}]}
            """)
        #expect(pod["spec"] == expected)
    }

    @Test(arguments: [
        ("nginx", "Always"), ("nginx:latest", "Always"), ("nginx:1.27", "IfNotPresent"),
        ("localhost:5000/app", "Always"), ("localhost:5000/app:2", "IfNotPresent"),
        ("app@sha256:0123", "IfNotPresent"),
    ])
    func imagePullPolicies(image: String, policy: String) throws {
        let pod = try completed("Pod", #"{"spec":{"containers":[{"name":"c","image":"\#(image)"}]}}"#)
        #expect(pod["spec"]["containers"][0]["imagePullPolicy"].string == policy)
    }

    @Test func templatesDoNotGetWhatOnlyPodsGet() throws {
        let set = try completed(
            "ReplicaSet",
            #"{"spec":{"template":{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"1"}}}]}}}}"#)
        let spec = set["spec"]["template"]["spec"]
        #expect(set["spec"]["replicas"] == 1)
        #expect(spec["restartPolicy"] == "Always")
        #expect(spec["enableServiceLinks"].isNull)
        #expect(spec["containers"][0]["resources"]["requests"].isNull)
    }

    @Test func deployments() throws {
        let spec = try completed("Deployment", #"{"spec":{"template":{"spec":{"containers":[]}}}}"#)["spec"]
        #expect(spec["replicas"] == 1)
        #expect(spec["revisionHistoryLimit"] == 10)
        #expect(spec["progressDeadlineSeconds"] == 600)
        #expect(
            spec["strategy"]
                == ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": "25%", "maxUnavailable": "25%"]])
        let recreate = try completed("Deployment", #"{"spec":{"replicas":0,"strategy":{"type":"Recreate"}}}"#)["spec"]
        #expect(recreate["strategy"] == ["type": "Recreate"])
        #expect(recreate["replicas"] == 0)
    }

    @Test func jobs() throws {
        let job = try completed(
            "Job", #"{"spec":{"template":{"metadata":{"labels":{"a":"b"}},"spec":{"restartPolicy":"Never"}}}}"#)
        #expect(job["metadata"]["labels"] == ["a": "b"])
        let spec = job["spec"]
        #expect(spec["completions"] == 1 && spec["parallelism"] == 1 && spec["backoffLimit"] == 6)
        #expect(spec["completionMode"] == "NonIndexed" && spec["suspend"] == false)
        #expect(spec["podReplacementPolicy"] == "TerminatingOrFailed")
        let parallel = try completed("Job", #"{"spec":{"parallelism":3}}"#)["spec"]
        #expect(parallel["completions"].isNull && parallel["parallelism"] == 3)
    }

    @Test func services() throws {
        let spec = try completed("Service", #"{"spec":{"ports":[{"port":80}],"selector":{"a":"b"}}}"#)["spec"]
        #expect(
            spec == [
                "ports": [["port": 80, "protocol": "TCP", "targetPort": 80]], "selector": ["a": "b"],
                "sessionAffinity": "None", "type": "ClusterIP", "internalTrafficPolicy": "Cluster",
                "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            ])
        let node = try completed("Service", #"{"spec":{"type":"NodePort","sessionAffinity":"ClientIP"}}"#)["spec"]
        #expect(node["externalTrafficPolicy"] == "Cluster")
        #expect(node["sessionAffinityConfig"] == ["clientIP": ["timeoutSeconds": 10800]])
        let external = try completed("Service", #"{"spec":{"type":"ExternalName","externalName":"x.y"}}"#)["spec"]
        #expect(external["ipFamilies"].isNull && external["internalTrafficPolicy"].isNull)
    }

    @Test func otherKinds() throws {
        let secret = try completed("Secret", #"{"stringData":{"a":"abc"},"data":{"b":"eA=="}}"#)
        #expect(secret == ["type": "Opaque", "data": ["a": "YWJj", "b": "eA=="], "metadata": [:]])
        let namespace = try completed("Namespace", #"{"metadata":{"name":"n"}}"#)
        #expect(namespace["metadata"]["labels"] == ["kubernetes.io/metadata.name": "n"])
        #expect(namespace["spec"] == ["finalizers": ["kubernetes"]] && namespace["status"] == ["phase": "Active"])
        let slice = try completed("EndpointSlice", #"{"addressType":"IPv4","ports":[{"port":1}]}"#)
        #expect(slice["ports"] == [["name": "", "port": 1, "protocol": "TCP"]])
        let stateful = try completed("StatefulSet", #"{"spec":{"volumeClaimTemplates":[{"spec":{}}]}}"#)["spec"]
        #expect(stateful["updateStrategy"] == ["type": "RollingUpdate", "rollingUpdate": ["partition": 0]])
        #expect(stateful["volumeClaimTemplates"][0]["spec"]["volumeMode"] == "Filesystem")
        let daemon = try completed("DaemonSet", #"{"spec":{}}"#)["spec"]
        #expect(daemon["updateStrategy"]["rollingUpdate"] == ["maxSurge": 0, "maxUnavailable": 1])
        let cron = try completed("CronJob", #"{"spec":{"schedule":"* * * * *"}}"#)["spec"]
        #expect(cron["concurrencyPolicy"] == "Allow" && cron["successfulJobsHistoryLimit"] == 3)
        let binding = try completed("RoleBinding", #"{"roleRef":{"name":"r"},"subjects":[{"kind":"User","name":"u"}]}"#)
        #expect(binding["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io")
    }
}
