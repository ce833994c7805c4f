// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite("Validation of workload kinds")
struct ControllerValidationTests {
    private static func object(_ group: String, _ kind: String, _ spec: [String: JSONValue]) -> JSONValue {
        let version = group.isEmpty ? "v1" : "\(group)/v1"
        var object: JSONValue = [
            "apiVersion": .string(version), "kind": .string(kind),
            "metadata": ["name": "x", "namespace": "default", "uid": "u"],
        ]
        object["spec"] = [
            "selector": kind == "ReplicationController" ? ["app": "x"] : ["matchLabels": ["app": "x"]],
            "template": [
                "metadata": ["labels": ["app": "x"]],
                "spec": ["restartPolicy": "Always", "containers": [["name": "c", "image": "x"]]],
            ],
        ]
        if kind == "PodDisruptionBudget" { object["spec"]["template"] = nil }
        for (key, value) in spec { object["spec"][key] = value }
        Defaults.apply(&object, GroupVersionKind(group: group, version: "v1", kind: kind))
        return object
    }

    private func faults(_ object: JSONValue, old: JSONValue? = nil) -> [String] {
        let kind = GroupVersionKind(
            apiVersion: object["apiVersion"].string ?? "", kind: object["kind"].string ?? "")
        return ObjectValidation.semantic(object, kind, old: old).map { "\($0.field): \($0.message)" }
    }

    private static let noTemplate: JSONValue = [
        "metadata": ["labels": ["app": "x"]],
        "spec": [
            "restartPolicy": "Always", "activeDeadlineSeconds": 5, "containers": [["name": "c", "image": "x"]],
        ],
    ]

    @Test(
        "objects that are valid",
        arguments: [
            ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("apps", "ReplicaSet"), ("", "ReplicationController"),
            ("policy", "PodDisruptionBudget"),
        ])
    func valid(group: String, kind: String) { #expect(faults(Self.object(group, kind, [:])) == []) }

    @Test("containers mount the claims of a StatefulSet, and no others")
    func mountsOfClaims() {
        var object = Self.object("apps", "StatefulSet", [:])
        object["spec"]["volumeClaimTemplates"] = [
            [
                "metadata": ["name": "data"],
                "spec": [
                    "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
                    "resources": ["requests": ["storage": "1Gi"]],
                ],
            ]
        ]
        object["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [["name": "data", "mountPath": "/data"]]
        #expect(faults(object) == [])
        object["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]["name"] = "other"
        #expect(
            faults(object) == ["spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"other\""])
    }

    @Test(
        "objects that are refused",
        arguments: [
            (
                "apps", "StatefulSet", ["podManagementPolicy": "Random"],
                "spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"
            ),
            (
                "apps", "StatefulSet", ["updateStrategy": ["type": "OnDelete", "rollingUpdate": ["partition": 1]]],
                "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: only allowed for updateStrategy 'RollingUpdate'"
            ),
            (
                "apps", "StatefulSet", ["updateStrategy": ["type": "Never"]],
                "spec.updateStrategy: Invalid value: {\"type\":\"Never\"}: must be 'RollingUpdate' or 'OnDelete'"
            ),
            (
                "apps", "StatefulSet",
                ["updateStrategy": ["type": "RollingUpdate", "rollingUpdate": ["partition": -1]]],
                "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0"
            ),
            (
                "apps", "StatefulSet",
                ["updateStrategy": ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 0]]],
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"
            ),
            (
                "apps", "StatefulSet", ["replicas": -1],
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
            ),
            (
                "apps", "StatefulSet", ["minReadySeconds": -1],
                "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"
            ),
            (
                "apps", "StatefulSet", ["ordinals": ["start": -1]],
                "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"
            ),
            (
                "apps", "StatefulSet",
                ["persistentVolumeClaimRetentionPolicy": ["whenDeleted": "Maybe", "whenScaled": "Retain"]],
                "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: \"Maybe\": supported values: \"Delete\", \"Retain\""
            ),
            (
                "apps", "StatefulSet", ["selector": [:]],
                "spec.selector: Invalid value: {}: empty selector is invalid for statefulset"
            ),
            (
                "apps", "StatefulSet", ["template": noTemplate],
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported"
            ),
            ("apps", "DaemonSet", ["selector": .null], "spec.selector: Required value"),
            (
                "apps", "DaemonSet", ["selector": ["matchLabels": ["app": "y"]]],
                "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template `labels`"
            ),
            (
                "apps", "DaemonSet",
                ["updateStrategy": ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 1, "maxSurge": 1]]],
                "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"
            ),
            (
                "apps", "DaemonSet",
                ["updateStrategy": ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 0, "maxSurge": 0]]],
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"
            ),
            (
                "apps", "DaemonSet",
                ["updateStrategy": ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": "101%"]]],
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"
            ),
            (
                "apps", "DaemonSet", ["minReadySeconds": -1],
                "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"
            ),
            (
                "apps", "DaemonSet", ["template": noTemplate],
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported"
            ),
            (
                "", "ReplicationController", ["selector": ["app": "y"]],
                "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template `labels`"
            ),
            (
                "", "ReplicationController", ["replicas": -2],
                "spec.replicas: Invalid value: -2: must be greater than or equal to 0"
            ),
            (
                "", "ReplicationController", ["template": noTemplate],
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController is not Supported"
            ),
            (
                "policy", "PodDisruptionBudget", ["minAvailable": -1],
                "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"
            ),
            (
                "policy", "PodDisruptionBudget", ["maxUnavailable": "101%"],
                "spec.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"
            ),
            (
                "policy", "PodDisruptionBudget", ["unhealthyPodEvictionPolicy": "Never"],
                "spec.unhealthyPodEvictionPolicy: Unsupported value: \"Never\": supported values: \"AlwaysAllow\", \"IfHealthyBudget\""
            ),
            (
                "policy", "PodDisruptionBudget", ["minAvailable": 1, "maxUnavailable": 1],
                "spec: Invalid value: {\"maxUnavailable\":1,\"minAvailable\":1,\"selector\":{\"matchLabels\":{\"app\":\"x\"}}}: minAvailable and maxUnavailable cannot be both set"
            ),
        ] as [(String, String, [String: JSONValue], String)])
    func refused(group: String, kind: String, spec: [String: JSONValue], fault: String) {
        #expect(faults(Self.object(group, kind, spec)) == [fault])
    }

    @Test("what may not change")
    func immutable() {
        let set = Self.object("apps", "StatefulSet", [:])
        var moved = set
        moved["spec"]["serviceName"] = "other"
        #expect(
            faults(moved, old: set) == [
                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
                    + "'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' "
                    + "and 'minReadySeconds' are forbidden"
            ])
        var scaled = set
        scaled["spec"]["replicas"] = 4
        scaled["spec"]["minReadySeconds"] = 3
        #expect(faults(scaled, old: set) == [])
        let daemon = Self.object("apps", "DaemonSet", [:])
        var other = daemon
        other["spec"]["selector"] = ["matchLabels": ["app": "y"]]
        other["spec"]["template"]["metadata"]["labels"] = ["app": "y"]
        #expect(
            faults(other, old: daemon)
                == ["spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"y\"}}: field is immutable"])
        let revision: JSONValue = [
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": ["name": "r", "namespace": "default"],
            "data": ["a": 1], "revision": 1,
        ]
        var changed = revision
        changed["data"] = ["a": 2]
        #expect(faults(changed, old: revision) == ["data: Invalid value: {\"a\":2}: field is immutable"])
        changed["data"] = nil
        #expect(faults(changed) == ["data: Required value: data is mandatory"])
    }
}
