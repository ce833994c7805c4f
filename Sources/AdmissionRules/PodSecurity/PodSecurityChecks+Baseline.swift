// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension PodSecurityCheck {
    /// The controls of the level `baseline`, sorted by name.
    ///
    /// Source: Kubernetes "Pod Security Standards", Baseline.
    static let baseline: [PodSecurityCheck] = [
        appArmor, capabilitiesBaseline, hostNamespaces, hostPaths, hostPorts, hostsOfProbes, privileged, procMount,
        seLinux, seccompBaseline, sysctls, windowsHostProcess,
    ]

    private static let appArmor = PodSecurityCheck("appArmorProfile", .baseline) { pod, _ in
        func bad(_ profile: JSONValue) -> String? {
            guard !profile.isNull else { return nil }
            let type = profile["type"].string ?? ""
            return ["RuntimeDefault", "Localhost"].contains(type) ? nil : type
        }
        let ofPod = bad(pod.security["appArmorProfile"])
        let names = pod.containers { bad($0["securityContext"]["appArmorProfile"]) != nil }
        let types = Set(
            pod.containers.compactMap { bad($0["securityContext"]["appArmorProfile"]) } + [ofPod].compactMap { $0 })
        let annotations = pod.annotations.filter { key, value in
            key.hasPrefix("container.apparmor.security.beta.kubernetes.io/")
                && !(value.isEmpty || value == "runtime/default" || value.hasPrefix("localhost/"))
        }
        var setters = [Wording.setters(pod: ofPod != nil, names)].filter { !$0.isEmpty }
        if !annotations.isEmpty { setters.append(Wording.plural("annotation", "annotations", annotations.count)) }
        guard !setters.isEmpty else { return nil }
        let values = types.sorted() + annotations.map { "\($0.key)=\"\($0.value)\"" }.sorted()
        return PodSecurityViolation(
            reason: Wording.plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.count),
            detail: "\(setters.joined(separator: " and ")) must not set AppArmor profile type to "
                + Wording.quoted(values))
    }

    private static let defaultCapabilities: Set<String> = [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ]

    private static let capabilitiesBaseline = PodSecurityCheck("capabilities_baseline", .baseline) { pod, _ in
        func added(_ container: JSONValue) -> [String] {
            container["securityContext"]["capabilities"]["add"].elements.compactMap(\.string)
                .filter { !defaultCapabilities.contains($0) }
        }
        let names = pod.containers { !added($0).isEmpty }
        guard !names.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "non-default capabilities",
            detail: "\(Wording.containers(names)) must not include "
                + "\(Wording.quoted(Set(pod.containers.flatMap(added)).sorted())) in securityContext.capabilities.add")
    }

    private static let hostNamespaces = PodSecurityCheck("hostNamespaces", .baseline) { pod, _ in
        let used = ["hostNetwork", "hostPID", "hostIPC"].filter { pod.spec[$0] == true }
        guard !used.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "host namespaces", detail: used.map { "\($0)=true" }.joined(separator: ", "))
    }

    private static let hostPaths = PodSecurityCheck("hostPathVolumes", .baseline) { pod, _ in
        let names = pod.spec["volumes"].elements.filter { !$0["hostPath"].isNull }.map { $0["name"].string ?? "" }
        guard !names.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "hostPath volumes",
            detail: "\(Wording.plural("volume", "volumes", names.count)) \(Wording.quoted(names))")
    }

    private static let hostPorts = PodSecurityCheck("hostPorts", .baseline) { pod, _ in
        func ports(_ container: JSONValue) -> [String] {
            container["ports"].elements.compactMap { $0["hostPort"].int }.filter { $0 != 0 }.map(String.init)
        }
        let names = pod.containers { !ports($0).isEmpty }
        guard !names.isEmpty else { return nil }
        let used = Set(pod.containers.flatMap(ports)).sorted()
        return PodSecurityViolation(
            reason: "hostPort",
            detail: "\(Wording.containers(names)) \(Wording.plural("uses", "use", names.count)) "
                + "\(Wording.plural("hostPort", "hostPorts", used.count)) \(used.joined(separator: ", "))")
    }

    private static let hostsOfProbes = PodSecurityCheck(
        "hostProbesAndHostLifecycle", .baseline, since: 34
    ) { pod, _ in
        func hosts(_ container: JSONValue) -> [String] {
            let handlers =
                ["livenessProbe", "readinessProbe", "startupProbe"].map { container[$0] }
                + ["postStart", "preStop"].map { container["lifecycle"][$0] }
            return handlers.flatMap { handler in
                ["httpGet", "tcpSocket"].compactMap { handler[$0]["host"].string }.filter { !$0.isEmpty }
            }
        }
        let names = Set(pod.containers { !hosts($0).isEmpty }).sorted()
        guard !names.isEmpty else { return nil }
        let used = Set(pod.containers.flatMap(hosts)).sorted()
        return PodSecurityViolation(
            reason: "probe or lifecycle host",
            detail: "\(Wording.containers(names)) \(Wording.plural("uses", "use", names.count)) "
                + "\(Wording.plural("probe or lifecycle host", "probe or lifecycle hosts", used.count)) "
                + Wording.quoted(used))
    }

    private static let privileged = PodSecurityCheck("privileged", .baseline) { pod, _ in
        let names = pod.containers { $0["securityContext"]["privileged"] == true }
        guard !names.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "privileged",
            detail: "\(Wording.containers(names)) must not set securityContext.privileged=true")
    }

    private static let procMount = PodSecurityCheck("procMount", .baseline) { pod, minor in
        minor >= 35 && pod.hasUserNamespace ? nil : unmaskedProc(pod)
    }

    static func unmaskedProc(_ pod: PodUnderCheck) -> PodSecurityViolation? {
        func unmasked(_ container: JSONValue) -> String? {
            container["securityContext"]["procMount"].string.flatMap { $0 == "Default" ? nil : $0 }
        }
        let names = pod.containers { unmasked($0) != nil }
        guard !names.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "procMount",
            detail: "\(Wording.containers(names)) must not set securityContext.procMount to "
                + Wording.quoted(Set(pod.containers.compactMap(unmasked)).sorted()))
    }

    private static let seLinux = PodSecurityCheck("seLinuxOptions", .baseline) { pod, minor in
        var allowed: Set = ["", "container_t", "container_init_t", "container_kvm_t"]
        if minor >= 31 { allowed.insert("container_engine_t") }
        func isBad(_ options: JSONValue) -> Bool {
            !allowed.contains(options["type"].string ?? "")
                || ["user", "role"].contains { !(options[$0].string ?? "").isEmpty }
        }
        let all = [pod.security["seLinuxOptions"]] + pod.containers.map { $0["securityContext"]["seLinuxOptions"] }
        let setters = Wording.setters(
            pod: isBad(all[0]), pod.containers { isBad($0["securityContext"]["seLinuxOptions"]) })
        guard !setters.isEmpty else { return nil }
        var data: [String] = []
        let types = Set(all.map { $0["type"].string ?? "" }).subtracting(allowed).sorted()
        if !types.isEmpty { data.append("\(Wording.plural("type", "types", types.count)) \(Wording.quoted(types))") }
        for member in ["user", "role"] where all.contains(where: { !($0[member].string ?? "").isEmpty }) {
            data.append("\(member) may not be set")
        }
        return PodSecurityViolation(
            reason: "seLinuxOptions",
            detail: "\(setters) set forbidden securityContext.seLinuxOptions: \(data.joined(separator: "; "))")
    }

    /// The type of a profile that is neither the runtime's nor a file of the node.
    static func badSeccomp(_ profile: JSONValue) -> String? {
        guard !profile.isNull else { return nil }
        let type = profile["type"].string ?? ""
        return ["Localhost", "RuntimeDefault"].contains(type) ? nil : type
    }

    private static let seccompBaseline = PodSecurityCheck("seccompProfile_baseline", .baseline) { pod, minor in
        minor >= 19 ? forbiddenSeccomp(pod) : seccompAnnotations(pod)
    }

    static func forbiddenSeccomp(_ pod: PodUnderCheck) -> PodSecurityViolation? {
        let ofPod = badSeccomp(pod.security["seccompProfile"])
        let names = pod.containers { badSeccomp($0["securityContext"]["seccompProfile"]) != nil }
        let setters = Wording.setters(pod: ofPod != nil, names)
        guard !setters.isEmpty else { return nil }
        let types = Set(
            pod.containers.compactMap { badSeccomp($0["securityContext"]["seccompProfile"]) }
                + [ofPod].compactMap { $0 })
        return PodSecurityViolation(
            reason: "seccompProfile",
            detail: "\(setters) must not set securityContext.seccompProfile.type to \(Wording.quoted(types.sorted()))")
    }

    /// Before there were fields, annotations named the profiles.
    private static func seccompAnnotations(_ pod: PodUnderCheck) -> PodSecurityViolation? {
        let keys =
            ["seccomp.security.alpha.kubernetes.io/pod"]
            + pod.containers.map { "container.seccomp.security.alpha.kubernetes.io/\($0["name"].string ?? "")" }
        let bad = Set(
            keys.compactMap { key -> String? in
                guard let value = pod.annotations[key],
                    value != "runtime/default", value != "docker/default", !value.hasPrefix("localhost/")
                else { return nil }
                return "\(key)=\"\(value)\""
            }
        ).sorted()
        guard !bad.isEmpty else { return nil }
        return PodSecurityViolation(
            reason: "seccompProfile",
            detail: "forbidden \(Wording.plural("annotation", "annotations", bad.count)) "
                + bad.joined(separator: ", "))
    }

    /// Kernel parameters that concern the pod alone, with the version that brought them.
    private static let safeSysctls: [(name: String, since: Int)] = [
        ("kernel.shm_rmid_forced", 0), ("net.ipv4.ip_local_port_range", 0), ("net.ipv4.tcp_syncookies", 0),
        ("net.ipv4.ping_group_range", 0), ("net.ipv4.ip_unprivileged_port_start", 0),
        ("net.ipv4.ip_local_reserved_ports", 27), ("net.ipv4.tcp_keepalive_time", 29),
        ("net.ipv4.tcp_fin_timeout", 29), ("net.ipv4.tcp_keepalive_intvl", 29),
        ("net.ipv4.tcp_keepalive_probes", 29), ("net.ipv4.tcp_rmem", 32), ("net.ipv4.tcp_wmem", 32),
    ]

    private static let sysctls = PodSecurityCheck("sysctls", .baseline) { pod, minor in
        let bad = pod.security["sysctls"].elements.compactMap { $0["name"].string }.filter { name in
            !safeSysctls.contains { $0.name == name && $0.since <= minor }
        }
        return bad.isEmpty
            ? nil : PodSecurityViolation(reason: "forbidden sysctls", detail: bad.joined(separator: ", "))
    }

    private static let windowsHostProcess = PodSecurityCheck("windowsHostProcess", .baseline) { pod, _ in
        func isHost(_ context: JSONValue) -> Bool { context["windowsOptions"]["hostProcess"] == true }
        let setters = Wording.setters(
            pod: isHost(pod.security), pod.containers { isHost($0["securityContext"]) })
        return setters.isEmpty
            ? nil
            : PodSecurityViolation(
                reason: "hostProcess",
                detail: "\(setters) must not set securityContext.windowsOptions.hostProcess=true")
    }
}
