// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

private enum At {
    static let p = "spec.ports[0]"
    static let rule0 = "spec.rules[0]"
    static let path0 = "spec.rules[0].http.paths[0]"
    static let wildcard =
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    static let limit = "spec.limits[0]"
    static let t = "spec.template.spec.containers[0]"
}

/// The rules of the kinds that have no pods in them.
@Suite struct KindRuleTests {
    @Test(arguments: [
        Rule("ConfigMap", "metadata.name", "", "Required value: name or generateName is required"),
        Rule("ConfigMap", "metadata.name", "A_b", Said.invalid("A_b", Said.subdomain)),
        Rule("ConfigMap", "metadata.generateName", "A_", Said.invalid("A_", Said.subdomain)),
        Rule("Namespace", "metadata.name", "a.b", Said.invalid("a.b", Said.label)),
        Rule("ConfigMap", "metadata.labels", ["a b": "c"], Said.invalid("a b", Said.qualified)),
        Rule("ConfigMap", "metadata.labels", ["/a": "c"], Said.invalid("/a", "prefix part must be non-empty")),
        Rule("ConfigMap", "metadata.labels", ["a": "-"], Said.invalid("-", Said.labelValue)),
        Rule("ConfigMap", "metadata.annotations", ["a b": "c"], Said.invalid("a b", Said.qualified)),
        Rule(
            "ConfigMap", "metadata.finalizers", ["foo"], at: "metadata.finalizers[0]",
            Said.invalid("foo", "name is neither a standard finalizer name nor is it fully qualified")),
        Rule("ConfigMap", "metadata.finalizers", ["a b"], Said.invalid("a b", Said.qualified)),
        Rule(
            "ConfigMap", "metadata.finalizers", ["orphan", "foregroundDeletion"],
            "Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and foregroundDeletion cannot be both set"
        ),
        Rule(
            "ConfigMap", "metadata.ownerReferences", [["apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""]],
            at: "metadata.ownerReferences[0].uid", Said.invalid("", "must not be empty")),
        Rule(
            "ConfigMap", "metadata.ownerReferences", [["apiVersion": "", "kind": "Pod", "name": "p", "uid": "u"]],
            at: "metadata.ownerReferences[0].apiVersion", Said.invalid("", "version must not be empty")),
        Rule(
            "ConfigMap", "metadata.ownerReferences", [["apiVersion": "v1", "kind": "Event", "name": "p", "uid": "u"]],
            at: "metadata.ownerReferences[0]",
            "Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"p\",\"uid\":\"u\"}: /v1, Kind=Event is disallowed from being an owner"
        ),
        Rule("ConfigMap", "metadata.name", "y", "Invalid value: \"y\": field is immutable", updating: []),
        Rule("ConfigMap", "data", ["a b": "c"], at: "data[a b]", Said.invalid("a b", Said.configKey)),
        Rule("ConfigMap", "data", ["": "c"], at: "data[]", Said.invalid("", Said.configKey)),
        Rule("ConfigMap", "data", ["..": "c"], at: "data[..]", Said.invalid("..", "must not be '..'")),
        Rule("ConfigMap", "data", ["..a": "c"], at: "data[..a]", Said.invalid("..a", "must not start with '..'")),
        Rule(
            "ConfigMap", "binaryData", ["k": "dg=="], at: "data[k]",
            Said.invalid("k", "duplicate of key present in binaryData")),
        Rule(
            "ConfigMap", "data", ["k": .string(String(repeating: "x", count: 1_048_577))], at: "",
            "Too long: may not be more than 1048576 bytes"),
        Rule(
            "ConfigMap", "data", ["k": "w"], "Forbidden: field is immutable when `immutable` is set",
            updating: [("immutable", true)]),
        Rule(
            "ConfigMap", "binaryData", ["l": "dg=="], "Forbidden: field is immutable when `immutable` is set",
            updating: [("immutable", true)]),
        Rule(
            "ConfigMap", "immutable", false, "Forbidden: field is immutable when `immutable` is set",
            updating: [("immutable", true)]),
        Rule("Secret", "data", ["a b": "dg=="], at: "data[a b]", Said.invalid("a b", Said.configKey)),
        Rule(
            "Secret", "data", ["k": .string(String(repeating: "eHh4", count: 350_000))],
            "Too long: may not be more than 1048576 bytes"),
        Rule("Secret", "type", "kubernetes.io/tls", at: "data[tls.crt]", "Required value"),
        Rule("Secret", "type", "kubernetes.io/tls", at: "data[tls.key]", "Required value"),
        Rule("Secret", "type", "kubernetes.io/dockerconfigjson", at: "data[.dockerconfigjson]", "Required value"),
        Rule("Secret", "type", "kubernetes.io/dockercfg", at: "data[.dockercfg]", "Required value"),
        Rule(
            "Secret", "type", "kubernetes.io/dockerconfigjson", at: "data[.dockerconfigjson]",
            Said.invalid("<secret contents redacted>", "unexpected end of JSON input"),
            with: [("data", [".dockerconfigjson": ""])]),
        Rule("Secret", "type", "kubernetes.io/ssh-auth", at: "data[ssh-privatekey]", "Required value"),
        Rule("Secret", "type", "kubernetes.io/basic-auth", at: "data[username]", "Required value"),
        Rule("Secret", "type", "kubernetes.io/basic-auth", at: "data[password]", "Required value"),
        Rule(
            "Secret", "type", "kubernetes.io/service-account-token",
            at: "metadata.annotations[kubernetes.io/service-account.name]", "Required value"),
        Rule("Secret", "type", "other", "Invalid value: \"other\": field is immutable", updating: []),
        Rule(
            "Secret", "data", ["k": "eA=="], "Forbidden: field is immutable when `immutable` is set",
            updating: [("immutable", true)]),
        Rule(
            "Secret", "immutable", nil, "Forbidden: field is immutable when `immutable` is set",
            updating: [("immutable", true)]),
        Rule("ServiceAccount", "metadata.name", "A", Said.invalid("A", Said.subdomain)),
        Rule(
            "Namespace", "spec.finalizers", ["foo"],
            Said.invalid("foo", "name is neither a standard finalizer name nor is it fully qualified")),
        Rule(
            "Namespace", "status.phase", "Gone", at: "status.Phase",
            Said.invalid("Gone", "may only be 'Active' if `deletionTimestamp` is empty"), updating: []),
    ])
    func metadataAndData(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule(
            "Service", "metadata.name", "1a",
            Said.invalid(
                "1a",
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
            )),
        Rule("Service", "spec.ports", [], "Required value"),
        Rule("Service", "spec.ports", [["port": 1], ["port": 2]], at: "spec.ports[0].name", "Required value"),
        Rule(
            "Service", "spec.ports", [["name": "a", "port": 1], ["name": "a", "port": 2]], at: "spec.ports[1].name",
            "Duplicate value: \"a\""),
        Rule("Service", "\(At.p).name", "A", Said.invalid("A", Said.label)),
        Rule("Service", "\(At.p).port", 0, "Invalid value: 0: \(Said.port)"),
        Rule("Service", "\(At.p).targetPort", 70_000, "Invalid value: 70000: \(Said.port)"),
        Rule("Service", "\(At.p).targetPort", "A", Said.invalid("A", "must contain at least one letter (a-z)")),
        Rule("Service", "\(At.p).protocol", "X", Said.unsupported("X", "SCTP", "TCP", "UDP")),
        Rule("Service", "\(At.p).appProtocol", "a b", Said.invalid("a b", Said.qualified)),
        Rule("Service", "\(At.p).nodePort", 30_000, "Forbidden: may not be used when `type` is 'ClusterIP'"),
        Rule(
            "Service", "spec.ports[1]", ["name": "q", "port": 80], at: "spec.ports[1]",
            "Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}"),
        Rule(
            "Service", "spec.ports",
            [["name": "a", "port": 1, "nodePort": 30_000], ["name": "b", "port": 2, "nodePort": 30_000]],
            at: "spec.ports[1].nodePort", "Duplicate value: 30000", with: [("spec.type", "NodePort")]),
        Rule(
            "Service", "spec.type", "X", Said.unsupported("X", "ClusterIP", "ExternalName", "LoadBalancer", "NodePort")),
        Rule(
            "Service", "spec.clusterIP", "None", at: "spec.clusterIPs[0]",
            Said.invalid("None", "may not be set to 'None' for NodePort services"), with: [("spec.type", "NodePort")]),
        Rule(
            "Service", "spec.externalName", "", "Required value",
            with: [("spec.type", "ExternalName"), ("spec.ports", [])]),
        Rule(
            "Service", "spec.externalName", "A_", Said.invalid("A_", Said.subdomain),
            with: [("spec.type", "ExternalName")]),
        Rule(
            "Service", "spec.clusterIPs", ["10.0.0.1"], "Forbidden: may not be set for ExternalName services",
            with: [("spec.type", "ExternalName"), ("spec.externalName", "a.b")]),
        Rule("Service", "spec.selector", ["a b": "c"], Said.invalid("a b", Said.qualified)),
        Rule("Service", "spec.sessionAffinity", "X", Said.unsupported("X", "ClientIP", "None")),
        Rule(
            "Service", "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 86_401,
            "Invalid value: 86401: must be greater than 0 and less than 86400",
            with: [("spec.sessionAffinity", "ClientIP")]),
        Rule(
            "Service", "spec.ipFamilies", ["IPv5"], at: "spec.ipFamilies[0]", Said.unsupported("IPv5", "IPv4", "IPv6")),
        Rule("Service", "spec.ipFamilies", ["IPv4", "IPv4"], at: "spec.ipFamilies[1]", "Duplicate value: \"IPv4\""),
        Rule(
            "Service", "spec.ipFamilyPolicy", "X",
            Said.unsupported("X", "PreferDualStack", "RequireDualStack", "SingleStack")),
        Rule("Service", "spec.externalIPs", ["x"], at: "spec.externalIPs[0]", Said.invalid("x", Said.address)),
        Rule(
            "Service", "spec.loadBalancerSourceRanges", ["10.0.0.0/8"], at: "spec.LoadBalancerSourceRanges",
            "Forbidden: may only be used when `type` is 'LoadBalancer'"),
        Rule(
            "Service", "spec.loadBalancerSourceRanges", ["x"], at: "spec.LoadBalancerSourceRanges[0]",
            Said.invalid("x", Said.network), with: [("spec.type", "LoadBalancer")]),
        Rule(
            "Service", "spec.allocateLoadBalancerNodePorts", true,
            "Forbidden: may only be used when `type` is 'LoadBalancer'"),
        Rule("Service", "spec.loadBalancerClass", "a", "Forbidden: may only be used when `type` is 'LoadBalancer'"),
        Rule(
            "Service", "spec.externalTrafficPolicy", "Local",
            Said.invalid("Local", "may only be set for externally-accessible services")),
        Rule(
            "Service", "spec.externalTrafficPolicy", "X", Said.unsupported("X", "Cluster", "Local"),
            with: [("spec.type", "NodePort")]),
        Rule(
            "Service", "spec.healthCheckNodePort", 30_000,
            "Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        ),
        Rule("Service", "spec.internalTrafficPolicy", "X", Said.unsupported("X", "Cluster", "Local")),
        Rule(
            "Service", "spec.trafficDistribution", "X",
            Said.unsupported("X", "PreferClose", "PreferSameZone", "PreferSameNode")),
        Rule(
            "Service", "spec.clusterIP", "10.0.0.2", at: "spec.clusterIPs[0]",
            "Invalid value: [\"10.0.0.2\"]: may not change once set", updating: [("spec.clusterIP", "10.0.0.1")]),
        Rule(
            "Service", "spec.clusterIPs", ["10.0.0.2"],
            "Invalid value: [\"10.0.0.2\"]: first value must match `clusterIP`", with: [("spec.clusterIP", "10.0.0.1")]),
    ])
    func services(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule(
            "Endpoints", "subsets", [["ports": [["port": 1]]]], at: "subsets[0]",
            "Required value: must specify `addresses` or `notReadyAddresses`"),
        Rule("Endpoints", "subsets[0].addresses[0].ip", "x", Said.invalid("x", Said.address)),
        Rule("Endpoints", "subsets[0].addresses[0].hostname", "A", Said.invalid("A", Said.label)),
        Rule("Endpoints", "subsets[0].ports[0].port", 0, "Invalid value: 0: \(Said.port)"),
        Rule("Endpoints", "subsets[0].ports[0].protocol", "X", Said.unsupported("X", "SCTP", "TCP", "UDP")),
        Rule(
            "Endpoints", "subsets[0].ports", [["port": 1], ["port": 2]], at: "subsets[0].ports[0].name",
            "Required value"),
        Rule("EndpointSlice", "addressType", "", "Required value"),
        Rule("EndpointSlice", "addressType", "X", Said.unsupported("X", "FQDN", "IPv4", "IPv6")),
        Rule("EndpointSlice", "addressType", "IPv6", "Invalid value: \"IPv6\": field is immutable", updating: []),
        Rule("EndpointSlice", "endpoints[0].addresses", [], "Required value: must contain at least 1 address"),
        Rule(
            "EndpointSlice", "endpoints[0].addresses", ["::1"], at: "endpoints[0].addresses[0]",
            Said.invalid("::1", "must be a valid IPv4 address")),
        Rule(
            "EndpointSlice", "endpoints[0].addresses", .array(Array(repeating: "10.0.0.1", count: 101)),
            "Too many: 101: must have at most 100 items"),
        Rule(
            "EndpointSlice", "endpoints", .array(Array(repeating: ["addresses": ["10.0.0.1"]], count: 1001)),
            "Too many: 1001: must have at most 1000 items"),
        Rule("EndpointSlice", "endpoints[0].hostname", "A", Said.invalid("A", Said.label)),
        Rule("EndpointSlice", "endpoints[0].nodeName", "A", Said.invalid("A", Said.subdomain)),
        Rule("EndpointSlice", "ports[1]", ["name": "p", "port": 81], at: "ports[1].name", "Duplicate value: \"p\""),
        Rule("EndpointSlice", "ports[0].port", 70_000, "Invalid value: 70000: \(Said.port)"),
        Rule("EndpointSlice", "ports[0].protocol", "X", Said.unsupported("X", "SCTP", "TCP", "UDP")),
        Rule("Lease", "spec.leaseDurationSeconds", 0, "Invalid value: 0: must be greater than 0"),
        Rule("Lease", "spec.leaseTransitions", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule(
            "Ingress", "spec", .object([:]), "Invalid value: null: either `defaultBackend` or `rules` must be specified"
        ),
        Rule(
            "Ingress", "\(At.rule0).host", "1.2.3.4", Said.invalid("1.2.3.4", "must be a DNS name, not an IP address")),
        Rule("Ingress", "\(At.rule0).host", "A_", Said.invalid("A_", Said.subdomain)),
        Rule("Ingress", "\(At.rule0).host", "a.*.b", Said.invalid("a.*.b", At.wildcard)),
        Rule("Ingress", "\(At.rule0).http.paths", [], "Required value"),
        Rule("Ingress", "\(At.path0).pathType", nil, "Required value: pathType must be specified"),
        Rule(
            "Ingress", "\(At.path0).pathType", "X", Said.unsupported("X", "Exact", "ImplementationSpecific", "Prefix")),
        Rule("Ingress", "\(At.path0).path", "a", Said.invalid("a", "must be an absolute path")),
        Rule("Ingress", "\(At.path0).path", "/a//b", Said.invalid("/a//b", "must not contain '//'")),
        Rule("Ingress", "\(At.path0).path", "/a/..", Said.invalid("/a/..", "cannot end with '/..'")),
        Rule(
            "Ingress", "\(At.path0).backend", .object([:]),
            "Invalid value: \"\": resource or service backend is required"),
        Rule(
            "Ingress", "\(At.path0).backend.resource", ["kind": "k", "name": "n"], at: "\(At.path0).backend",
            "Invalid value: \"\": cannot set both resource and service backends"),
        Rule("Ingress", "\(At.path0).backend.service.name", "", "Required value"),
        Rule(
            "Ingress", "\(At.path0).backend.service.port", .object([:]), at: "\(At.path0).backend",
            "Required value: port name or number is required"),
        Rule(
            "Ingress", "\(At.path0).backend.service.port", ["name": "a", "number": 1], at: "\(At.path0).backend",
            "Invalid value: \"\": cannot set both port name & port number"),
        Rule("Ingress", "spec.defaultBackend.service.port.number", 70_000, "Invalid value: 70000: \(Said.port)"),
        Rule("Ingress", "spec.tls[0].hosts", ["A"], at: "spec.tls[0].hosts[0]", Said.invalid("A", Said.subdomain)),
        Rule("Ingress", "spec.ingressClassName", "A", Said.invalid("A", Said.subdomain)),
        Rule("IngressClass", "spec.controller", "", "Required value"),
        Rule(
            "IngressClass", "spec.controller", "a",
            Said.invalid("a", "must be a domain-prefixed path (such as \"acme.io/foo\")")),
        Rule("IngressClass", "spec.controller", "a.b/d", "Invalid value: \"a.b/d\": field is immutable", updating: []),
        Rule(
            "IngressClass", "spec.parameters", ["kind": "", "name": "n"], at: "spec.parameters.kind",
            "Required value: kind is required"),
        Rule(
            "NetworkPolicy", "spec.policyTypes", ["X"], at: "spec.policyTypes[0]",
            Said.unsupported("X", "Egress", "Ingress")),
        Rule(
            "NetworkPolicy", "spec.policyTypes", ["Ingress", "Egress", "Ingress"],
            "Invalid value: [\"Ingress\",\"Egress\",\"Ingress\"]: may not specify more than two policyTypes"),
        Rule("NetworkPolicy", "spec.podSelector.matchLabels", ["a b": "c"], Said.invalid("a b", Said.qualified)),
        Rule("NetworkPolicy", "spec.ingress[0].ports[0].port", 0, "Invalid value: 0: \(Said.port)"),
        Rule("NetworkPolicy", "spec.ingress[0].ports[0].protocol", "X", Said.unsupported("X", "TCP", "UDP", "SCTP")),
        Rule(
            "NetworkPolicy", "spec.ingress[0].ports[0].endPort", 79,
            "Invalid value: 79: must be greater than or equal to `port`"),
        Rule(
            "NetworkPolicy", "spec.ingress[0].ports[0]", ["port": "a", "endPort": 80],
            at: "spec.ingress[0].ports[0].endPort", "Invalid value: 80: may not be specified when `port` is non-numeric"
        ),
        Rule("NetworkPolicy", "spec.ingress[0].from[0].ipBlock.cidr", "", "Required value"),
        Rule("NetworkPolicy", "spec.ingress[0].from[0].ipBlock.cidr", "x", Said.invalid("x", Said.network)),
        Rule(
            "NetworkPolicy", "spec.ingress[0].from[0].ipBlock.except", ["11.0.0.0/16"],
            at: "spec.ingress[0].from[0].ipBlock.except[0]",
            Said.invalid("11.0.0.0/16", "must be a strict subset of `cidr`")),
        Rule(
            "NetworkPolicy", "spec.ingress[0].from[0].podSelector", .object([:]), at: "spec.ingress[0].from[0]",
            "Forbidden: may not specify both ipBlock and another peer"),
        Rule(
            "NetworkPolicy", "spec.egress[0].to", [.object([:])], at: "spec.egress[0].to[0]",
            "Required value: must specify a peer"),
    ])
    func networking(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule("PersistentVolumeClaim", "spec.accessModes", [], "Required value: at least 1 access mode is required"),
        Rule(
            "PersistentVolumeClaim", "spec.accessModes", ["X"],
            Said.unsupported("X", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")),
        Rule(
            "PersistentVolumeClaim", "spec.accessModes", ["ReadWriteOncePod", "ReadWriteOnce"],
            "Forbidden: may not use ReadWriteOncePod with other access modes"),
        Rule(
            "PersistentVolumeClaim", "spec.resources.requests", .object([:]), at: "spec.resources[storage]",
            "Required value"),
        Rule(
            "PersistentVolumeClaim", "spec.resources.requests.storage", "0", at: "spec.resources[storage]",
            Said.invalid("0", "must be greater than zero")),
        Rule("PersistentVolumeClaim", "spec.volumeMode", "X", Said.unsupported("X", "Block", "Filesystem")),
        Rule("PersistentVolumeClaim", "spec.storageClassName", "A", Said.invalid("A", Said.subdomain)),
        Rule("PersistentVolumeClaim", "spec.selector.matchLabels", ["a b": "c"], Said.invalid("a b", Said.qualified)),
        Rule(
            "PersistentVolumeClaim", "spec.dataSource", ["kind": "K", "name": "n"],
            Said.invalid("K", "must be 'PersistentVolumeClaim' when referencing the default apiGroup")),
        Rule(
            "PersistentVolumeClaim", "spec.dataSource", ["kind": "PersistentVolumeClaim", "name": ""],
            at: "spec.dataSource.name", "Required value"),
        Rule(
            "PersistentVolumeClaim", "spec.dataSource", ["kind": "PersistentVolumeClaim", "name": "a"], at: "spec",
            Said.invalid("spec.dataSource", "must match dataSourceRef"),
            with: [("spec.dataSourceRef", ["kind": "PersistentVolumeClaim", "name": "b"])]),
        Rule(
            "PersistentVolumeClaim", "spec.accessModes", ["ReadOnlyMany"], at: "spec",
            "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
            updating: []),
        Rule(
            "PersistentVolumeClaim", "spec.resources.requests.storage", "1Mi", at: "spec.resources.requests.storage",
            "Forbidden: field can not be less than status.capacity",
            updating: [("status.phase", "Bound"), ("status.capacity", ["storage": "1Gi"])]),
        Rule("PersistentVolume", "spec.accessModes", [], "Required value"),
        Rule("PersistentVolume", "spec.capacity", .object([:]), "Required value"),
        Rule(
            "PersistentVolume", "spec.capacity.storage", "0", at: "spec.capacity[storage]",
            Said.invalid("0", "must be greater than zero")),
        Rule("PersistentVolume", "spec.hostPath", nil, at: "spec", "Required value: must specify a volume type"),
        Rule(
            "PersistentVolume", "spec.nfs", ["server": "s", "path": "/"],
            "Forbidden: may not specify more than 1 volume type"),
        Rule("PersistentVolume", "spec.hostPath.path", "/..", Said.invalid("/..", "must not contain '..'")),
        Rule(
            "PersistentVolume", "spec.persistentVolumeReclaimPolicy", "X",
            Said.unsupported("X", "Delete", "Recycle", "Retain")),
        Rule(
            "PersistentVolume", "spec.persistentVolumeReclaimPolicy", "Recycle",
            "Forbidden: may not be 'recycle' for a hostPath mount of '/'", with: [("spec.hostPath.path", "/")]),
        Rule(
            "PersistentVolume", "spec.local", ["path": "/x"], at: "spec.nodeAffinity",
            "Required value: Local volume requires node affinity", with: [("spec.hostPath", nil)]),
        Rule(
            "PersistentVolume", "spec.nodeAffinity", .object([:]), at: "spec.nodeAffinity.required",
            "Required value: must specify required node constraints"),
        Rule(
            "PersistentVolume", "spec.csi", ["driver": "d", "volumeHandle": ""], at: "spec.csi.volumeHandle",
            "Required value", with: [("spec.hostPath", nil)]),
        Rule("PersistentVolume", "spec.volumeMode", "X", Said.unsupported("X", "Block", "Filesystem")),
        Rule("PersistentVolume", "spec.storageClassName", "A", Said.invalid("A", Said.subdomain)),
        Rule(
            "PersistentVolume", "spec.hostPath.path", "/y", at: "spec.persistentvolumesource",
            "Forbidden: spec.persistentvolumesource is immutable after creation", updating: []),
        Rule("StorageClass", "provisioner", "", "Required value"),
        Rule("StorageClass", "provisioner", "a b", Said.invalid("a b", Said.qualified)),
        Rule("StorageClass", "reclaimPolicy", "X", Said.unsupported("X", "Delete", "Retain")),
        Rule("StorageClass", "volumeBindingMode", "X", Said.unsupported("X", "Immediate", "WaitForFirstConsumer")),
        Rule(
            "StorageClass", "allowedTopologies", [["matchLabelExpressions": [["key": "k", "values": []]]]],
            at: "allowedTopologies[0].matchLabelExpressions[0].values", "Required value"),
        Rule(
            "StorageClass", "allowedTopologies", [["matchLabelExpressions": [["key": "k", "values": ["a", "a"]]]]],
            at: "allowedTopologies[0].matchLabelExpressions[0].values[1]", "Duplicate value: \"a\""),
        Rule(
            "StorageClass", "parameters", ["a": "c"], "Forbidden: updates to parameters are forbidden.",
            updating: [("parameters", ["a": "b"])]),
        Rule("StorageClass", "provisioner", "z", "Forbidden: updates to provisioner are forbidden.", updating: []),
        Rule(
            "StorageClass", "reclaimPolicy", "Retain", "Forbidden: updates to reclaimPolicy are forbidden.",
            updating: []),
        Rule(
            "StorageClass", "volumeBindingMode", "WaitForFirstConsumer",
            "Invalid value: \"WaitForFirstConsumer\": field is immutable", updating: []),
        Rule("VolumeAttributesClass", "driverName", "", "Required value"),
        Rule(
            "VolumeAttributesClass", "parameters", .object([:]),
            "Required value: must contain at least one key/value pair"),
        Rule(
            "VolumeAttributesClass", "parameters", ["k": "w"], "Forbidden: updates to parameters are forbidden.",
            updating: []),
        Rule("CSIDriver", "spec.fsGroupPolicy", "X", Said.unsupported("X", "File", "None", "ReadWriteOnceWithFSType")),
        Rule("CSIDriver", "spec.attachRequired", false, "Invalid value: false: field is immutable", updating: []),
        Rule("CSINode", "spec.drivers[0].name", "", "Required value"),
        Rule("CSINode", "spec.drivers[0].nodeID", "", "Required value"),
        Rule(
            "CSINode", "spec.drivers[1]", ["name": "a.b", "nodeID": "m"], at: "spec.drivers[1].name",
            "Duplicate value: \"a.b\""),
        Rule("VolumeAttachment", "spec.attacher", "", "Required value"),
        Rule("VolumeAttachment", "spec.nodeName", "", "Required value"),
        Rule(
            "VolumeAttachment", "spec.source", .object([:]),
            "Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
    ])
    func storage(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule(
            "ResourceQuota", "spec.hard", ["foo": "1"], at: "spec.hard[foo]",
            Said.invalid("foo", "must be a standard resource for quota")),
        Rule("ResourceQuota", "spec.hard", ["a b": "1"], at: "spec.hard[a b]", Said.invalid("a b", Said.qualified)),
        Rule("ResourceQuota", "spec.hard", ["pods": "-1"], at: "spec.hard[pods]", Said.invalid("-1", Said.notNegative)),
        Rule(
            "ResourceQuota", "spec.hard", ["pods": "500m"], at: "spec.hard[pods]",
            Said.invalid("500m", "must be an integer")),
        Rule("ResourceQuota", "spec.scopes", ["X"], "Invalid value: [\"X\"]: unsupported scope"),
        Rule(
            "ResourceQuota", "spec.scopes", ["Terminating"],
            "Invalid value: [\"Terminating\"]: unsupported scope applied to resource",
            with: [("spec.hard", ["services": "1"])]),
        Rule(
            "ResourceQuota", "spec.scopes", ["BestEffort", "NotBestEffort"],
            "Invalid value: [\"BestEffort\",\"NotBestEffort\"]: conflicting scopes"),
        Rule(
            "ResourceQuota", "spec.scopes", ["BestEffort"], "Invalid value: [\"BestEffort\"]: field is immutable",
            updating: []),
        Rule(
            "ResourceQuota", "spec.scopeSelector.matchExpressions", [["scopeName": "X", "operator": "Exists"]],
            at: "spec.scopeSelector.matchExpressions.scopeName", Said.invalid("X", "unsupported scope")),
        Rule(
            "ResourceQuota", "spec.scopeSelector.matchExpressions",
            [["scopeName": "BestEffort", "operator": "In", "values": ["a"]]],
            at: "spec.scopeSelector.matchExpressions.operator",
            Said.invalid(
                "In",
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
            )),
        Rule(
            "ResourceQuota", "spec.scopeSelector.matchExpressions", [["scopeName": "PriorityClass", "operator": "In"]],
            at: "spec.scopeSelector.matchExpressions.values",
            "Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"),
        Rule(
            "ResourceQuota", "spec.scopeSelector.matchExpressions",
            [["scopeName": "PriorityClass", "operator": "Exists", "values": ["a"]]],
            at: "spec.scopeSelector.matchExpressions.values",
            "Invalid value: [\"a\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"),
        Rule(
            "ResourceQuota", "spec.scopeSelector.matchExpressions", [["scopeName": "PriorityClass", "operator": "X"]],
            at: "spec.scopeSelector.matchExpressions.operator", Said.invalid("X", "not a valid selector operator")),
        Rule(
            "LimitRange", "\(At.limit).type", "X", Said.invalid("X", "must be a standard limit type or fully qualified")
        ),
        Rule(
            "LimitRange", "spec.limits[1]", ["type": "Container"], at: "spec.limits[1].type",
            "Duplicate value: \"Container\""),
        Rule(
            "LimitRange", "\(At.limit).min", ["foo": "1"], at: "\(At.limit).min[foo]",
            Said.invalid("foo", "must be a standard resource for containers")),
        Rule(
            "LimitRange", "\(At.limit).min", ["cpu": "3"], at: "\(At.limit).min[cpu]",
            Said.invalid("3", "min value 3 is greater than max value 2")),
        Rule(
            "LimitRange", "\(At.limit).default", ["cpu": "3"], at: "\(At.limit).default[cpu]",
            Said.invalid("2", "default value 3 is greater than max value 2")),
        Rule(
            "LimitRange", "\(At.limit).default", ["cpu": "500m"], at: "\(At.limit).default[cpu]",
            Said.invalid("1", "min value 1 is greater than default value 500m")),
        Rule(
            "LimitRange", "\(At.limit).defaultRequest", ["cpu": "500m"], at: "\(At.limit).defaultRequest[cpu]",
            Said.invalid("500m", "min value 1 is greater than default request value 500m")),
        Rule(
            "LimitRange", "\(At.limit).defaultRequest", ["cpu": "3"], at: "\(At.limit).defaultRequest[cpu]",
            Said.invalid("3", "default request value 3 is greater than max value 2")),
        Rule(
            "LimitRange", "\(At.limit).defaultRequest", ["cpu": "2"], at: "\(At.limit).defaultRequest[cpu]",
            Said.invalid("2", "default request value 2 is greater than default limit value 1500m"),
            with: [("\(At.limit).default", ["cpu": "1500m"])]),
        Rule(
            "LimitRange", "\(At.limit).maxLimitRequestRatio", ["cpu": "500m"],
            at: "\(At.limit).maxLimitRequestRatio[cpu]",
            Said.invalid("500m", "ratio 500m is less than 1")),
        Rule(
            "LimitRange", "\(At.limit).maxLimitRequestRatio", ["cpu": "3"], at: "\(At.limit).maxLimitRequestRatio[cpu]",
            Said.invalid("3", "ratio 3 is greater than max/min = 2.000000")),
        Rule(
            "LimitRange", "\(At.limit)", ["type": "Pod", "default": ["cpu": "1"]], at: "\(At.limit).default",
            "Forbidden: may not be specified when `type` is 'Pod'"),
        Rule(
            "LimitRange", "\(At.limit)", ["type": "Pod", "defaultRequest": ["cpu": "1"]],
            at: "\(At.limit).defaultRequest",
            "Forbidden: may not be specified when `type` is 'Pod'"),
        Rule(
            "LimitRange", "\(At.limit)", ["type": "PersistentVolumeClaim"], at: "\(At.limit).limits",
            "Required value: either minimum or maximum storage value is required, but neither was provided"),
        Rule(
            "PriorityClass", "value", 1_000_000_001,
            "Forbidden: maximum allowed value of a user defined priority is 1000000000"),
        Rule(
            "PriorityClass", "metadata.name", "system-x",
            "Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class"
        ),
        Rule(
            "PriorityClass", "metadata.name", "system-node-critical",
            "Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be 2000001000"
        ),
        Rule("PriorityClass", "preemptionPolicy", "X", Said.unsupported("X", "PreemptLowerPriority", "Never")),
        Rule("PriorityClass", "value", 2, at: "Value", "Forbidden: may not be changed in an update.", updating: []),
        Rule(
            "PriorityClass", "preemptionPolicy", "Never", "Invalid value: \"Never\": field is immutable", updating: []),
        Rule("RuntimeClass", "handler", "A", Said.invalid("A", Said.label)),
        Rule("RuntimeClass", "handler", "i", "Invalid value: \"i\": field is immutable", updating: []),
        Rule(
            "RuntimeClass", "overhead.podFixed", ["foo": "1"], at: "overhead.podFixed[foo]",
            Said.invalid("foo", "must be a standard resource for containers")),
        Rule(
            "RuntimeClass", "scheduling.tolerations", [["operator": "Exists"], ["operator": "Exists"]],
            at: "scheduling.tolerations[1]", "Duplicate value: {\"operator\":\"Exists\"}"),
        Rule("Node", "spec.taints[0].key", "a b", at: "metadata.taints[0].key", Said.invalid("a b", Said.qualified)),
        Rule("Node", "spec.taints[0].effect", "", at: "metadata.taints[0].effect", "Required value"),
        Rule(
            "Node", "spec.taints[0].effect", "X", at: "metadata.taints[0].effect",
            Said.unsupported("X", "NoSchedule", "PreferNoSchedule", "NoExecute")),
        Rule(
            "Node", "spec.taints[1]", ["key": "k", "effect": "NoSchedule"], at: "metadata.taints[1]",
            "Duplicate value: {\"effect\":\"NoSchedule\",\"key\":\"k\"}: taints must be unique by key and effect pair"),
        Rule("Node", "status.capacity.cpu", "-1", Said.invalid("-1", Said.notNegative)),
        Rule("Node", "spec.podCIDRs", ["x"], at: "spec.podCIDRs[0]", Said.invalid("x", Said.network)),
        Rule(
            "Node", "spec.podCIDRs", ["10.1.0.0/16"],
            "Forbidden: node updates may not change podCIDR except from \"\" to valid",
            updating: [("spec.podCIDRs", ["10.0.0.0/16"])]),
        Rule(
            "Node", "spec.providerID", "b",
            "Forbidden: node updates may not change providerID except from \"\" to valid",
            updating: [("spec.providerID", "a")]),
    ])
    func policies(rule: Rule) throws { try rule.check() }

    @Test(arguments: [
        Rule("Deployment", "\(At.t).image", "", "Required value"),
        Rule("Deployment", "spec.replicas", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule("Deployment", "spec.selector", nil, "Required value"),
        Rule(
            "Deployment", "spec.selector", .object([:]), "Invalid value: {}: empty selector is invalid for deployment"),
        Rule(
            "Deployment", "spec.template.metadata.labels", ["a": "c"],
            "Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`"),
        Rule(
            "Deployment", "spec.template.metadata.labels", ["a": "b", "c d": "e"], at: "spec.template.labels",
            Said.invalid("c d", Said.qualified)),
        Rule(
            "Deployment", "spec.template.metadata.annotations", ["c d": "e"], at: "spec.template.annotations",
            Said.invalid("c d", Said.qualified)),
        Rule("Deployment", "spec.template.spec.restartPolicy", "Never", Said.unsupported("Never", "Always")),
        Rule(
            "Deployment", "spec.template.spec.activeDeadlineSeconds", 1,
            "Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"),
        Rule(
            "Deployment", "spec.template.spec.ephemeralContainers", [["name": "e", "image": "i"]],
            "Forbidden: ephemeral containers not allowed in pod template"),
        Rule(
            "Deployment", "spec.strategy", ["type": "X"], at: "spec.strategy.type",
            Said.unsupported("X", "Recreate", "RollingUpdate")),
        Rule(
            "Deployment", "spec.strategy", ["type": "Recreate", "rollingUpdate": ["maxSurge": 1]],
            at: "spec.strategy.rollingUpdate", "Forbidden: may not be specified when strategy `type` is 'Recreate'"),
        Rule(
            "Deployment", "spec.strategy.rollingUpdate", ["maxSurge": 0, "maxUnavailable": 0],
            at: "spec.strategy.rollingUpdate.maxUnavailable", "Invalid value: 0: may not be 0 when `maxSurge` is 0"),
        Rule(
            "Deployment", "spec.strategy.rollingUpdate.maxUnavailable", "101%",
            "Invalid value: \"101%\": must not be greater than 100%"),
        Rule(
            "Deployment", "spec.strategy.rollingUpdate.maxSurge", "x",
            Said.invalid(
                "x",
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            )),
        Rule("Deployment", "spec.minReadySeconds", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule("Deployment", "spec.revisionHistoryLimit", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule(
            "Deployment", "spec.progressDeadlineSeconds", 5, "Invalid value: 5: must be greater than minReadySeconds",
            with: [("spec.minReadySeconds", 6)]),
        Rule(
            "Deployment", "spec.selector.matchLabels", ["a": "b", "c": "d"], at: "spec.selector",
            "Invalid value: {\"matchLabels\":{\"a\":\"b\",\"c\":\"d\"}}: field is immutable",
            with: [("spec.template.metadata.labels", ["a": "b", "c": "d"])], updating: []),
        Rule("ReplicaSet", "spec.replicas", -1, "Invalid value: -1: \(Said.notNegative)"),
        Rule("ReplicaSet", "\(At.t).name", "", "Required value"),
        Rule("ReplicationController", "spec.template", nil, "Required value"),
        Rule(
            "ReplicationController", "spec.selector", ["a": "c"], at: "spec.template.metadata.labels",
            "Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`"),
        Rule("PodTemplate", "template.spec.containers[0].image", "", "Required value"),
        Rule(
            "PodTemplate", "template.metadata.labels", ["c d": "e"], at: "template.labels",
            Said.invalid("c d", Said.qualified)),
    ])
    func workloads(rule: Rule) throws { try rule.check() }
}
