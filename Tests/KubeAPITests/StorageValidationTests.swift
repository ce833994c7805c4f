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

    private static let claim =
        #"{"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"2Gi"}},"volumeName":"v"},"#
    private static let local =
        #"{"spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"},"hostPath":{"path":"/a"},"#
    private static let attachment = #"{"spec":{"attacher":"a.b","nodeName":"n","source":{"persistentVolumeName":"#

    @Test(arguments: [
        Case(
            "PersistentVolumeClaim",
            #"{"spec":{"accessModes":["ReadWriteOncePod","Sometimes"],"storageClassName":"A_b","volumeMode":"Tape","resources":{"requests":{"storage":"0"}},"selector":{"matchExpressions":[{"key":"k","operator":"In"}]}}}"#,
            [
                "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
                #"spec.accessModes[1]: Unsupported value: "Sometimes": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod""#,
                "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
                #"spec.resources[storage]: Invalid value: "0": must be greater than zero"#,
                #"spec.storageClassName: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
                #"spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem""#,
            ]),
        Case(
            "PersistentVolumeClaim", claim.replacing("2Gi", with: "1Gi") + #""x":1}"#,
            old: claim + #""status":{"phase":"Bound","capacity":{"storage":"2Gi"}}}"#,
            ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"]),
        Case(
            "PersistentVolumeClaim", claim.replacing(#""v""#, with: #""w""#) + #""x":1}"#,
            old: claim + #""status":{"phase":"Bound"}}"#,
            [
                "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
            ]),
        Case(
            "PersistentVolumeClaim", claim.replacing("2Gi", with: "4Gi") + #""x":1}"#,
            old: claim + #""status":{"phase":"Bound","capacity":{"storage":"2Gi"}}}"#, []),
        Case(
            "PersistentVolume",
            #"{"spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"-1","cpu":"1"},"local":{"path":"/a/../b"},"persistentVolumeReclaimPolicy":"Burn"}}"#,
            [
                #"spec.capacity: Unsupported value: "cpu": supported values: "storage""#,
                #"spec.capacity[storage]: Invalid value: "-1": must be greater than zero"#,
                #"spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: "Delete", "Recycle", "Retain""#,
                #"spec.local.path: Invalid value: "/a/../b": must not contain '..'"#,
                "metadata.annotations: Required value: Local volume requires node affinity",
            ]),
        Case(
            "PersistentVolume",
            #"{"spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1"},"hostPath":{"path":"/"},"nfs":{"path":"x"},"persistentVolumeReclaimPolicy":"Recycle","nodeAffinity":{}}}"#,
            [
                "spec.nodeAffinity.required: Required value: must specify required node constraints",
                "spec.nfs: Forbidden: may not specify more than 1 volume type",
                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
                "spec.nfs.server: Required value",
                #"spec.nfs.path: Invalid value: "x": must be an absolute path"#,
            ]),
        Case(
            "PersistentVolume",
            #"{"spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1"},"csi":{},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"k","operator":"Near"}]}]}}}}"#,
            [
                #"spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator"#,
                "spec.csi.driver: Required value", "spec.csi.volumeHandle: Required value",
            ]),
        Case(
            "PersistentVolume", local.replacing("/a", with: "/b") + #""volumeMode":"Block"}}"#,
            old: local + #""volumeMode":"Filesystem"}}"#,
            [
                "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation",
                #"spec.volumeMode: Invalid value: "Block": field is immutable"#,
            ]),
        Case(
            "StorageClass", #"{"reclaimPolicy":"Recycle","volumeBindingMode":"Never","parameters":{"":"x"}}"#,
            [
                "provisioner: Required value",
                #"parameters: Invalid value: "": field can not be empty."#,
                #"reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain""#,
                #"volumeBindingMode: Unsupported value: "Never": supported values: "Immediate", "WaitForFirstConsumer""#,
            ]),
        Case(
            "StorageClass",
            #"{"provisioner":"b","reclaimPolicy":"Retain","volumeBindingMode":"WaitForFirstConsumer","parameters":{"a":"1"}}"#,
            old: #"{"provisioner":"a"}"#,
            [
                "parameters: Forbidden: updates to parameters are forbidden.",
                "provisioner: Forbidden: updates to provisioner are forbidden.",
                "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
                #"volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable"#,
            ]),
        Case(
            "StorageClass", #"{"provisioner":"a","allowedTopologies":[{"matchLabelExpressions":[{"key":"z"}]}]}"#,
            ["allowedTopologies[0].matchLabelExpressions[0].values: Required value"]),
        Case(
            "CSIDriver",
            #"{"spec":{"fsGroupPolicy":"Any","volumeLifecycleModes":["Long"],"tokenRequests":[{"audience":"a","expirationSeconds":5},{"audience":"a"}]}}"#,
            [
                #"spec.fsGroupPolicy: Unsupported value: "Any": supported values: "File", "None", "ReadWriteOnceWithFSType""#,
                "spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes",
                #"spec.tokenRequests[1].audience: Duplicate value: "a""#,
                #"spec.volumeLifecycleModes[0]: Unsupported value: "Long": supported values: "Ephemeral", "Persistent""#,
            ]),
        Case(
            "CSIDriver", #"{"spec":{"attachRequired":false}}"#, old: #"{"spec":{}}"#,
            ["spec.attachRequired: Invalid value: false: field is immutable"]),
        Case(
            "CSINode",
            #"{"spec":{"drivers":[{"name":"a","nodeID":"","topologyKeys":["z","z"]},{"name":"a","nodeID":"n"}]}}"#,
            [
                "spec.drivers[0].nodeID: Required value", #"spec.drivers[0].topologyKeys: Duplicate value: "z""#,
                #"spec.drivers[1].name: Duplicate value: "a""#,
            ]),
        Case(
            "CSINode", #"{"spec":{"drivers":[{"name":"a","nodeID":"m"}]}}"#,
            old: #"{"spec":{"drivers":[{"name":"a","nodeID":"n"}]}}"#,
            [#"CSINodeDriver: Invalid value: {"name":"a","nodeID":"m"}: field is immutable"#]),
        Case(
            "CSIStorageCapacity", #"{"capacity":"-1"}"#,
            [
                "storageClassName: Required value",
                #"capacity: Invalid value: "-1": must be greater than or equal to 0"#,
            ]),
        Case(
            "CSIStorageCapacity", #"{"storageClassName":"b"}"#, old: #"{"storageClassName":"a"}"#,
            [#"storageClassName: Invalid value: "b": field is immutable"#]),
        Case(
            "VolumeAttachment", #"{"spec":{"source":{}}}"#,
            [
                "spec.attacher: Required value",
                "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
                "spec.nodeName: Required value",
            ]),
        Case(
            "VolumeAttachment", attachment + #""q"}}}"#, old: attachment + #""p"}}}"#,
            [
                #"spec: Invalid value: {"attacher":"a.b","nodeName":"n","source":{"persistentVolumeName":"q"}}: field is immutable"#
            ]),
        Case(
            "VolumeAttributesClass", "{}",
            [
                "driverName: Required value",
                "parameters: Required value: must contain at least one key/value pair",
            ]),
        Case(
            "VolumeAttributesClass", #"{"driverName":"b","parameters":{"a":"2"}}"#,
            old: #"{"driverName":"a","parameters":{"a":"1"}}"#,
            [
                "driverName: Forbidden: updates to driverName are forbidden.",
                "parameters: Forbidden: updates to parameters are forbidden.",
            ]),
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
