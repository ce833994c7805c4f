// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI

/// Finds claims, volumes and pods by what ties them together.
struct VolumeIndexes: Sendable {
    private let volumeTerms: ObjectIndex
    private let claimTerms: ObjectIndex
    private let podTerms: ObjectIndex

    init(volumes: Informer, claims: Informer, pods: Informer) {
        volumeTerms = ObjectIndex(volumes) { volume in
            let reference = volume.spec["claimRef"]
            guard reference.isNull else {
                return ["for/\(reference["namespace"].string ?? "")/\(reference["name"].string ?? "")"]
            }
            return ["free/\(VolumeAnnotations.storageClass(of: volume) ?? "")"]
        }
        claimTerms = ObjectIndex(claims) { claim in
            if let name = claim.spec["volumeName"].string, !name.isEmpty { return ["names/\(name)"] }
            return ["seeks/\(VolumeAnnotations.storageClass(of: claim) ?? "-")", "seeking"]
        }
        podTerms = ObjectIndex(pods) { pod in
            pod.spec["volumes"].elements.compactMap { volume in
                VolumeAnnotations.claimName(of: volume, pod: pod.name).map { "\(pod.namespace)/\($0)" }
            }
        }
    }

    /// Volumes meant for the claim, and free ones of its class.
    func candidates(for claim: KubeObject) -> [KubeObject] {
        volumeTerms.find("for/\(claim.namespace)/\(claim.name)")
            + volumeTerms.find("free/\(VolumeAnnotations.storageClass(of: claim) ?? "")")
    }

    /// The claims to which a volume may matter.
    func claims(interestedIn volume: KubeObject) -> [ObjectKey] {
        var keys = claimTerms.find("names/\(volume.name)").map(\.key)
        let reference = volume.spec["claimRef"]
        if reference.isNull {
            let name = VolumeAnnotations.storageClass(of: volume) ?? ""
            keys += claimTerms.find("seeks/\(name)").map(\.key)
            if name.isEmpty { keys += claimTerms.find("seeks/-").map(\.key) }
        } else {
            keys.append(
                ObjectKey(namespace: reference["namespace"].string ?? "", name: reference["name"].string ?? ""))
        }
        return keys
    }

    /// The claims without a volume that a class may help.
    func claims(seeking storageClass: KubeObject) -> [ObjectKey] {
        (claimTerms.find("seeks/\(storageClass.name)") + claimTerms.find("seeks/-")).map(\.key)
    }

    /// The pods that use a claim.
    func pods(using claim: ObjectKey) -> [KubeObject] { podTerms.find("\(claim.namespace)/\(claim.name)") }

    /// The claims that a pod uses.
    static func claims(of pod: KubeObject) -> [ObjectKey] {
        pod.spec["volumes"].elements.compactMap { volume in
            VolumeAnnotations.claimName(of: volume, pod: pod.name).map {
                ObjectKey(namespace: pod.namespace, name: $0)
            }
        }
    }
}
