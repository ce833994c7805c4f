// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension ObjectValidation {
    /// What is wrong with an object whose types are right and whose defaults are set; empty when nothing is.
    ///
    /// - Parameters:
    ///   - object: the object as it would be stored.
    ///   - kind: its kind; kinds without rules of their own have only their metadata checked.
    ///   - old: the object as it is now, for an update; nil for a creation.
    /// - Returns: the faults in the order of the fields, at most 100.
    package static func semantic(_ object: JSONValue, _ kind: GroupVersionKind, old: JSONValue? = nil) -> [StatusCause]
    {
        // Reviews and token requests are answered, not stored: they need no name.
        if kind.group == "authentication.k8s.io" || kind.group == "authorization.k8s.io" { return [] }
        var check = SemanticCheck(object: object, old: old)
        check.metadata(NameRules.objectName(kind), isBuiltIn: Schema.builtIn.type(kind) != nil)
        switch (kind.group, kind.kind) {
        case ("", "Pod"): check.pod()
        case ("", "Service"): check.service()
        case ("", "ConfigMap"): check.configMap()
        case ("", "Secret"): check.secret()
        case ("", "PersistentVolumeClaim"): check.claim()
        case ("", "PersistentVolume"): check.persistentVolume()
        case ("", "ReplicationController"), ("apps", "ReplicaSet"): check.replicaSet(kind)
        case ("", "Endpoints"): check.endpoints()
        case ("", "PodTemplate"):
            check.template("template", object["template"], restartPolicies: nil)
        case ("", "ResourceQuota"): check.resourceQuota()
        case ("", "LimitRange"): check.limitRange()
        case ("", "Node"): check.node()
        case ("", "Namespace"): check.namespace()
        case ("apps", "Deployment"): check.deployment()
        case ("apps", "StatefulSet"): check.statefulSet()
        case ("apps", "DaemonSet"): check.daemonSet()
        case ("apps", "ControllerRevision"): check.controllerRevision()
        case ("batch", "Job"): check.job()
        case ("batch", "CronJob"): check.cronJob()
        case ("discovery.k8s.io", "EndpointSlice"): check.endpointSlice()
        case ("coordination.k8s.io", "Lease"): check.lease()
        case ("storage.k8s.io", "StorageClass"): check.storageClass()
        case ("storage.k8s.io", "VolumeAttributesClass"): check.volumeAttributesClass()
        case ("storage.k8s.io", "CSIDriver"):
            check.csiDriver()
            check.csiTokens()
        case ("storage.k8s.io", "CSINode"):
            check.csiNode()
            check.csiNodeUpdate()
        case ("storage.k8s.io", "CSIStorageCapacity"): check.csiStorageCapacity()
        case ("storage.k8s.io", "VolumeAttachment"): check.volumeAttachment()
        case ("scheduling.k8s.io", "PriorityClass"): check.priorityClass()
        case ("node.k8s.io", "RuntimeClass"): check.runtimeClass()
        case ("rbac.authorization.k8s.io", _): check.accessControl(kind)
        case ("autoscaling", "HorizontalPodAutoscaler"): check.autoscaler()
        case ("policy", "PodDisruptionBudget"): check.disruptionBudget()
        case ("networking.k8s.io", "Ingress"): check.ingress()
        case ("networking.k8s.io", "IngressClass"): check.ingressClass()
        case ("networking.k8s.io", "NetworkPolicy"): check.networkPolicy()
        case ("networking.k8s.io", "IPAddress"): check.ipAddress()
        case ("networking.k8s.io", "ServiceCIDR"): check.serviceCIDR()
        case ("resource.k8s.io", "DeviceClass"): check.deviceClass()
        case ("resource.k8s.io", "ResourceClaim"): check.resourceClaim()
        case ("resource.k8s.io", "ResourceClaimTemplate"): check.resourceClaimTemplate()
        case ("resource.k8s.io", "ResourceSlice"): check.resourceSlice()
        default: break
        }
        return check.errors.causes
    }
}

/// One object under examination. The rules of each kind are in extensions.
struct SemanticCheck {
    let object: JSONValue
    let old: JSONValue?
    var errors = FieldErrors()

    var spec: JSONValue { object["spec"] }

    /// Total size of an object's annotations, in bytes.
    private static let maxAnnotationBytes = 256 * 1024

    init(object: JSONValue, old: JSONValue?) {
        self.object = object
        self.old = old
    }

    mutating func metadata(_ nameRule: (String) -> [String], isBuiltIn: Bool) {
        let metadata = object["metadata"]
        let path: FieldPath = "metadata"
        let name = metadata["name"].string ?? ""
        let prefix = metadata["generateName"].string ?? ""
        if !prefix.isEmpty {
            // The name that will be made ends in letters and digits.
            errors.all(path["generateName"], .string(prefix), nameRule(String(prefix.prefix(200)) + "a"))
        }
        if name.isEmpty {
            if prefix.isEmpty { errors.required(path["name"], "name or generateName is required") }
        } else {
            errors.all(path["name"], .string(name), nameRule(name))
        }
        errors.labels(path["labels"], metadata["labels"])
        var bytes = 0
        for (key, value) in metadata["annotations"].members.sorted(by: { $0.key < $1.key }) {
            errors.all(path["annotations"], .string(key), NameRules.qualifiedName(key.lowercased()))
            bytes += key.utf8.count + (value.string ?? "").utf8.count
        }
        if bytes > Self.maxAnnotationBytes { errors.tooLong(path["annotations"], Self.maxAnnotationBytes) }
        owners(path["ownerReferences"], metadata["ownerReferences"])
        finalizers(path["finalizers"], metadata["finalizers"], isBuiltIn: isBuiltIn)
        if let old {
            for field in ["name", "namespace", "uid"] where !metadata[field].isNull {
                errors.immutable(path[field], metadata[field], old["metadata"][field])
            }
        }
    }

    private mutating func finalizers(_ path: FieldPath, _ finalizers: JSONValue, isBuiltIn: Bool) {
        for (index, finalizer) in finalizers.elements.enumerated() {
            finalizerName(path, finalizer)
            if isBuiltIn { standardFinalizer(path[index], finalizer) }
        }
        if finalizers.elements.contains("orphan"), finalizers.elements.contains("foregroundDeletion") {
            errors.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set")
        }
    }

    private mutating func owners(_ path: FieldPath, _ owners: JSONValue) {
        var controller: String?
        for (index, owner) in owners.elements.enumerated() {
            for field in ["apiVersion", "kind", "name", "uid"] where (owner[field].string ?? "").isEmpty {
                errors.invalid(
                    path[index][field], "",
                    field == "apiVersion" ? "version must not be empty" : "must not be empty")
            }
            if owner["apiVersion"] == "v1", owner["kind"] == "Event" {
                errors.invalid(path[index], owner, "/v1, Kind=Event is disallowed from being an owner")
            }
            guard owner["controller"] == true else { continue }
            let name = "\(owner["kind"].string ?? "")/\(owner["name"].string ?? "")"
            if let controller {
                errors.invalid(
                    path, owners,
                    "Only one reference can have Controller set to true. Found \"true\" in references for "
                        + "\(controller) and \(name)")
            }
            controller = name
        }
    }
}
