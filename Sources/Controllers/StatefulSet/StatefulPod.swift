// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Pods of a StatefulSet: their names, identities and claims.
///
/// Source: Kubernetes "StatefulSets", "Pod Identity".
enum StatefulPod {
    static let nameLabel = "statefulset.kubernetes.io/pod-name"
    static let indexLabel = "apps.kubernetes.io/pod-index"
    static let revisionLabel = "controller-revision-hash"

    /// The number at the end of a pod's name; nil when the pod is not of the set.
    static func ordinal(of pod: KubeObject, set: KubeObject) -> Int? {
        let prefix = "\(set.name)-"
        guard pod.name.hasPrefix(prefix) else { return nil }
        let digits = pod.name.dropFirst(prefix.count)
        guard let number = Int(digits), number >= 0, String(number) == digits else { return nil }
        return number
    }

    static func revision(of pod: KubeObject) -> String { pod.labels[revisionLabel] ?? "" }

    /// The pod with that ordinal.
    ///
    /// `template`: of the revision with that name.
    static func make(_ set: KubeObject, template: JSONValue, revision: String, ordinal: Int) -> KubeObject {
        var pod = PodTemplate.pod(template, owner: set, namePrefix: "")
        pod.metadata["generateName"] = .null
        pod.name = "\(set.name)-\(ordinal)"
        identify(&pod, set, ordinal: ordinal)
        pod.labels[revisionLabel] = revision
        pod.spec["hostname"] = .string(pod.name)
        let service = set.spec["serviceName"].string ?? ""
        if !service.isEmpty { pod.spec["subdomain"] = .string(service) }
        return pod
    }

    /// Gives a pod the labels and volumes that its ordinal has.
    private static func identify(_ pod: inout KubeObject, _ set: KubeObject, ordinal: Int) {
        pod.labels[nameLabel] = pod.name
        pod.labels[indexLabel] = String(ordinal)
        let claims = set.spec["volumeClaimTemplates"].elements
        guard !claims.isEmpty else { return }
        let names = Set(claims.compactMap { $0["metadata"]["name"].string })
        var volumes = pod.spec["volumes"].elements.filter { !names.contains($0["name"].string ?? "") }
        for name in names.sorted() {
            volumes.append([
                "name": .string(name),
                "persistentVolumeClaim": ["claimName": .string("\(name)-\(pod.name)")],
            ])
        }
        pod.spec["volumes"] = .array(volumes)
    }

    /// The labels that a pod lacks of its identity; empty when it has them all.
    static func missingLabels(_ pod: KubeObject, _ set: KubeObject) -> [String: String] {
        guard let ordinal = ordinal(of: pod, set: set) else { return [:] }
        return [nameLabel: pod.name, indexLabel: String(ordinal)].filter { pod.labels[$0.key] != $0.value }
    }

    /// The claims of the pod with that ordinal.
    static func claims(_ set: KubeObject, ordinal: Int) -> [KubeObject] {
        set.spec["volumeClaimTemplates"].elements.map { template in
            let name = template["metadata"]["name"].string ?? ""
            var claim = KubeObject(
                .persistentVolumeClaims, namespace: set.namespace, name: "\(name)-\(set.name)-\(ordinal)")
            claim.labels = template["metadata"]["labels"].stringMembers
                .merging(set.spec["selector"]["matchLabels"].stringMembers) { $1 }
            claim.annotations = template["metadata"]["annotations"].stringMembers
            claim.spec = template["spec"]
            return claim
        }
    }

    /// The owners that a claim is to have, so that it goes when the retention policy says so.
    ///
    /// `pod`: its pod, when there is one. `isCondemned`: whether the set has shrunk below the pod.
    static func claimOwners(
        _ present: [OwnerReference], _ set: KubeObject, pod: KubeObject?, isCondemned: Bool
    ) -> [OwnerReference] {
        let policy = set.spec["persistentVolumeClaimRetentionPolicy"]
        let whenDeleted = policy["whenDeleted"] == "Delete"
        let whenScaled = policy["whenScaled"] == "Delete"
        var owners = present.filter { $0.uid != set.uid && !($0.kind == "Pod" && $0.name == pod?.name) }
        if whenScaled, isCondemned {
            if let pod {
                var reference = pod.controllerReference
                reference.blockOwnerDeletion = true
                owners.append(reference)
            }
        } else if whenDeleted {
            owners.append(set.controllerReference)
        }
        return owners
    }
}
