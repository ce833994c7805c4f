// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension Defaults {
    static func pod(_ object: inout JSONValue) {
        podSpec(&object["spec"])
        // Only pods themselves, not the templates of workloads, get these.
        object["spec"]["enableServiceLinks"].setDefault(true)
        let isOnHostNetwork = object["spec"]["hostNetwork"] == true
        for list in ["containers", "initContainers"] {
            object["spec"][list].forEachElement { container in
                for (name, limit) in container["resources"]["limits"].members
                where container["resources"]["requests"][name].isNull {
                    container["resources"]["requests"][name] = limit
                }
                guard isOnHostNetwork else { return }
                container["ports"].forEachElement { $0["hostPort"].setDefaultForZero($0["containerPort"]) }
            }
        }
    }

    static func podSpec(_ spec: inout JSONValue) {
        spec["dnsPolicy"].setDefault("ClusterFirst")
        spec["restartPolicy"].setDefault("Always")
        if spec["securityContext"].isNull { spec["securityContext"] = [:] }
        spec["terminationGracePeriodSeconds"].setDefault(30)
        spec["schedulerName"].setDefault("default-scheduler")
        // `serviceAccount` is the old name of `serviceAccountName`; both are always shown.
        if let account = spec["serviceAccountName"].string ?? spec["serviceAccount"].string, !account.isEmpty {
            spec["serviceAccountName"] = .string(account)
            spec["serviceAccount"] = .string(account)
        }
        for list in ["containers", "initContainers", "ephemeralContainers"] { spec[list].forEachElement(container) }
        spec["volumes"].forEachElement(volume)
    }

    private static func container(_ container: inout JSONValue) {
        container["terminationMessagePath"].setDefault("/dev/termination-log")
        container["terminationMessagePolicy"].setDefault("File")
        container["imagePullPolicy"].setDefault(.string(imagePullPolicy(container["image"].string ?? "")))
        container["ports"].forEachElement { $0["protocol"].setDefault("TCP") }
        container["env"].forEachElement { fieldReference(&$0["valueFrom"]) }
        for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
            guard case .object = container[name] else { continue }
            probe(&container[name])
        }
        for name in ["postStart", "preStop"] {
            guard case .object = container["lifecycle"][name]["httpGet"] else { continue }
            httpGet(&container["lifecycle"][name]["httpGet"])
        }
    }

    /// `Always` for the tag `latest`, said or implied; `IfNotPresent` for any other tag or a digest.
    static func imagePullPolicy(_ image: String) -> String {
        if image.contains("@") { return "IfNotPresent" }
        let name = image.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        guard let colon = name.lastIndex(of: ":") else { return "Always" }
        return name[name.index(after: colon)...] == "latest" ? "Always" : "IfNotPresent"
    }

    private static func probe(_ probe: inout JSONValue) {
        probe["timeoutSeconds"].setDefaultForZero(1)
        probe["periodSeconds"].setDefaultForZero(10)
        probe["successThreshold"].setDefaultForZero(1)
        probe["failureThreshold"].setDefaultForZero(3)
        if case .object = probe["httpGet"] { httpGet(&probe["httpGet"]) }
        if case .object = probe["grpc"], probe["grpc"]["service"].isNull { probe["grpc"]["service"] = "" }
    }

    private static func httpGet(_ action: inout JSONValue) {
        action["path"].setDefault("/")
        action["scheme"].setDefault("HTTP")
    }

    private static func fieldReference(_ source: inout JSONValue) {
        guard case .object = source["fieldRef"] else { return }
        source["fieldRef"]["apiVersion"].setDefault("v1")
    }

    private static func volume(_ volume: inout JSONValue) {
        if volume.members.keys.allSatisfy({ $0 == "name" }) { volume["emptyDir"] = [:] }
        for source in ["secret", "configMap", "downwardAPI", "projected"] {
            guard case .object = volume[source] else { continue }
            volume[source]["defaultMode"].setDefault(420)
        }
        hostPath(&volume)
        downwardItems(&volume["downwardAPI"])
        if case .array = volume["projected"]["sources"] {
            volume["projected"]["sources"].forEachElement { source in
                downwardItems(&source["downwardAPI"])
                guard case .object = source["serviceAccountToken"] else { return }
                source["serviceAccountToken"]["expirationSeconds"].setDefault(3600)
            }
        }
        if case .object = volume["iscsi"] { volume["iscsi"]["iscsiInterface"].setDefault("default") }
        if case .object = volume["ephemeral"]["volumeClaimTemplate"] {
            claimSpec(&volume["ephemeral"]["volumeClaimTemplate"]["spec"])
        }
        if case .object(let image) = volume["image"] {
            volume["image"]["pullPolicy"].setDefault(.string(imagePullPolicy(image["reference"]?.string ?? "")))
        }
    }

    private static func downwardItems(_ source: inout JSONValue) {
        guard case .array = source["items"] else { return }
        source["items"].forEachElement(fieldReference)
    }
}
