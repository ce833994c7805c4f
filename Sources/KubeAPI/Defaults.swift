// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Fills in the values that Kubernetes gives to fields which the client left out.
///
/// Source: Kubernetes API reference ("Defaults to …") and API conventions, "Defaulting". Applied after
/// ``ObjectValidation/check(_:type:schema:)``; an empty string and a missing value are the same. Idempotent.
package enum Defaults {
    /// Applies the defaults of the object's kind; objects of other kinds are left as they are.
    package static func apply(_ object: inout JSONValue, _ kind: GroupVersionKind) {
        switch (kind.group, kind.kind) {
        case ("", "Pod"): pod(&object)
        case ("", "PodTemplate"): podSpec(&object["template"]["spec"])
        case ("", "ReplicationController"): replicationController(&object)
        case ("", "Service"): service(&object["spec"])
        case ("", "Secret"): secret(&object)
        case ("", "Namespace"): namespace(&object)
        case ("", "Node"):
            if object["status"]["allocatable"].isEmpty {
                object["status"]["allocatable"] = object["status"]["capacity"]
            }
        case ("", "Endpoints"):
            object["subsets"].forEachElement { $0["ports"].forEachElement { $0["protocol"].setDefault("TCP") } }
        case ("", "PersistentVolumeClaim"):
            claimSpec(&object["spec"])
            object["status"]["phase"].setDefault("Pending")
        case ("", "PersistentVolume"):
            object["spec"]["persistentVolumeReclaimPolicy"].setDefault("Retain")
            object["spec"]["volumeMode"].setDefault("Filesystem")
            object["status"]["phase"].setDefault("Pending")
            hostPath(&object["spec"])
        case ("", "LimitRange"): limitRange(&object["spec"])
        case ("apps", "Deployment"): deployment(&object["spec"])
        case ("apps", "ReplicaSet"):
            object["spec"]["replicas"].setDefault(1)
            podSpec(&object["spec"]["template"]["spec"])
        case ("apps", "StatefulSet"): statefulSet(&object["spec"])
        case ("apps", "DaemonSet"): daemonSet(&object["spec"])
        case ("batch", "Job"): job(&object)
        case ("batch", "CronJob"): cronJob(&object["spec"])
        case ("discovery.k8s.io", "EndpointSlice"):
            object["ports"].forEachElement {
                if $0["name"].isNull { $0["name"] = "" }
                $0["protocol"].setDefault("TCP")
            }
        case ("autoscaling", "HorizontalPodAutoscaler"):
            autoscaler(&object["spec"], version: kind.version)
        case ("rbac.authorization.k8s.io", "RoleBinding"), ("rbac.authorization.k8s.io", "ClusterRoleBinding"):
            roleBinding(&object)
        case ("storage.k8s.io", "StorageClass"):
            object["reclaimPolicy"].setDefault("Delete")
            object["volumeBindingMode"].setDefault("Immediate")
        case ("storage.k8s.io", "CSIDriver"): driver(&object["spec"])
        case ("scheduling.k8s.io", "PriorityClass"): object["preemptionPolicy"].setDefault("PreemptLowerPriority")
        case ("networking.k8s.io", "NetworkPolicy"): networkPolicy(&object["spec"])
        case ("networking.k8s.io", "IngressClass"):
            if object["spec"]["parameters"].object != nil {
                object["spec"]["parameters"]["scope"].setDefault("Cluster")
            }
        case ("resource.k8s.io", "ResourceClaim"): deviceClaim(&object["spec"]["devices"])
        case ("resource.k8s.io", "ResourceClaimTemplate"): deviceClaim(&object["spec"]["spec"]["devices"])
        case ("authentication.k8s.io", "TokenRequest"): object["spec"]["expirationSeconds"].setDefault(3600)
        default: break
        }
    }

    private static func replicationController(_ object: inout JSONValue) {
        let labels = object["spec"]["template"]["metadata"]["labels"]
        if object["spec"]["selector"].isEmpty { object["spec"]["selector"] = labels }
        if object["metadata"]["labels"].isEmpty { object["metadata"]["labels"] = labels }
        object["spec"]["replicas"].setDefault(1)
        guard !object["spec"]["template"].isNull else { return }
        podSpec(&object["spec"]["template"]["spec"])
    }

    /// What a container gets where it says nothing follows from its bounds, as far as that is not stated.
    private static func limitRange(_ spec: inout JSONValue) {
        spec["limits"].forEachElement { item in
            guard item["type"] == "Container" else { return }
            for (bound, filled) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
                for (name, amount) in item[bound].members where item[filled][name].isNull {
                    item[filled][name] = amount
                }
            }
        }
    }

    private static func service(_ spec: inout JSONValue) {
        spec["sessionAffinity"].setDefault("None")
        spec["type"].setDefault("ClusterIP")
        let type = spec["type"].string ?? ""
        if spec["sessionAffinity"] == "None" {
            spec["sessionAffinityConfig"] = nil
        } else {
            spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].setDefault(10_800)
        }
        spec["ports"].forEachElement { port in
            port["protocol"].setDefault("TCP")
            if port["targetPort"].isNull || port["targetPort"] == 0 || port["targetPort"] == "" {
                port["targetPort"] = port["port"]
            }
        }
        if type == "NodePort" || type == "LoadBalancer" { spec["externalTrafficPolicy"].setDefault("Cluster") }
        if type == "LoadBalancer" { spec["allocateLoadBalancerNodePorts"].setDefault(true) }
        if type != "ExternalName" {
            spec["internalTrafficPolicy"].setDefault("Cluster")
            spec["ipFamilyPolicy"].setDefault("SingleStack")
            if spec["ipFamilies"].isEmpty { spec["ipFamilies"] = ["IPv4"] }
        }
    }

    private static func secret(_ object: inout JSONValue) {
        object["type"].setDefault("Opaque")
        for (key, text) in object["stringData"].stringMembers {
            object["data"][key] = .string(Base64.encode(text.utf8))
        }
        object["stringData"] = nil
    }

    private static func namespace(_ object: inout JSONValue) {
        if let name = object["metadata"]["name"].string, !name.isEmpty {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = .string(name)
        }
        if object["spec"]["finalizers"].isNull, object["metadata"]["deletionTimestamp"].isNull {
            object["spec"]["finalizers"] = ["kubernetes"]
        }
        object["status"]["phase"].setDefault("Active")
    }

    static func claimSpec(_ spec: inout JSONValue) {
        spec["volumeMode"].setDefault("Filesystem")
    }

    static func hostPath(_ volume: inout JSONValue) {
        if case .object = volume["hostPath"], volume["hostPath"]["type"].isNull { volume["hostPath"]["type"] = "" }
    }

    private static func driver(_ spec: inout JSONValue) {
        if spec["attachRequired"].isNull { spec["attachRequired"] = true }
        for flag in ["podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"] where spec[flag].isNull {
            spec[flag] = false
        }
        spec["fsGroupPolicy"].setDefault("ReadWriteOnceWithFSType")
        if spec["volumeLifecycleModes"].isEmpty { spec["volumeLifecycleModes"] = ["Persistent"] }
    }

    private static func roleBinding(_ object: inout JSONValue) {
        let group: JSONValue = "rbac.authorization.k8s.io"
        object["roleRef"]["apiGroup"].setDefault(group)
        object["subjects"].forEachElement { subject in
            if subject["kind"] == "User" || subject["kind"] == "Group" { subject["apiGroup"].setDefault(group) }
        }
    }

    private static func networkPolicy(_ spec: inout JSONValue) {
        if spec["policyTypes"].isEmpty {
            spec["policyTypes"] = spec["egress"].isEmpty ? ["Ingress"] : ["Ingress", "Egress"]
        }
        for direction in ["ingress", "egress"] {
            spec[direction].forEachElement { $0["ports"].forEachElement { $0["protocol"].setDefault("TCP") } }
        }
    }
}

extension JSONValue {
    /// Puts `value` where nothing or an empty string is.
    mutating func setDefault(_ value: JSONValue) {
        if isNull || self == "" { self = value }
    }

    /// Puts `value` where nothing or zero is: for numbers that upstream holds without a pointer.
    mutating func setDefaultForZero(_ value: JSONValue) {
        if isNull || self == 0 { self = value }
    }

    /// Changes the elements of an array in place; anything else is left as it is.
    mutating func forEachElement(_ body: (inout JSONValue) -> Void) {
        guard case .array(var elements) = self else { return }
        self = .null
        for index in elements.indices { body(&elements[index]) }
        self = .array(elements)
    }
}
