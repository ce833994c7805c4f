// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI
import KubeStore
import SwiftASN1
import X509

/// Bounds what node agents write: their own Node and what belongs to it, and the pods that are bound to it.
///
/// Source: Kubernetes "Admission Controllers Reference", NodeRestriction.
struct NodeRestriction: Sendable {
    private static let leaseNamespace = "kube-node-lease"

    private let store: KubeStore

    init(_ store: KubeStore) { self.store = store }

    var plugin: AdmissionPlugin {
        AdmissionPlugin(
            name: "NodeRestriction",
            admit: { object, attributes throws(StatusError) in try check(object, attributes) })
    }

    private func check(_ object: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        guard let node = attributes.user.node else { return }
        let old = attributes.old
        func refuse(_ why: String?) throws(StatusError) {
            if let why { throw attributes.forbidden(object, why) }
        }
        guard !node.isEmpty else {
            return try refuse("could not determine node from user \"\(attributes.user.name)\"")
        }
        switch attributes.resource {
        case .pods:
            let owner = object.ownerReferences.first
            let uid = owner.flatMap { self.uid(ofNode: $0.name) }
            try refuse(Self.refusal(ofPod: object, old, attributes, node: node, nodeUID: uid))
        case .nodes: try refuse(Self.refusal(ofNode: object, old, attributes.operation, node: node))
        case .persistentVolumeClaims: try refuse(Self.refusal(ofClaim: object, old, attributes, node: node))
        case .leases: try refuse(Self.refusal(ofLease: object, node: node))
        case .csiNodes where object.name != node:
            try refuse("can only access CSINode with the same name as the requesting node")
        case .resourceSlices where attributes.operation != .update && object.spec["nodeName"].string != node:
            let verb = attributes.operation == .create ? "create" : "delete"
            try refuse("can only \(verb) ResourceSlice with the same NodeName as the requesting node")
        case .certificateSigningRequests where attributes.operation == .create:
            try refuse(Self.refusal(ofRequest: object, user: attributes.user.name))
        default: break
        }
    }

    private func uid(ofNode name: String) -> String? {
        let key = StoreKey(resource: KubeResource.nodes.qualifiedName, namespace: "", name: name)
        guard let stored = store.get(key), let json = try? JSONParser.parse(stored.bytes) else { return nil }
        return KubeObject(json).uid
    }

    // MARK: Pods

    private static func refusal(
        ofPod pod: KubeObject, _ old: KubeObject?, _ attributes: AdmissionAttributes, node: String, nodeUID: String?
    ) -> String? {
        switch (attributes.subresource, attributes.operation) {
        case ("", .create): refusal(ofNewPod: pod, node: node, nodeUID: nodeUID)
        case ("", .delete):
            pod.spec["nodeName"].string == node
                ? nil : "node \"\(node)\" can only delete pods with spec.nodeName set to itself"
        case ("", .update):
            "unexpected operation \"UPDATE\", node \"\(node)\" can only create and delete mirror pods"
        case ("status", .update): refusal(ofStatus: pod, old, node: node)
        case ("status", let operation): "unexpected operation \"\(operation.rawValue)\""
        default:
            "unexpected pod subresource \"\(attributes.subresource)\", only 'status' and 'eviction' are allowed"
        }
    }

    private static func refusal(ofStatus pod: KubeObject, _ old: KubeObject?, node: String) -> String? {
        guard old?.spec["nodeName"].string == node else {
            return "node \"\(node)\" can only update pod status for pods with spec.nodeName set to itself"
        }
        guard old?.labels == pod.labels else { return "node \"\(node)\" cannot update labels through pod status" }
        guard old?.status["resourceClaimStatuses"] == pod.status["resourceClaimStatuses"] else {
            return "node \"\(node)\" cannot update resource claim statuses"
        }
        return nil
    }

    /// A node may only show the pods that it runs of its own accord, and these refer to nothing.
    private static func refusal(ofNewPod pod: KubeObject, node: String, nodeUID: String?) -> String? {
        guard pod.annotations["kubernetes.io/config.mirror"] != nil else {
            return "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"\(node)\" can only create "
                + "mirror pods"
        }
        guard pod.spec["nodeName"].string == node else {
            return "node \"\(node)\" can only create pods with spec.nodeName set to itself"
        }
        let owners = pod.ownerReferences
        guard owners.count <= 1 else {
            return "node \"\(node)\" can only create pods with a single owner reference set to itself"
        }
        guard let owner = owners.first, owner.apiVersion == "v1", owner.kind == "Node", owner.name == node else {
            return "node \"\(node)\" can only create pods with an owner reference set to itself"
        }
        guard owner.isController else {
            return "node \"\(node)\" can only create pods with a controller owner reference set to itself"
        }
        guard !owner.blockOwnerDeletion else {
            return "node \"\(node)\" must not set blockOwnerDeletion on an owner reference"
        }
        guard owner.uid == nodeUID else {
            return "node \(node) UID mismatch: expected \(owner.uid) got \(nodeUID ?? "")"
        }
        // What mirror pods refer to is looked at as if they were none.
        var plain = pod
        plain.annotations["kubernetes.io/config.mirror"] = nil
        let references = PodReferences(plain)
        let kinds: [(NodeReference.Kind, String)] = [
            (.serviceAccount, "a service account"), (.secret, "secrets"), (.configMap, "configmaps"),
            (.claim, "persistentvolumeclaims"), (.resourceClaim, "resourceclaims"),
        ]
        return kinds.first { references.contains($0.0) }.map {
            "node \"\(node)\" can not create pods that reference \($0.1)"
        }
    }

    /// Refuses that a node evicts a pod that is not its own.
    /// - Throws: 403.
    static func checkEviction(of pod: KubeObject, _ user: UserInfo) throws(StatusError) {
        guard let node = user.node, pod.spec["nodeName"].string != node else { return }
        throw .forbidden(.pods, pod.name, "node \"\(node)\" can only evict pods with spec.nodeName set to itself")
    }

    /// Refuses a node tokens that are not of its own pods: these end with the pods.
    /// - Parameters:
    ///   - account: whose token it is.
    ///   - reference: what the token is to be bound to.
    ///   - pod: the pod that it names; nil when there is none.
    ///   - user: who asks.
    /// - Throws: 403, or 404 where the pod is not there.
    static func checkToken(
        of account: KubeObject, boundTo reference: JSONValue, pod: KubeObject?, _ user: UserInfo
    ) throws(StatusError) {
        guard let node = user.node else { return }
        let why: String
        if reference["kind"] != "Pod" || (reference["name"].string ?? "").isEmpty {
            why = "node requested token not bound to a pod"
        } else if (reference["uid"].string ?? "").isEmpty {
            why = "node requested token with a pod binding without a uid"
        } else if let pod {
            guard pod.spec["nodeName"].string != node || pod.uid != reference["uid"].string else { return }
            why =
                pod.uid == reference["uid"].string
                ? "node requested token bound to a pod scheduled on a different node"
                : "the UID in the bound object reference (\(reference["uid"].string ?? "")) does not match the UID in "
                    + "record (\(pod.uid)). The object might have been deleted and then recreated"
        } else {
            throw .notFound(.pods, reference["name"].string ?? "")
        }
        throw .forbidden(.serviceAccounts, account.name, why)
    }

    // MARK: Nodes

    private static func refusal(
        ofNode object: KubeObject, _ old: KubeObject?, _ operation: AdmissionAttributes.Operation, node: String
    ) -> String? {
        switch operation {
        case .create:
            let labels = NodeLabels.forbidden(changed: Set(object.labels.keys))
            if !labels.isEmpty {
                return "node \"\(node)\" is not allowed to set the following labels: \(labels.joined(separator: ", "))"
            }
        case .update:
            guard let old else { break }
            if object.spec["taints"] != old.spec["taints"] {
                return "node \"\(node)\" is not allowed to modify taints"
            }
            if object.metadata["ownerReferences"] != old.metadata["ownerReferences"] {
                return "node \"\(node)\" is not allowed to modify ownerReferences"
            }
            let keys = Set(object.labels.keys).union(old.labels.keys)
            let labels = NodeLabels.forbidden(changed: keys.filter { object.labels[$0] != old.labels[$0] })
            if !labels.isEmpty {
                return "node \"\(node)\" is not allowed to modify labels: \(labels.joined(separator: ", "))"
            }
        case .delete: break
        }
        return object.name == node ? nil : "node \"\(node)\" is not allowed to modify node \"\(object.name)\""
    }

    private static func refusal(ofLease lease: KubeObject, node: String) -> String? {
        guard lease.namespace == leaseNamespace else {
            return "can only access leases in the \"\(leaseNamespace)\" system namespace"
        }
        return lease.name == node ? nil : "can only access node lease with the same name as the requesting node"
    }

    private static func refusal(
        ofClaim claim: KubeObject, _ old: KubeObject?, _ attributes: AdmissionAttributes, node: String
    ) -> String? {
        guard attributes.subresource == "status" else { return "may only update PVC status" }
        guard attributes.operation == .update, let old else {
            return "unexpected operation \"\(attributes.operation.rawValue)\""
        }
        func rest(_ claim: KubeObject) -> JSONValue {
            var rest = claim
            rest.resourceVersion = ""
            for field in ["capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"] {
                rest.status[field] = .null
            }
            return rest.json
        }
        return rest(claim) == rest(old)
            ? nil : "node \"\(node)\" may not update fields other than status.quantity and status.conditions"
    }

    /// Nodes ask for their own certificates only.
    private static func refusal(ofRequest object: KubeObject, user: String) -> String? {
        let signers = ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"]
        guard signers.contains(object.spec["signerName"].string ?? "") else { return nil }
        guard let bytes = try? Base64.decode(object.spec["request"].string ?? "").get(),
            let request = try? CertificateSigningRequest(pemEncoded: String(decoding: bytes, as: UTF8.self))
        else { return "unable to parse csr" }
        let names = request.subject.flatMap { $0 }.filter { $0.type == .RDNAttributeType.commonName }
        return names.count == 1 && String(names[0].value) == user
            ? nil : "can only create a node CSR with CN=\(user)"
    }
}

/// Which labels of its own Node an agent may set.
enum NodeLabels {
    private static let restricted = "node-restriction.kubernetes.io"
    private static let known: Set = [
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch", "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region", "node.kubernetes.io/windows-build",
    ]

    /// Those of the labels that only others may change, sorted.
    static func forbidden(changed labels: Set<String>) -> [String] { labels.filter(isForbidden).sorted() }

    private static func isForbidden(_ label: String) -> Bool {
        let parts = label.split(separator: "/", maxSplits: 1)
        let home = parts.count == 2 ? String(parts[0]) : ""
        func isIn(_ names: String...) -> Bool { names.contains { home == $0 || home.hasSuffix("." + $0) } }
        if isIn(restricted) { return true }
        return isIn("kubernetes.io", "k8s.io") && !known.contains(label)
            && !isIn("kubelet.kubernetes.io", "node.kubernetes.io")
    }
}
