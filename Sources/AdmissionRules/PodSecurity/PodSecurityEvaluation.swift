// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// Checks pods against the Pod Security Standards.
package enum PodSecurityEvaluation {
    /// The version that `latest` stands for.
    package static let latestMinor = 36

    /// The most pods that are looked at when a namespace's level changes.
    package static let mostPods = 3000

    /// What of a pod, or of a pod template, the standard does not allow; empty when all is allowed.
    package static func violations(
        spec: JSONValue, annotations: [String: String], of standard: PodSecurityPolicy.Standard
    ) -> [PodSecurityViolation] {
        guard standard.level != .privileged else { return [] }
        let minor = min(standard.minor ?? latestMinor, latestMinor)
        var checks = PodSecurityCheck.baseline.filter { $0.since <= minor }
        if standard.level == .restricted {
            let added = PodSecurityCheck.restricted.filter { $0.since <= minor }
            let overridden = Set(added.compactMap(\.overrides))
            checks = checks.filter { !overridden.contains($0.id) } + added
        }
        let pod = PodUnderCheck(spec: spec, annotations: annotations)
        return checks.compactMap { $0.find(pod, minor) }
    }

    /// `reason (detail), reason (detail)`.
    package static func text(_ violations: [PodSecurityViolation]) -> String {
        violations.map { $0.detail.isEmpty ? $0.reason : "\($0.reason) (\($0.detail))" }.joined(separator: ", ")
    }

    /// Whether a change of a pod can change what it is allowed: another image, or another container.
    package static func isSignificant(_ pod: KubeObject, from old: KubeObject) -> Bool {
        for list in ["containers", "initContainers"] {
            let before = old.spec[list].elements
            let after = pod.spec[list].elements
            if before.count != after.count { return true }
            if zip(before, after).contains(where: { $0["image"] != $1["image"] }) { return true }
        }
        let before = old.spec["ephemeralContainers"].elements
        return pod.spec["ephemeralContainers"].elements.contains { container in
            guard let same = before.first(where: { $0["name"] == container["name"] }) else { return true }
            return same["image"] != container["image"]
        }
    }

    /// Where the pod template of a kind is; nil for kinds without one.
    package static func template(of object: KubeObject) -> JSONValue? {
        switch object.kind {
        case "PodTemplate": object["template"]
        case "ReplicationController", "ReplicaSet", "Deployment", "DaemonSet", "StatefulSet", "Job":
            object.spec["template"]
        case "CronJob": object.spec["jobTemplate"]["spec"]["template"]
        default: nil
        }
    }

    /// What to warn of when a namespace is to enforce another standard than before.
    package static func warnings(
        namespace: String, pods: [KubeObject], total: Int, standard: PodSecurityPolicy.Standard
    ) -> [String] {
        var found: [String: [String]] = [:]
        for pod in pods {
            let violations = violations(spec: pod.spec, annotations: pod.annotations, of: standard)
            guard !violations.isEmpty else { continue }
            found[violations.map(\.reason).joined(separator: ", "), default: []].append(pod.name)
        }
        var warnings: [String] = []
        if pods.count < total {
            warnings.append(
                "new PodSecurity enforce level only checked against the first \(pods.count) of \(total) existing pods")
        }
        guard !found.isEmpty else { return warnings }
        warnings.append(
            "existing pods in namespace \"\(namespace)\" violate the new PodSecurity enforce level \"\(standard)\"")
        let lines = found.map { reasons, names in
            let others = names.count - 1
            let more = others == 0 ? "" : " (and \(others) other \(Wording.plural("pod", "pods", others)))"
            return "\(names.min() ?? "")\(more): \(reasons)"
        }
        return warnings + lines.sorted()
    }
}
