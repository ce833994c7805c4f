// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

private enum At {
    static let c = "spec.containers[0]"
    static let required = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    static let preferred = "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
    static let podTerm = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]"
    static let podPreferred = "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]"
    static let expression = required + ".nodeSelectorTerms[0].matchExpressions[0]"
    static let fields = required + ".nodeSelectorTerms[0].matchFields[0]"
    static let spread = "spec.topologySpreadConstraints[0]"
    static let others =
        "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        + "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
        + "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
}

/// The rules of pods, in pods; templates share them (see ``WorkloadRuleTests``).
@Suite struct PodRuleTests {
    @Test(arguments: [
        Rule("Pod", "spec.containers", [], "Required value"),
        Rule("Pod", "\(At.c).name", "", "Required value"),
        Rule("Pod", "\(At.c).name", "A_", Said.invalid("A_", Said.label)),
        Rule("Pod", "\(At.c).image", "", "Required value"),
        Rule("Pod", "\(At.c).image", " i", Said.invalid(" i", "must not have leading or trailing whitespace")),
        Rule("Pod", "spec.initContainers[0].name", "c", "Duplicate value: \"c\""),
        Rule(
            "Pod", "\(At.c).imagePullPolicy", "Often",
            Said.unsupported("Often", "Always", "IfNotPresent", "Never")),
        Rule(
            "Pod", "\(At.c).terminationMessagePolicy", "X", Said.unsupported("X", "File", "FallbackToLogsOnError")),
        Rule("Pod", "\(At.c).restartPolicy", "Always", "Forbidden: may not be set for non-init containers"),
        Rule("Pod", "spec.initContainers[0].restartPolicy", "Never", Said.unsupported("Never", "Always")),
        Rule(
            "Pod", "spec.initContainers[0].livenessProbe", ["tcpSocket": ["port": 1]],
            "Forbidden: may not be set for init containers without restartPolicy=Always"),
        Rule(
            "Pod", "spec.initContainers[0].lifecycle", ["preStop": ["exec": ["command": ["x"]]]],
            "Forbidden: may not be set for init containers without restartPolicy=Always"),
        Rule("Pod", "\(At.c).ports[0].containerPort", 0, "Required value"),
        Rule("Pod", "\(At.c).ports[0].containerPort", 65_536, "Invalid value: 65536: \(Said.port)"),
        Rule("Pod", "\(At.c).ports[0].hostPort", -1, "Invalid value: -1: \(Said.port)"),
        Rule("Pod", "\(At.c).ports[0].protocol", "HTTP", Said.unsupported("HTTP", "SCTP", "TCP", "UDP")),
        Rule(
            "Pod", "\(At.c).ports[0].name", "Web",
            Said.invalid("Web", "must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)")),
        Rule("Pod", "\(At.c).ports[0].name", "80", Said.invalid("80", "must contain at least one letter (a-z)")),
        Rule("Pod", "\(At.c).ports[0].name", "a--b", Said.invalid("a--b", "must not contain consecutive hyphens")),
        Rule("Pod", "\(At.c).ports[0].name", "-a", Said.invalid("-a", "must not begin or end with a hyphen")),
        Rule(
            "Pod", "\(At.c).ports[0].name", "abcdefghijklmnop",
            Said.invalid("abcdefghijklmnop", "must be no more than 15 characters")),
        Rule(
            "Pod", "\(At.c).ports", [["name": "a", "containerPort": 1], ["name": "a", "containerPort": 2]],
            at: "\(At.c).ports[1].name", "Duplicate value: \"a\""),
        Rule(
            "Pod", "\(At.c).ports", [["containerPort": 1, "hostPort": 9], ["containerPort": 2, "hostPort": 9]],
            at: "\(At.c).ports[1].hostPort", "Duplicate value: \"TCP//9\""),
        Rule(
            "Pod", "\(At.c).ports[0].hostPort", 81,
            "Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
            with: [("spec.hostNetwork", true)]),
    ])
    func containers(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule("Pod", "\(At.c).env[0].name", "", "Required value"),
        Rule(
            "Pod", "\(At.c).env[0].name", "A=B",
            Said.invalid(
                "A=B",
                "a valid environment variable name must consist only of printable ASCII characters other than '='")),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom", .object([:]),
            "Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
                + "`secretKeyRef`"),
        Rule(
            "Pod", "\(At.c).env[0].value", "x", at: "\(At.c).env[0].valueFrom",
            "Invalid value: \"\": may not be specified when `value` is not empty"),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom.secretKeyRef", ["name": "s", "key": "k"], at: "\(At.c).env[0].valueFrom",
            "Invalid value: \"\": may not have more than one field specified at a time"),
        Rule("Pod", "\(At.c).env[0].valueFrom.fieldRef.fieldPath", "", "Required value"),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom.fieldRef.fieldPath", "spec.foo",
            Said.invalid("spec.foo", "error converting fieldPath: field label not supported: spec.foo")),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom.fieldRef.fieldPath", "metadata.labels",
            Said.unsupported(
                "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom.fieldRef.fieldPath", "metadata.labels['a b']",
            at: "\(At.c).env[0].valueFrom.fieldRef", Said.invalid("a b", Said.qualified)),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom.fieldRef.apiVersion", "v9",
            at: "\(At.c).env[0].valueFrom.fieldRef.fieldPath",
            Said.invalid("metadata.name", "error converting fieldPath: unsupported pod version: v9")),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom", ["resourceFieldRef": ["resource": "limits.x"]],
            at: "\(At.c).env[0].valueFrom.resourceFieldRef.resource",
            Said.unsupported(
                "limits.x", "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu",
                "requests.ephemeral-storage", "requests.memory")),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom", ["resourceFieldRef": ["resource": ""]],
            at: "\(At.c).env[0].valueFrom.resourceFieldRef.resource", "Required value"),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom", ["resourceFieldRef": ["resource": "limits.cpu", "divisor": "2"]],
            at: "\(At.c).env[0].valueFrom.resourceFieldRef.divisor",
            Said.invalid("limits.cpu", "only divisor's values 1m and 1 are supported with the cpu resource")),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom", ["resourceFieldRef": ["resource": "limits.memory", "divisor": "2"]],
            at: "\(At.c).env[0].valueFrom.resourceFieldRef.divisor",
            Said.invalid(
                "limits.memory",
                "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the "
                    + "memory resource")),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom", ["configMapKeyRef": ["name": "m", "key": ""]],
            at: "\(At.c).env[0].valueFrom.configMapKeyRef.key", "Required value"),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom", ["secretKeyRef": ["name": "m", "key": "a b"]],
            at: "\(At.c).env[0].valueFrom.secretKeyRef.key", Said.invalid("a b", Said.configKey)),
        Rule(
            "Pod", "\(At.c).env[0].valueFrom", ["secretKeyRef": ["name": "M", "key": "k"]],
            at: "\(At.c).env[0].valueFrom.secretKeyRef.name", Said.invalid("M", Said.subdomain)),
        Rule("Pod", "\(At.c).envFrom[0].configMapRef.name", "", "Required value"),
        Rule(
            "Pod", "\(At.c).envFrom[0].prefix", "A=",
            Said.invalid(
                "A=", "a valid environment variable name must consist only of printable ASCII characters other than '='"
            )
        ),
        Rule(
            "Pod", "\(At.c).envFrom", [.object([:])], at: "\(At.c).envFrom",
            "Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"),
        Rule(
            "Pod", "\(At.c).envFrom[0].secretRef", ["name": "s"], at: "\(At.c).envFrom",
            "Invalid value: \"\": may not have more than one field specified at a time"),
    ])
    func environment(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule("Pod", "\(At.c).volumeMounts[0].name", "", "Required value"),
        Rule("Pod", "\(At.c).volumeMounts[0].name", "w", "Not found: \"w\""),
        Rule("Pod", "\(At.c).volumeMounts[0].mountPath", "", "Required value"),
        Rule(
            "Pod", "\(At.c).volumeMounts[1]", ["name": "v", "mountPath": "/v"], at: "\(At.c).volumeMounts[1].mountPath",
            Said.invalid("/v", "must be unique")),
        Rule(
            "Pod", "\(At.c).volumeMounts[0].subPath", "/x", at: "\(At.c).volumeMounts.subPath",
            Said.invalid("/x", "must be a relative path")),
        Rule(
            "Pod", "\(At.c).volumeMounts[0].subPath", "a/../b", at: "\(At.c).volumeMounts.subPath",
            Said.invalid("a/../b", "must not contain '..'")),
        Rule(
            "Pod", "\(At.c).volumeMounts[0].subPathExpr", "x",
            Said.invalid("x", "subPathExpr and subPath are mutually exclusive"),
            with: [("\(At.c).volumeMounts[0].subPath", "y")]),
        Rule(
            "Pod", "\(At.c).volumeMounts[0].mountPropagation", "Some", at: "\(At.c).volumeMounts.mountPropagation",
            Said.unsupported("Some", "Bidirectional", "HostToContainer", "None")),
        Rule(
            "Pod", "\(At.c).volumeMounts[0].mountPropagation", "Bidirectional",
            at: "\(At.c).volumeMounts.mountPropagation",
            "Forbidden: Bidirectional mount propagation is available only to privileged containers"),
        Rule(
            "Pod", "\(At.c).volumeMounts[0].recursiveReadOnly", "Enabled", at: "\(At.c).volumeMounts.recursiveReadOnly",
            "Forbidden: may only be specified when readOnly is true"),
        Rule(
            "Pod", "\(At.c).volumeMounts[0].recursiveReadOnly", "X", at: "\(At.c).volumeMounts.recursiveReadOnly",
            Said.unsupported("X", "Disabled", "Enabled", "IfPossible")),
        Rule(
            "Pod", "\(At.c).volumeDevices", [["name": "c", "devicePath": ""]],
            at: "\(At.c).volumeDevices[0].devicePath",
            "Required value"),
        Rule(
            "Pod", "\(At.c).volumeDevices", [["name": "z", "devicePath": "/d"]], at: "\(At.c).volumeDevices[0].name",
            "Not found: \"z\""),
        Rule(
            "Pod", "\(At.c).volumeDevices", [["name": "m", "devicePath": "/d"]], at: "\(At.c).volumeDevices[0].name",
            Said.invalid(
                "m", "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode")),
        Rule(
            "Pod", "\(At.c).volumeDevices", [["name": "c", "devicePath": "/d/.."]],
            at: "\(At.c).volumeDevices[0].devicePath",
            Said.invalid("/d/..", "can not contain backsteps ('..')")),
        Rule(
            "Pod", "\(At.c).volumeDevices", [["name": "c", "devicePath": "/v"]],
            at: "\(At.c).volumeDevices[0].devicePath",
            Said.invalid("/v", "must not already exist as a path in volumeMounts")),
        Rule("Pod", "spec.volumes[0].name", "", "Required value"),
        Rule("Pod", "spec.volumes[1].name", "v", "Duplicate value: \"v\""),
        Rule("Pod", "spec.volumes[0].name", "V_", Said.invalid("V_", Said.label)),
        Rule(
            "Pod", "spec.volumes[0].hostPath", ["path": "/x"], "Forbidden: may not specify more than 1 volume type"),
        Rule(
            "Pod", "spec.volumes[0].emptyDir.sizeLimit", "-1",
            "Forbidden: SizeLimit field must be a valid resource quantity"),
        Rule("Pod", "spec.volumes[1].configMap.name", "", "Required value"),
        Rule("Pod", "spec.volumes[1].configMap.defaultMode", 512, "Invalid value: 512: \(Said.mode)"),
        Rule("Pod", "spec.volumes[1].configMap.items[0].key", "", "Required value"),
        Rule("Pod", "spec.volumes[1].configMap.items[0].path", "", "Required value"),
        Rule("Pod", "spec.volumes[1].configMap.items[0].path", "/x", Said.invalid("/x", "must be a relative path")),
        Rule("Pod", "spec.volumes[1].configMap.items[0].path", "..x", Said.invalid("..x", "must not start with '..'")),
        Rule("Pod", "spec.volumes[1].configMap.items[0].mode", -1, "Invalid value: -1: \(Said.mode)"),
        Rule("Pod", "spec.volumes[2].downwardAPI.items[0].path", "", "Required value"),
        Rule(
            "Pod", "spec.volumes[2].downwardAPI.items[0].fieldRef", nil, at: "spec.volumes[2].downwardAPI.items[0]",
            "Required value: one of fieldRef and resourceFieldRef is required"),
        Rule(
            "Pod", "spec.volumes[2].downwardAPI.items[0].resourceFieldRef",
            ["containerName": "c", "resource": "limits.cpu"], at: "spec.volumes[2].downwardAPI.items[0]",
            Said.invalid("resource", "fieldRef and resourceFieldRef can not be specified simultaneously")),
        Rule(
            "Pod", "spec.volumes[2].downwardAPI.items[0].fieldRef.fieldPath", "status.podIP",
            Said.unsupported(
                "status.podIP", "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace",
                "metadata.uid")),
        Rule("Pod", "spec.volumes[3].projected.defaultMode", 512, "Invalid value: 512: \(Said.mode)"),
        Rule(
            "Pod", "spec.volumes[3].projected.sources[0].serviceAccountToken.path", "", "Required value"),
        Rule(
            "Pod", "spec.volumes[3].projected.sources[0].serviceAccountToken.expirationSeconds", 599,
            "Invalid value: 599: may not specify a duration less than 10 minutes"),
        Rule(
            "Pod", "spec.volumes[3].projected.sources[0].serviceAccountToken.expirationSeconds", 4_294_967_297,
            "Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds"),
        Rule(
            "Pod", "spec.volumes[3].projected.sources[0].secret", ["name": "s"],
            at: "spec.volumes[3].projected.sources[0]",
            "Forbidden: may not specify more than 1 volume type per source"),
        Rule(
            "Pod", "spec.volumes[3].projected.sources[1]", ["secret": ["name": ""]],
            at: "spec.volumes[3].projected.sources[1].secret.name", "Required value"),
        Rule(
            "Pod", "spec.volumes[3].projected.sources[1]",
            ["configMap": ["name": "m", "items": [["key": "k", "path": "t"]]]], at: "spec.volumes[3].projected",
            Said.invalid("t", "conflicting duplicate paths")),
        Rule("Pod", "spec.volumes[4].secret.secretName", "", "Required value"),
        Rule("Pod", "spec.volumes[5].hostPath.path", "", "Required value"),
        Rule("Pod", "spec.volumes[5].hostPath.path", "/a/../b", Said.invalid("/a/../b", "must not contain '..'")),
        Rule(
            "Pod", "spec.volumes[5].hostPath.type", "Pipe",
            Said.unsupported(
                "Pipe", "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate",
                "Socket")),
        Rule("Pod", "spec.volumes[6].persistentVolumeClaim.claimName", "", "Required value"),
        Rule(
            "Pod", "spec.volumes[7]", ["name": "n", "nfs": ["server": "s", "path": "x"]],
            at: "spec.volumes[7].nfs.path",
            Said.invalid("x", "must be an absolute path")),
        Rule(
            "Pod", "spec.volumes[7]", ["name": "n", "iscsi": ["targetPortal": "t", "iqn": "x", "lun": 0]],
            at: "spec.volumes[7].iscsi.iqn", Said.invalid("x", "must be valid format starting with iqn, eui, or naa")),
        Rule(
            "Pod", "spec.volumes[7]", ["name": "n", "csi": ["driver": ""]], at: "spec.volumes[7].csi.driver",
            "Required value"),
        Rule(
            "Pod", "spec.volumes[7]", ["name": "n", "image": ["reference": ""]], at: "spec.volumes[7].image.reference",
            "Required value"),
        Rule(
            "Pod", "spec.volumes[7]",
            [
                "name": "n",
                "ephemeral": [
                    "volumeClaimTemplate": [
                        "spec": ["accessModes": ["X"], "resources": ["requests": ["storage": "1"]]]
                    ]
                ],
            ],
            at: "spec.volumes[7].ephemeral.volumeClaimTemplate.spec.accessModes",
            Said.unsupported("X", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")),
        Rule(
            "Pod", "spec.volumes[3].projected.sources[0].serviceAccountToken.path", "t",
            at: "spec.volumes[3].projected", Said.invalid("t", "conflicting duplicate paths"),
            with: [("spec.volumes[3].projected.sources[1]", ["serviceAccountToken": ["path": "t"]])]),
    ])
    func volumes(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule("Pod", "\(At.c).livenessProbe", .object([:]), "Required value: must specify a handler type"),
        Rule(
            "Pod", "\(At.c).livenessProbe.exec", ["command": ["x"]], at: "\(At.c).livenessProbe.httpGet",
            "Forbidden: may not specify more than 1 handler type"),
        Rule(
            "Pod", "\(At.c).livenessProbe", ["exec": .object([:])], at: "\(At.c).livenessProbe.exec.command",
            "Required value"
        ),
        Rule("Pod", "\(At.c).livenessProbe.httpGet.port", 0, "Invalid value: 0: \(Said.port)"),
        Rule(
            "Pod", "\(At.c).livenessProbe.httpGet.port", "A",
            Said.invalid("A", "must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)")),
        Rule("Pod", "\(At.c).livenessProbe.httpGet.scheme", "FTP", Said.unsupported("FTP", "HTTP", "HTTPS")),
        Rule(
            "Pod", "\(At.c).livenessProbe.httpGet.httpHeaders", [["name": "a b", "value": "x"]],
            Said.invalid(
                "a b",
                "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used "
                    + "for validation is '[-A-Za-z0-9]+')")),
        Rule(
            "Pod", "\(At.c).livenessProbe", ["grpc": ["port": 0]], at: "\(At.c).livenessProbe.grpc.port",
            "Invalid value: 0: \(Said.port)"),
        Rule("Pod", "\(At.c).readinessProbe.tcpSocket.port", 70_000, "Invalid value: 70000: \(Said.port)"),
        Rule("Pod", "\(At.c).livenessProbe.initialDelaySeconds", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule("Pod", "\(At.c).livenessProbe.timeoutSeconds", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule("Pod", "\(At.c).livenessProbe.periodSeconds", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule("Pod", "\(At.c).readinessProbe.successThreshold", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule("Pod", "\(At.c).livenessProbe.failureThreshold", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule("Pod", "\(At.c).livenessProbe.successThreshold", 2, "Invalid value: 2: must be 1"),
        Rule(
            "Pod", "\(At.c).livenessProbe.terminationGracePeriodSeconds", 0, "Invalid value: 0: must be greater than 0"),
        Rule(
            "Pod", "\(At.c).readinessProbe.terminationGracePeriodSeconds", 5,
            "Invalid value: 5: must not be set for readinessProbes"),
        Rule("Pod", "\(At.c).lifecycle.preStop", .object([:]), "Required value: must specify a handler type"),
        Rule(
            "Pod", "\(At.c).lifecycle.preStop", ["sleep": ["seconds": 31]], at: "\(At.c).lifecycle.preStop.sleep",
            "Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)"),
        Rule(
            "Pod", "\(At.c).lifecycle.stopSignal", "SIGTERM",
            "Forbidden: may not be set for containers with empty `spec.os.name`"),
        Rule(
            "Pod", "\(At.c).lifecycle.stopSignal", "SIGUSR1", Said.unsupported("SIGUSR1", "SIGKILL", "SIGTERM"),
            with: [("spec.os", ["name": "windows"])]),
    ])
    func handlers(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule(
            "Pod", "\(At.c).resources.limits.cpu", "-1", at: "\(At.c).resources.limits[cpu]",
            Said.invalid("-1", Said.notNegative)),
        Rule(
            "Pod", "\(At.c).resources.limits.foo", "1", at: "\(At.c).resources.limits[foo]",
            Said.invalid("foo", "must be a standard resource type or fully qualified")),
        Rule(
            "Pod", "\(At.c).resources.limits.pods", "1", at: "\(At.c).resources.limits[pods]",
            Said.invalid("pods", "must be a standard resource for containers")),
        Rule(
            "Pod", "\(At.c).resources.limits.\"a.b/c\"", "500m", at: "\(At.c).resources.limits[a.b/c]",
            Said.invalid("500m", "must be an integer")),
        Rule(
            "Pod", "\(At.c).resources.limits.\"requests.a/b\"", "1", at: "\(At.c).resources.limits[requests.a/b]",
            Said.invalid("requests.a/b", "doesn't follow extended resource name standard")),
        Rule(
            "Pod", "\(At.c).resources.limits.\"a b/c\"", "1", at: "\(At.c).resources.limits[a b/c]",
            Said.invalid("a b/c", "prefix part \(Said.subdomain)")),
        Rule(
            "Pod", "\(At.c).resources.requests.cpu", "2", at: "\(At.c).resources.requests",
            Said.invalid("2", "must be less than or equal to cpu limit of 1"),
            with: [("\(At.c).resources.limits.cpu", "1")]),
        Rule(
            "Pod", "\(At.c).resources.requests.\"a.b/c\"", "1", at: "\(At.c).resources.requests",
            Said.invalid("1", "must be equal to a.b/c limit of 2"),
            with: [("\(At.c).resources.limits.\"a.b/c\"", "2")]),
        Rule(
            "Pod", "\(At.c).resources.requests.\"a.b/c\"", "1", at: "\(At.c).resources.limits",
            "Required value: Limit must be set for non overcommitable resources"),
        Rule(
            "Pod", "\(At.c).resources.limits.hugepages-2Mi", "2Mi", at: "\(At.c).resources",
            "Forbidden: HugePages require cpu or memory"),
        Rule(
            "Pod", "\(At.c).resources.claims", [["name": "r"]], at: "\(At.c).resources.claims[0]",
            "Not found: \"r\": must be one of the names in pod.spec.resourceClaims which is empty"),
        Rule(
            "Pod", "\(At.c).resizePolicy", [["resourceName": "disk", "restartPolicy": "NotRequired"]],
            Said.unsupported("disk", "cpu", "memory")),
        Rule(
            "Pod", "\(At.c).resizePolicy", [["resourceName": "cpu", "restartPolicy": "X"]],
            Said.unsupported("X", "NotRequired", "RestartContainer")),
        Rule(
            "Pod", "\(At.c).resizePolicy", [["resourceName": "cpu", "restartPolicy": "RestartContainer"]],
            Said.invalid("RestartContainer", "must be 'NotRequired' when pod `restartPolicy` is 'Never'"),
            with: [("spec.restartPolicy", "Never")]),
        Rule(
            "Pod", "spec.overhead.foo", "1", at: "spec.overhead[foo]",
            Said.invalid("foo", "must be a standard resource for containers")),
        Rule(
            "Pod", "spec.resourceClaims", [["name": "", "resourceClaimName": "x"]], at: "spec.resourceClaims[0].name",
            "Required value"),
        Rule(
            "Pod", "spec.resourceClaims", [["name": "r"]], at: "spec.resourceClaims[0]",
            "Invalid value: {\"name\":\"r\"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
        Rule(
            "Pod", "spec.resources.limits.\"a.b/c\"", "1", at: "spec.resources.limits[a.b/c]",
            Said.unsupported("a.b/c", "cpu", "hugepages-", "memory")),
    ])
    func resources(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule(
            "Pod", "spec.securityContext.runAsUser", -1,
            "Invalid value: -1: must be between 0 and 2147483647, inclusive"),
        Rule(
            "Pod", "spec.securityContext.runAsGroup", 2_147_483_648,
            "Invalid value: 2147483648: must be between 0 and 2147483647, inclusive"),
        Rule(
            "Pod", "spec.securityContext.fsGroup", -1, "Invalid value: -1: must be between 0 and 2147483647, inclusive"),
        Rule(
            "Pod", "spec.securityContext.supplementalGroups", [-1], at: "spec.securityContext.supplementalGroups[0]",
            "Invalid value: -1: must be between 0 and 2147483647, inclusive"),
        Rule("Pod", "spec.securityContext.fsGroupChangePolicy", "X", Said.unsupported("X", "Always", "OnRootMismatch")),
        Rule("Pod", "spec.securityContext.supplementalGroupsPolicy", "X", Said.unsupported("X", "Merge", "Strict")),
        Rule("Pod", "spec.securityContext.seLinuxChangePolicy", "X", Said.unsupported("X", "MountOption", "Recursive")),
        Rule(
            "Pod", "spec.shareProcessNamespace", true, at: "spec.securityContext.shareProcessNamespace",
            "Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
            with: [("spec.hostPID", true)]),
        Rule(
            "Pod", "spec.securityContext.sysctls", [["name": "", "value": "1"]],
            at: "spec.securityContext.sysctls[0].name", "Required value"),
        Rule(
            "Pod", "spec.securityContext.sysctls", [["name": "foo-", "value": "1"]],
            at: "spec.securityContext.sysctls[0].name",
            Said.invalid(
                "foo-",
                "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
            )),
        Rule(
            "Pod", "spec.securityContext.sysctls", [["name": "a.b", "value": "1"], ["name": "a.b", "value": "1"]],
            at: "spec.securityContext.sysctls[1].name", "Duplicate value: \"a.b\""),
        Rule(
            "Pod", "spec.securityContext.sysctls", [["name": "net.core.somaxconn", "value": "1"]],
            at: "spec.securityContext.sysctls[0].name",
            Said.invalid("net.core.somaxconn", "may not be specified when 'hostNetwork' is true"),
            with: [("spec.hostNetwork", true), ("\(At.c).ports", [])]),
        Rule(
            "Pod", "spec.securityContext.sysctls", [["name": "kernel.shmmax", "value": "1"]],
            at: "spec.securityContext.sysctls[0].name",
            Said.invalid("kernel.shmmax", "may not be specified when 'hostIPC' is true"), with: [("spec.hostIPC", true)]
        ),
        Rule(
            "Pod", "spec.securityContext.seccompProfile", ["type": "X"], at: "spec.securityContext.seccompProfile.type",
            Said.unsupported("X", "Localhost", "RuntimeDefault", "Unconfined")),
        Rule(
            "Pod", "spec.securityContext.seccompProfile", ["type": "Localhost"],
            at: "spec.securityContext.seccompProfile.localhostProfile",
            "Required value: must be set when seccomp type is Localhost"),
        Rule(
            "Pod", "spec.securityContext.seccompProfile", ["type": "Localhost", "localhostProfile": "../x"],
            at: "spec.securityContext.seccompProfile.localhostProfile", Said.invalid("../x", "must not contain '..'")),
        Rule(
            "Pod", "spec.securityContext.appArmorProfile", ["type": "X"],
            at: "spec.securityContext.appArmorProfile.type",
            Said.unsupported("X", "Localhost", "RuntimeDefault", "Unconfined")),
        Rule(
            "Pod", "spec.securityContext.appArmorProfile", ["type": "Localhost"],
            at: "spec.securityContext.appArmorProfile.localhostProfile",
            "Required value: must be set when AppArmor type is Localhost"),
        Rule(
            "Pod", "\(At.c).securityContext.appArmorProfile", ["type": "RuntimeDefault", "localhostProfile": "x"],
            at: "\(At.c).securityContext.appArmorProfile.localhostProfile",
            Said.invalid("x", "can only be set when AppArmor type is Localhost")),
        Rule(
            "Pod", "\(At.c).securityContext.runAsUser", -1,
            "Invalid value: -1: must be between 0 and 2147483647, inclusive"),
        Rule("Pod", "\(At.c).securityContext.procMount", "X", Said.unsupported("X", "Default", "Unmasked")),
        Rule(
            "Pod", "\(At.c).securityContext.procMount", "Unmasked",
            Said.invalid("Unmasked", "`hostUsers` must be false to use `Unmasked`")),
        Rule(
            "Pod", "\(At.c).securityContext", ["privileged": true, "allowPrivilegeEscalation": false],
            "Invalid value: {\"allowPrivilegeEscalation\":false,\"privileged\":true}: cannot set "
                + "`allowPrivilegeEscalation` to false and `privileged` to true"),
        Rule(
            "Pod", "\(At.c).securityContext",
            ["allowPrivilegeEscalation": false, "capabilities": ["add": ["CAP_SYS_ADMIN"]]],
            "Invalid value: {\"allowPrivilegeEscalation\":false,\"capabilities\":{\"add\":[\"CAP_SYS_ADMIN\"]}}: cannot "
                + "set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"),
        Rule("Pod", "spec.os", ["name": "plan9"], at: "spec.os", Said.unsupported("plan9", "linux", "windows")),
        Rule("Pod", "spec.os", ["name": ""], at: "spec.os.name", "Required value"),
        Rule(
            "Pod", "spec.os", ["name": "windows"], at: "\(At.c).securityContext.runAsUser",
            "Forbidden: cannot be set for a windows pod", with: [("\(At.c).securityContext.runAsUser", 1)]),
        Rule(
            "Pod", "spec.os", ["name": "linux"], at: "spec.securityContext.windowsOptions",
            "Forbidden: windows options cannot be set for a linux pod",
            with: [("spec.securityContext.windowsOptions", ["runAsUserName": "a"])]),
        Rule(
            "Pod", "spec.securityContext.windowsOptions", ["hostProcess": true], at: "spec.hostNetwork",
            "Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers"),
        Rule(
            "Pod", "spec.hostUsers", false, at: "spec.hostNetwork", "Forbidden: when `hostUsers` is false",
            with: [("spec.hostNetwork", true), ("\(At.c).ports", [])]),
    ])
    func security(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule(
            "Pod", "\(At.required).nodeSelectorTerms", [], "Required value: must have at least one node selector term"),
        Rule("Pod", "\(At.expression).operator", "Like", Said.invalid("Like", "not a valid selector operator")),
        Rule(
            "Pod", "\(At.expression).values", [], "Required value: must be specified when `operator` is 'In' or 'NotIn'"
        ),
        Rule(
            "Pod", "\(At.expression).operator", "Exists", at: "\(At.expression).values",
            "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        Rule(
            "Pod", "\(At.expression).values", ["1", "2"],
            "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
            with: [("\(At.expression).operator", "Gt")]),
        Rule("Pod", "\(At.expression).key", "a b", Said.invalid("a b", Said.qualified)),
        Rule(
            "Pod", "\(At.expression).values", ["a b"], at: "\(At.expression).values[0]",
            Said.invalid("a b", Said.labelValue)),
        Rule("Pod", "\(At.fields).key", "metadata.uid", Said.invalid("metadata.uid", "not a valid field selector key")),
        Rule("Pod", "\(At.fields).operator", "Exists", Said.invalid("Exists", "not a valid selector operator")),
        Rule(
            "Pod", "\(At.fields).values", ["a", "b"],
            "Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
        Rule("Pod", "\(At.preferred)[0].weight", 101, "Invalid value: 101: must be in the range 1-100"),
        Rule("Pod", "\(At.podTerm).topologyKey", "", "Required value: can not be empty"),
        Rule("Pod", "\(At.podTerm).namespaces", ["A"], at: "\(At.podTerm).namespace", Said.invalid("A", Said.label)),
        Rule(
            "Pod", "\(At.podTerm).labelSelector", ["matchLabels": ["a": "b c"]],
            at: "\(At.podTerm).labelSelector.matchLabels", Said.invalid("b c", Said.labelValue)),
        Rule(
            "Pod", "\(At.podTerm).matchLabelKeys", ["a"],
            "Forbidden: must not be specified when labelSelector is not set"),
        Rule(
            "Pod", "\(At.podTerm).matchLabelKeys", ["a"], at: "\(At.podTerm).matchLabelKeys[0]",
            Said.invalid("a", "exists in both matchLabelKeys and mismatchLabelKeys"),
            with: [("\(At.podTerm).labelSelector", .object([:])), ("\(At.podTerm).mismatchLabelKeys", ["a"])]),
        Rule("Pod", "\(At.podPreferred).weight", 0, "Invalid value: 0: must be in the range 1-100"),
        Rule("Pod", "\(At.podPreferred).podAffinityTerm.topologyKey", "", "Required value: can not be empty"),
        Rule("Pod", "\(At.spread).maxSkew", 0, "Invalid value: 0: must be greater than zero"),
        Rule("Pod", "\(At.spread).topologyKey", "", "Required value: can not be empty"),
        Rule("Pod", "\(At.spread).whenUnsatisfiable", "X", Said.unsupported("X", "DoNotSchedule", "ScheduleAnyway")),
        Rule("Pod", "\(At.spread).minDomains", 0, "Invalid value: 0: must be greater than zero"),
        Rule(
            "Pod", "\(At.spread).minDomains", 1,
            "Invalid value: 1: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
            with: [("\(At.spread).whenUnsatisfiable", "ScheduleAnyway")]),
        Rule("Pod", "\(At.spread).nodeTaintsPolicy", "X", Said.unsupported("X", "Honor", "Ignore")),
        Rule(
            "Pod", "\(At.spread).matchLabelKeys", ["a"], at: "\(At.spread).matchLabelKeys[0]",
            Said.invalid("a", "exists in both matchLabelKeys and labelSelector")),
        Rule(
            "Pod", "\(At.spread).labelSelector.matchExpressions", [["key": "k", "operator": "X"]],
            at: "\(At.spread).labelSelector.matchExpressions[0].operator",
            Said.invalid("X", "not a valid selector operator")),
        Rule(
            "Pod", "spec.topologySpreadConstraints[1]",
            ["maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"],
            at: "\(At.spread).{topologyKey, whenUnsatisfiable}", "Duplicate value: \"{z, DoNotSchedule}\""),
        Rule("Pod", "spec.tolerations[0].key", "a b", Said.invalid("a b", Said.qualified)),
        Rule("Pod", "spec.tolerations[0].operator", "Like", Said.unsupported("Like", "Equal", "Exists")),
        Rule(
            "Pod", "spec.tolerations[0]", ["operator": "Equal", "value": "x"], at: "spec.tolerations[0].operator",
            Said.invalid(
                "Equal", "operator must be Exists when `key` is empty, which means \"match all values and all keys\"")),
        Rule(
            "Pod", "spec.tolerations[0].value", "x", at: "spec.tolerations[0].operator",
            Said.invalid("x", "value must be empty when `operator` is 'Exists'")),
        Rule(
            "Pod", "spec.tolerations[0]", ["key": "k", "value": "a b"], at: "spec.tolerations[0].operator",
            Said.invalid("a b", Said.labelValue)),
        Rule(
            "Pod", "spec.tolerations[0].effect", "X",
            Said.unsupported("X", "NoSchedule", "PreferNoSchedule", "NoExecute")),
        Rule(
            "Pod", "spec.tolerations[0].tolerationSeconds", 1, at: "spec.tolerations[0].effect",
            Said.invalid("", "effect must be 'NoExecute' when `tolerationSeconds` is set")),
        Rule("Pod", "spec.nodeSelector", ["a b": "c"], Said.invalid("a b", Said.qualified)),
    ])
    func placement(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule("Pod", "spec.restartPolicy", "Sometimes", Said.unsupported("Sometimes", "Always", "OnFailure", "Never")),
        Rule(
            "Pod", "spec.dnsPolicy", "X",
            Said.unsupported("X", "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")),
        Rule(
            "Pod", "spec.dnsPolicy", "None", at: "spec.dnsConfig",
            "Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
        Rule(
            "Pod", "spec.dnsConfig.nameservers", [],
            "Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
            with: [("spec.dnsPolicy", "None"), ("spec.dnsConfig.searches", ["a"])]),
        Rule(
            "Pod", "spec.dnsConfig.nameservers", ["x"], at: "spec.dnsConfig.nameservers[0]",
            Said.invalid("x", Said.address)),
        Rule(
            "Pod", "spec.dnsConfig.nameservers", ["1.1.1.1", "1.1.1.1", "1.1.1.1", "1.1.1.1"],
            "Invalid value: [\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\"]: must not have more than 3 nameservers"),
        Rule(
            "Pod", "spec.dnsConfig.searches", ["a b"], at: "spec.dnsConfig.searches[0]",
            Said.invalid(
                "a b",
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '.' or '_', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*')"
            )),
        Rule(
            "Pod", "spec.dnsConfig.options", [["value": "1"]], at: "spec.dnsConfig.options[0]",
            "Required value: must not be empty"),
        Rule("Pod", "spec.activeDeadlineSeconds", 0, "Invalid value: 0: must be between 1 and 2147483647, inclusive"),
        Rule("Pod", "spec.hostname", "a.b", Said.invalid("a.b", Said.label)),
        Rule("Pod", "spec.subdomain", "a.b", Said.invalid("a.b", Said.label)),
        Rule("Pod", "spec.hostnameOverride", "A", Said.invalid("A", Said.subdomain)),
        Rule(
            "Pod", "spec.hostnameOverride", "a", "Forbidden: may not be specified when setHostnameAsFQDN is true",
            with: [("spec.setHostnameAsFQDN", true)]),
        Rule("Pod", "spec.serviceAccountName", "A", Said.invalid("A", Said.subdomain)),
        Rule("Pod", "spec.nodeName", "A", Said.invalid("A", Said.subdomain)),
        Rule("Pod", "spec.priorityClassName", "A", Said.invalid("A", Said.subdomain)),
        Rule("Pod", "spec.runtimeClassName", "A", Said.invalid("A", Said.subdomain)),
        Rule("Pod", "spec.preemptionPolicy", "X", Said.unsupported("X", "PreemptLowerPriority", "Never")),
        Rule(
            "Pod", "spec.readinessGates", [["conditionType": "a b"]], at: "spec.readinessGates[0].conditionType",
            Said.invalid("a b", Said.qualified)),
        Rule(
            "Pod", "spec.schedulingGates", [["name": "a"], ["name": "a"]], at: "spec.schedulingGates[1]",
            "Duplicate value: \"a\""),
        Rule(
            "Pod", "spec.schedulingGates", [["name": "a b"]], at: "spec.schedulingGates[0]",
            Said.invalid("a b", Said.qualified)),
        Rule(
            "Pod", "spec.schedulingGates", [["name": "a"]], at: "spec.nodeName",
            "Forbidden: cannot be set until all schedulingGates have been cleared", with: [("spec.nodeName", "n")]),
        Rule("Pod", "spec.hostAliases", [["ip": "x"]], at: "spec.hostAliases[0].ip", Said.invalid("x", Said.address)),
        Rule(
            "Pod", "spec.hostAliases", [["ip": "1.2.3.4", "hostnames": ["A"]]], at: "spec.hostAliases[0].hostnames[0]",
            Said.invalid("A", Said.subdomain)),
        Rule("Pod", "spec.ephemeralContainers", [["name": "e", "image": "i"]], "Forbidden: cannot be set on create"),
        Rule(
            "Pod", "spec.ephemeralContainers", [["name": "e", "image": "i", "ports": [["containerPort": 1]]]],
            at: "spec.ephemeralContainers[0].ports", "Forbidden: cannot be set for an Ephemeral Container"),
        Rule(
            "Pod", "spec.ephemeralContainers", [["name": "e", "image": "i", "targetContainerName": "z"]],
            at: "spec.ephemeralContainers[0].targetContainerName", "Not found: \"z\""),
        Rule(
            "Pod", "spec.ephemeralContainers", [["name": "c", "image": "i"]], at: "spec.ephemeralContainers[0].name",
            "Duplicate value: \"c\""),
        Rule(
            "Pod", "spec.ephemeralContainers",
            [["name": "e", "image": "i", "volumeMounts": [["name": "v", "mountPath": "/x", "subPath": "a"]]]],
            at: "spec.ephemeralContainers[0].volumeMounts[0].subPath",
            "Forbidden: cannot be set for an Ephemeral Container"),
    ])
    func fields(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule("Pod", "spec.hostname", "x", at: "spec", At.others, updating: []),
        Rule("Pod", "\(At.c).command", ["x"], at: "spec", At.others, updating: []),
        Rule("Pod", "spec.priority", 5, at: "spec", At.others, updating: []),
        Rule(
            "Pod", "spec.containers[1]", ["name": "d", "image": "i"], at: "spec.containers",
            "Forbidden: pod updates may not add or remove containers", updating: []),
        Rule(
            "Pod", "spec.initContainers", [], at: "spec.initContainers",
            "Forbidden: pod updates may not add or remove containers", updating: []),
        Rule("Pod", "\(At.c).image", "", "Required value", updating: []),
        Rule(
            "Pod", "spec.activeDeadlineSeconds", 6, "Invalid value: 6: must be less than or equal to previous value",
            updating: [("spec.activeDeadlineSeconds", 5)]),
        Rule(
            "Pod", "spec.activeDeadlineSeconds", nil,
            "Invalid value: null: must not update from a positive integer to nil value",
            updating: [("spec.activeDeadlineSeconds", 5)]),
        Rule(
            "Pod", "spec.tolerations", [],
            "Forbidden: existing toleration can not be modified except its tolerationSeconds", updating: []),
        Rule(
            "Pod", "spec.schedulingGates", [["name": "b"]], at: "spec.schedulingGates[0].name",
            "Forbidden: only deletion is allowed, but found new scheduling gate 'b'",
            updating: [("spec.schedulingGates", [["name": "a"]])]),
        Rule(
            "Pod", "spec.nodeSelector", ["a": "c"],
            "Invalid value: {\"a\":\"c\"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)",
            updating: [("spec.schedulingGates", [["name": "a"]]), ("spec.nodeSelector", ["a": "b"])]),
        Rule(
            "Pod", "\(At.required).nodeSelectorTerms",
            [["matchExpressions": [["key": "k", "operator": "In", "values": ["w"]]]]],
            at: "\(At.required).nodeSelectorTerms[0]",
            "Invalid value: {\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"In\",\"values\":[\"w\"]}]}: only additions are allowed (no mutations or deletions)",
            updating: [("spec.schedulingGates", [["name": "a"]])]),
    ])
    func updates(rule: Rule) throws { try rule.check() }

    @Test(
        arguments: [
            ("spec.containers[0].image", "j"), ("spec.initContainers[0].image", "j"), ("spec.activeDeadlineSeconds", 3),
            ("spec.tolerations[1]", ["operator": "Exists"]), ("metadata.labels", ["a": "b"]),
            ("spec.tolerations[0]", ["key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9]),
        ] as [(String, JSONValue)])
    func whatMayChange(path: String, value: JSONValue) throws {
        let (kind, base) = try Base.object("Pod")
        var old = base
        try old.set("spec.tolerations[0]", ["key": "k", "operator": "Exists", "effect": "NoExecute"])
        try old.set("spec.activeDeadlineSeconds", 5)
        var new = old
        try new.set(path, value)
        let causes = ObjectValidation.semantic(
            try Base.completed(new, kind), kind, old: try Base.completed(old, kind))
        #expect(causes.isEmpty, "\(causes)")
    }
}
