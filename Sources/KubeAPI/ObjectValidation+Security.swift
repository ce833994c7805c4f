// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Security contexts of pods and containers.
extension SemanticCheck {
    private static let ids = 0...Int(Int32.max)

    private mutating func id(_ path: FieldPath, _ value: JSONValue) {
        if let number = value.int, !Self.ids.contains(number) {
            errors.invalid(path, value, "must be between 0 and 2147483647, inclusive")
        }
    }

    mutating func podSecurity(_ path: FieldPath, _ spec: JSONValue) {
        let context = spec["securityContext"]
        for field in ["fsGroup", "runAsUser", "runAsGroup"] { id(path[field], context[field]) }
        for (index, group) in context["supplementalGroups"].elements.enumerated() {
            id(path["supplementalGroups"][index], group)
        }
        if spec["shareProcessNamespace"] == true, spec["hostPID"] == true {
            errors.invalid(
                path["shareProcessNamespace"], true, "ShareProcessNamespace and HostPID cannot both be enabled")
        }
        sysctls(path["sysctls"], context["sysctls"], spec)
        if !context["fsGroupChangePolicy"].isNull {
            errors.oneOf(
                path["fsGroupChangePolicy"], context["fsGroupChangePolicy"], ["Always", "OnRootMismatch"])
        }
        seccomp(path["seccompProfile"], context["seccompProfile"])
        windows(path["windowsOptions"], context["windowsOptions"])
        appArmor(path["appArmorProfile"], context["appArmorProfile"])
        if !context["supplementalGroupsPolicy"].isNull {
            errors.oneOf(path["supplementalGroupsPolicy"], context["supplementalGroupsPolicy"], ["Merge", "Strict"])
        }
        if !context["seLinuxChangePolicy"].isNull {
            errors.oneOf(path["seLinuxChangePolicy"], context["seLinuxChangePolicy"], ["MountOption", "Recursive"])
        }
    }

    mutating func containerSecurity(_ path: FieldPath, _ context: JSONValue, _ pod: PodScope) {
        guard !context.isEmpty else { return }
        for field in ["runAsUser", "runAsGroup"] { id(path[field], context[field]) }
        let procMount = context["procMount"]
        if !procMount.isNull {
            errors.oneOf(path["procMount"], procMount, ["Default", "Unmasked"])
            if pod.sharesHostUsers, procMount == "Unmasked" {
                errors.invalid(path["procMount"], procMount, "`hostUsers` must be false to use `Unmasked`")
            }
        }
        seccomp(path["seccompProfile"], context["seccompProfile"])
        if context["allowPrivilegeEscalation"] == false {
            if context["privileged"] == true {
                errors.invalid(
                    path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
            }
            if context["capabilities"]["add"].elements.contains("CAP_SYS_ADMIN") {
                errors.invalid(
                    path, context,
                    "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN")
            }
        }
        windows(path["windowsOptions"], context["windowsOptions"])
        appArmor(path["appArmorProfile"], context["appArmorProfile"])
    }

    private mutating func seccomp(_ path: FieldPath, _ profile: JSONValue) {
        guard !profile.isNull else { return }
        let type = profile["type"].string ?? ""
        if type.isEmpty {
            errors.required(path["type"], "type is required when seccompProfile is set")
        } else {
            errors.oneOf(path["type"], profile["type"], ["Localhost", "RuntimeDefault", "Unconfined"])
        }
        let file = profile["localhostProfile"]
        if type == "Localhost" {
            if file.isNull {
                errors.required(path["localhostProfile"], "must be set when seccomp type is Localhost")
            } else {
                descendingPath(path["localhostProfile"], file)
            }
        } else if !file.isNull {
            errors.invalid(path["localhostProfile"], profile, "can only be set when seccomp type is Localhost")
        }
    }

    /// PATH_MAX - 1.
    private static let longestProfile = 4095

    private mutating func appArmor(_ path: FieldPath, _ profile: JSONValue) {
        guard !profile.isNull else { return }
        let file = profile["localhostProfile"]
        switch profile["type"].string ?? "" {
        case "Localhost":
            let name = file.string ?? ""
            if name.isEmpty || name.allSatisfy(\.isWhitespace) {
                errors.required(path["localhostProfile"], "must be set when AppArmor type is Localhost")
            } else if name.first?.isWhitespace == true || name.last?.isWhitespace == true {
                errors.invalid(path["localhostProfile"], file, "must not be padded with whitespace")
            }
            if name.utf8.count > Self.longestProfile { errors.tooLong(path["localhostProfile"], Self.longestProfile) }
        case "RuntimeDefault", "Unconfined":
            if !file.isNull {
                errors.invalid(path["localhostProfile"], file, "can only be set when AppArmor type is Localhost")
            }
        case "": errors.required(path["type"], "type is required when appArmorProfile is set")
        default:
            errors.notSupported(path["type"], profile["type"], ["Localhost", "RuntimeDefault", "Unconfined"])
        }
    }

    private mutating func sysctls(_ path: FieldPath, _ sysctls: JSONValue, _ spec: JSONValue) {
        var names: Set<String> = []
        for (index, sysctl) in sysctls.elements.enumerated() {
            let own = path[index]["name"]
            let name = sysctl["name"].string ?? ""
            let faults = name.isEmpty ? [] : NameRules.sysctl(name)
            if name.isEmpty { errors.required(own) }
            errors.all(own, .string(name), faults)
            // Dots and slashes separate alike.
            let plain = name.replacing("/", with: ".")
            if !names.insert(plain).inserted, faults.isEmpty, !name.isEmpty { errors.duplicate(own, .string(name)) }
            if spec["hostNetwork"] == true, plain.hasPrefix("net.") {
                errors.invalid(own, .string(name), "may not be specified when 'hostNetwork' is true")
            }
            let isOfIPC =
                ["kernel.shm", "kernel.msg", "fs.mqueue."].contains { plain.hasPrefix($0) } || plain == "kernel.sem"
            if spec["hostIPC"] == true, isOfIPC {
                errors.invalid(own, .string(name), "may not be specified when 'hostIPC' is true")
            }
        }
    }

    /// Members of a security context that mean nothing to Windows.
    private static let notOnWindows = [
        "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
        "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy",
        "sysctls", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy",
    ]

    /// What `spec.os` rules out.
    mutating func system(_ path: FieldPath, _ spec: JSONValue) {
        guard !spec["os"].isNull else { return }
        let name = spec["os"]["name"].string ?? ""
        guard !name.isEmpty else { return errors.required(path["os"]["name"]) }
        guard ["linux", "windows"].contains(name) else {
            return errors.notSupported(path["os"], .string(name), ["linux", "windows"])
        }
        var contexts = [(path["securityContext"], spec["securityContext"])]
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for (index, container) in spec[list].elements.enumerated() {
                contexts.append((path[list][index]["securityContext"], container["securityContext"]))
            }
        }
        if name == "windows" {
            for field in ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"]
            where !spec[field].isNull && spec[field] != false {
                errors.forbidden(path[field], "cannot be set for a windows pod")
            }
            if !spec["resources"].isEmpty {
                errors.forbidden(path["resources"], "may not be set for a windows pod")
            }
        }
        for (own, context) in contexts {
            if name == "linux" {
                if !context["windowsOptions"].isNull {
                    errors.forbidden(own["windowsOptions"], "windows options cannot be set for a linux pod")
                }
                continue
            }
            for field in Self.notOnWindows where !context[field].isNull {
                errors.forbidden(own[field], "cannot be set for a windows pod")
            }
        }
    }

    private mutating func windows(_ path: FieldPath, _ options: JSONValue) {
        if let name = options["gmsaCredentialSpecName"].string {
            errors.all(path["gmsaCredentialSpecName"], .string(name), NameRules.dns1123Subdomain(name))
        }
        if let text = options["gmsaCredentialSpec"].string, text.utf8.count > 64 * 1024 {
            errors.invalid(path["gmsaCredentialSpec"], "", "gmsaCredentialSpec size must be under 64 KiB")
        }
        guard let user = options["runAsUserName"].string else { return }
        let parts = user.split(separator: "\\", omittingEmptySubsequences: false)
        if user.isEmpty {
            errors.invalid(path["runAsUserName"], "", "runAsUserName cannot be an empty string")
        } else if user.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            errors.invalid(path["runAsUserName"], .string(user), "runAsUserName cannot contain control characters")
        } else if parts.count > 2 {
            errors.invalid(
                path["runAsUserName"], .string(user), "runAsUserName cannot contain more than one backslash")
        }
    }

    /// Containers that are processes of the host: all or none, on the host's network.
    mutating func hostProcesses(_ path: FieldPath, _ spec: JSONValue) {
        let ofPod = spec["securityContext"]["windowsOptions"]["hostProcess"]
        var count = 0
        var hosts = 0
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for (index, container) in spec[list].elements.enumerated() {
                count += 1
                let own = container["securityContext"]["windowsOptions"]["hostProcess"]
                if !own.isNull, !ofPod.isNull, own != ofPod {
                    errors.invalid(
                        path[list][index]["securityContext"]["windowsOptions"]["hostProcess"], own,
                        "pod hostProcess value must be identical if both are specified, was \(ofPod.text)")
                }
                if own == true || (own.isNull && ofPod == true) { hosts += 1 }
            }
        }
        guard hosts > 0 else { return }
        if hosts != count {
            errors.invalid(
                path, "",
                "If pod contains any hostProcess containers then all containers must be HostProcess containers")
        }
        if spec["hostNetwork"] != true {
            errors.invalid(
                path["hostNetwork"], false, "hostNetwork must be true if pod contains any hostProcess containers")
        }
    }
}
