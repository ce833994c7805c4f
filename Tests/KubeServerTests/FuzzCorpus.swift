// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Valid objects of every built-in kind, with as many members as the server looks at.
enum FuzzCorpus {
    private static let podSpec = #"""
        {"nodeSelector": {"disk": "ssd"}, "restartPolicy": "POLICY", "terminationGracePeriodSeconds": 10,
         "serviceAccountName": "default", "hostNetwork": false, "dnsPolicy": "ClusterFirst",
         "securityContext": {"runAsUser": 1000, "sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]},
         "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
         "affinity": {
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "a"}}}]},
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "cpu", "operator": "Gt", "values": ["3"]}]}]}}},
         "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}],
         "initContainers": [{"name": "i", "image": "i:1"}],
         "containers": [{
            "name": "c", "image": "example.com/c:2", "command": ["a"], "args": ["b"],
            "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
            "env": [{"name": "A", "value": "1"},
                    {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5},
            "readinessProbe": {"exec": {"command": ["true"]}},
            "lifecycle": {"preStop": {"exec": {"command": ["sleep", "1"]}}}}],
         "volumes": [
            {"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "c", "configMap": {"name": "m"}},
            {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}
        """#

    private static let members: [(resource: KubeResource, text: String)] = [
        (.configMaps, #"{"data": {"a": "b", "c.d": ""}, "binaryData": {"x": "AAAA"}, "immutable": false}"#),
        (.secrets, #"{"type": "Opaque", "data": {"k": "dg=="}, "stringData": {"s": "t"}}"#),
        (.namespaces, #"{"spec": {"finalizers": ["kubernetes"]}}"#),
        (
            .nodes,
            #"""
            {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}], "unschedulable": false},
             "status": {
                "capacity": {"cpu": "2", "memory": "1Gi", "pods": "10"},
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1"}}}
            """#
        ),
        (
            .pods,
            #"""
            {"spec": SPEC,
             "status": {
                "phase": "Running", "podIP": "127.0.1.1", "startTime": "2026-01-01T00:00:00Z",
                "containerStatuses": [{
                    "name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 3,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                    "lastState": {"terminated": {
                        "exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:00:00Z", "signal": 9}}}],
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
            """#
        ),
        (
            .services,
            #"""
            {"spec": {
                "type": "NodePort", "selector": {"app": "a"}, "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}},
                "ports": [
                    {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                    {"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"}]},
             "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}}
            """#
        ),
        (
            .endpoints,
            #"{"subsets": [{"addresses": [{"ip": "127.0.0.9"}], "ports": [{"name": "a", "port": 80}]}]}"#
        ),
        (
            .endpointSlices,
            #"""
            {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.9"], "conditions": {"ready": true}}],
             "ports": [{"name": "a", "port": 80}]}
            """#
        ),
        (.serviceAccounts, #"{"secrets": [{"name": "s"}], "automountServiceAccountToken": true}"#),
        (
            .events,
            #"""
            {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R",
             "message": "m", "type": "Warning", "count": 2, "source": {"component": "c", "host": "h"},
             "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
             "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}}
            """#
        ),
        (
            KubeResource(group: "events.k8s.io", version: "v1", plural: "events", kind: "Event"),
            #"""
            {"regarding": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R", "note": "n",
             "type": "Normal", "action": "A", "reportingController": "a.io/b", "reportingInstance": "i",
             "eventTime": "2026-01-01T00:00:00.000000Z", "deprecatedCount": 3}
            """#
        ),
        (
            .persistentVolumeClaims,
            #"""
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
             "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}}
            """#
        ),
        (
            .deployments,
            #"""
            {"spec": {
                "replicas": 3, "selector": {"matchLabels": {"app": "a"}}, "template": TEMPLATE,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
                "progressDeadlineSeconds": 600},
             "status": {"replicas": 3, "readyReplicas": 2, "conditions": [{"type": "Available", "status": "True"}]}}
            """#
        ),
        (
            .replicaSets,
            #"""
            {"spec": {
                "replicas": 1, "template": TEMPLATE,
                "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}},
             "status": {"replicas": 1, "observedGeneration": 1}}
            """#
        ),
        (
            .jobs,
            #"""
            {"spec": {"completions": 2, "parallelism": 2, "backoffLimit": 1, "template": ONCE},
             "status": {
                "active": 1, "succeeded": 1, "startTime": "2026-01-01T00:00:00Z",
                "completionTime": "2026-01-01T00:01:00Z", "conditions": [{"type": "Complete", "status": "True"}]}}
            """#
        ),
        (
            .leases,
            #"""
            {"spec": {
                "holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}}
            """#
        ),
    ]

    /// Resource and object; the objects are called `seed` and live in the namespace `default`.
    static let objects: [(resource: KubeResource, object: JSONValue)] = members.map { resource, text in
        let template = #"{"metadata": {"labels": {"app": "a"}}, "spec": SPEC}"#
        let full = text.replacing("TEMPLATE", with: template)
            .replacing("ONCE", with: template.replacing("SPEC", with: podSpec.replacing("POLICY", with: "Never")))
            .replacing("SPEC", with: podSpec.replacing("POLICY", with: "Always"))
        var object = KubeObject(parsed(full))
        object.json["apiVersion"] = .string(resource.apiVersion)
        object.json["kind"] = .string(resource.kind)
        object.name = "seed"
        if resource.isNamespaced { object.namespace = "default" }
        if resource == .pods { object.spec["nodeName"] = "n1" }
        object.labels = ["app": "a"]
        object.annotations = ["example.com/note": "x"]
        object.metadata["ownerReferences"] = [
            ["apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u", "controller": true]
        ]
        return (resource, object.json)
    }

    private static func parsed(_ text: String) -> JSONValue { (try? JSONParser.parse(text)) ?? .null }

    private static let scale = parsed(
        #"{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "seed"}, "spec": {"replicas": 2}}"#)

    /// Bodies of the subresources that take objects of their own.
    static let subresources: [(resource: KubeResource, name: String, object: JSONValue)] = [
        (
            .pods, "binding",
            parsed(#"{"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "seed"}, "target": {"name": "n1"}}"#)
        ),
        (
            .pods, "eviction",
            parsed(
                #"""
                {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "seed"},
                 "deleteOptions": {"gracePeriodSeconds": 1}}
                """#)
        ),
        (
            .serviceAccounts, "token",
            parsed(
                #"""
                {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                 "spec": {"audiences": ["a"], "expirationSeconds": 600,
                          "boundObjectRef": {"kind": "Pod", "name": "seed"}}}
                """#)
        ),
        (.deployments, "scale", scale), (.replicaSets, "scale", scale),
    ]

    static let deleteOptions = parsed(
        #"""
        {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 1, "propagationPolicy": "Background",
         "preconditions": {"uid": "x", "resourceVersion": "1"}, "dryRun": ["All"], "orphanDependents": false}
        """#)
}
