// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension PodSecurityCheck {
    /// The controls that the level `restricted` adds, sorted by name.
    ///
    /// Source: Kubernetes "Pod Security Standards", Restricted.
    static let restricted: [PodSecurityCheck] = [
        privilegeEscalation, capabilitiesRestricted, procMountRestricted, volumeTypes, nonRoot, user, seccompRestricted,
    ]

    private static let privilegeEscalation = PodSecurityCheck(
        "allowPrivilegeEscalation", .restricted, since: 8
    ) { pod, minor in
        if minor >= 25, pod.isWindows { return nil }
        let names = pod.containers { $0["securityContext"]["allowPrivilegeEscalation"] != false }
        guard !names.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "allowPrivilegeEscalation != false",
            detail: "\(Wording.containers(names)) must set securityContext.allowPrivilegeEscalation=false")
    }

    private static let capabilitiesRestricted = PodSecurityCheck(
        "capabilities_restricted", .restricted, since: 22, overrides: "capabilities_baseline"
    ) { pod, minor in
        if minor >= 25, pod.isWindows { return nil }
        func added(_ container: JSONValue) -> [String] {
            container["securityContext"]["capabilities"]["add"].elements.compactMap(\.string)
                .filter { $0 != "NET_BIND_SERVICE" }
        }
        let keeping = pod.containers { !$0["securityContext"]["capabilities"]["drop"].elements.contains("ALL") }
        let adding = pod.containers { !added($0).isEmpty }
        var details: [String] = []
        if !keeping.isEmpty {
            details.append("\(Wording.containers(keeping)) must set securityContext.capabilities.drop=[\"ALL\"]")
        }
        if !adding.isEmpty {
            details.append(
                "\(Wording.containers(adding)) must not include "
                    + "\(Wording.quoted(Set(pod.containers.flatMap(added)).sorted())) "
                    + "in securityContext.capabilities.add")
        }
        return details.isEmpty
            ? nil
            : PodSecurityViolation(reason: "unrestricted capabilities", detail: details.joined(separator: "; "))
    }

    private static let procMountRestricted = PodSecurityCheck(
        "procMount_restricted", .restricted, since: 35, overrides: "procMount"
    ) { pod, _ in unmaskedProc(pod) }

    private static let allowedVolumes: Set<String> = [
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
        "secret",
    ]

    private static let volumeTypes = PodSecurityCheck(
        "restrictedVolumes", .restricted, overrides: "hostPathVolumes"
    ) { pod, _ in
        let bad = pod.spec["volumes"].elements.filter { volume in
            !volume.members.keys.contains { allowedVolumes.contains($0) }
        }
        guard !bad.isEmpty else { return nil }
        let names = bad.map { $0["name"].string ?? "" }
        let types = Set(bad.map { $0.members.keys.filter { $0 != "name" }.min() ?? "unknown" }).sorted()
        return PodSecurityViolation(
            reason: "restricted volume types",
            detail: "\(Wording.plural("volume", "volumes", names.count)) \(Wording.quoted(names)) "
                + "\(Wording.plural("uses", "use", names.count)) "
                + "\(Wording.plural("restricted volume type", "restricted volume types", types.count)) "
                + Wording.quoted(types))
    }

    private static let nonRoot = PodSecurityCheck("runAsNonRoot", .restricted) { pod, minor in
        if minor >= 35, pod.hasUserNamespace { return nil }
        let ofPod = pod.security["runAsNonRoot"]
        let refusing = pod.containers { $0["securityContext"]["runAsNonRoot"] == false }
        let setters = Wording.setters(pod: ofPod == false, refusing)
        if !setters.isEmpty {
            return PodSecurityViolation(
                reason: "runAsNonRoot != true",
                detail: "\(setters) must not set securityContext.runAsNonRoot=false")
        }
        let silent = ofPod == true ? [] : pod.containers { $0["securityContext"]["runAsNonRoot"].isNull }
        guard !silent.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "runAsNonRoot != true",
            detail: "pod or \(Wording.containers(silent)) must set securityContext.runAsNonRoot=true")
    }

    private static let user = PodSecurityCheck("runAsUser", .restricted, since: 23) { pod, minor in
        if minor >= 35, pod.hasUserNamespace { return nil }
        let setters = Wording.setters(
            pod: pod.security["runAsUser"] == 0, pod.containers { $0["securityContext"]["runAsUser"] == 0 })
        return setters.isEmpty
            ? nil : PodSecurityViolation(reason: "runAsUser=0", detail: "\(setters) must not set runAsUser=0")
    }

    private static let seccompRestricted = PodSecurityCheck(
        "seccompProfile_restricted", .restricted, since: 19, overrides: "seccompProfile_baseline"
    ) { pod, minor in
        if minor >= 25, pod.isWindows { return nil }
        if let forbidden = forbiddenSeccomp(pod) { return forbidden }
        let isSet = !pod.security["seccompProfile"].isNull
        let silent = isSet ? [] : pod.containers { $0["securityContext"]["seccompProfile"].isNull }
        guard !silent.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "seccompProfile",
            detail: "pod or \(Wording.containers(silent)) must set securityContext.seccompProfile.type to "
                + "\"RuntimeDefault\" or \"Localhost\"")
    }
}
