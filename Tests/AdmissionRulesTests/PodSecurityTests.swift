// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI
import Testing

@Suite struct PodSecurityTests {
    private static let good: JSONValue = [
        "containers": [
            [
                "name": "c",
                "securityContext": [
                    "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]], "runAsNonRoot": true,
                    "seccompProfile": ["type": "RuntimeDefault"],
                ],
            ]
        ]
    ]

    private func text(
        _ spec: JSONValue, _ level: PodSecurityPolicy.Level, minor: Int? = nil, annotations: [String: String] = [:]
    ) -> String {
        PodSecurityEvaluation.text(
            PodSecurityEvaluation.violations(
                spec: spec, annotations: annotations, of: .init(level, minor: minor)))
    }

    @Test func whatEachLevelAllows() {
        #expect(text(Self.good, .restricted) == "")
        let plain: JSONValue = ["containers": [["name": "a"], ["name": "b"]]]
        #expect(text(plain, .baseline) == "")
        #expect(
            text(plain, .restricted)
                == "allowPrivilegeEscalation != false (containers \"a\", \"b\" must set "
                + "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers \"a\", \"b\" "
                + "must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or containers \"a\", "
                + "\"b\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or containers \"a\", \"b\" "
                + "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")")
        #expect(text(["hostPID": true, "containers": [["name": "a"]]], .privileged) == "")
    }

    /// A pod that keeps the level but for one change.
    @Test(
        arguments: [
            ("hostNetwork", true, "host namespaces (hostNetwork=true)"),
            ("hostPID", true, "host namespaces (hostPID=true)"), ("hostIPC", true, "host namespaces (hostIPC=true)"),
            (
                "volumes", [["name": "v", "hostPath": ["path": "/"]], ["name": "w", "hostPath": ["path": "/"]]],
                "hostPath volumes (volumes \"v\", \"w\")"
            ),
            ("container.ports", [["hostPort": 9], ["hostPort": 8]], "hostPort (container \"c\" uses hostPorts 8, 9)"),
            (
                "container.securityContext.privileged", true,
                "privileged (container \"c\" must not set securityContext.privileged=true)"
            ),
            (
                "container.securityContext.capabilities.add", ["NET_RAW", "CHOWN", "SYS_ADMIN"],
                "non-default capabilities (container \"c\" must not include \"NET_RAW\", \"SYS_ADMIN\" in "
                    + "securityContext.capabilities.add)"
            ),
            (
                "container.securityContext.procMount", "Unmasked",
                "procMount (container \"c\" must not set securityContext.procMount to \"Unmasked\")"
            ),
            (
                "container.securityContext.seLinuxOptions", ["type": "spc_t", "user": "u", "role": "r"],
                "seLinuxOptions (container \"c\" set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not "
                    + "be set; role may not be set)"
            ),
            (
                "securityContext.seccompProfile", ["type": "Unconfined"],
                "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")"
            ),
            (
                "securityContext.appArmorProfile", ["type": "Unconfined"],
                "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")"
            ),
            (
                "securityContext.sysctls", [["name": "kernel.msgmax"], ["name": "net.ipv4.tcp_rmem"]],
                "forbidden sysctls (kernel.msgmax)"
            ),
            (
                "securityContext.windowsOptions", ["hostProcess": true],
                "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"
            ),
            (
                "container.livenessProbe", ["httpGet": ["host": "h"]],
                "probe or lifecycle host (container \"c\" uses probe or lifecycle host \"h\")"
            ),
            (
                "container.lifecycle", ["preStop": ["tcpSocket": ["host": "h"]]],
                "probe or lifecycle host (container \"c\" uses probe or lifecycle host \"h\")"
            ),
        ] as [(String, JSONValue, String)])
    func baseline(path: String, value: JSONValue, found: String) {
        #expect(text(changed(path, value), .baseline) == found)
    }

    @Test(
        arguments: [
            (
                "container.securityContext.allowPrivilegeEscalation", true,
                "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false)"
            ),
            (
                "container.securityContext.capabilities", ["drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]],
                "unrestricted capabilities (container \"c\" must not include \"CHOWN\" in securityContext.capabilities.add)"
            ),
            (
                "container.securityContext.runAsNonRoot", false,
                "runAsNonRoot != true (container \"c\" must not set securityContext.runAsNonRoot=false)"
            ),
            ("securityContext.runAsUser", 0, "runAsUser=0 (pod must not set runAsUser=0)"),
            (
                "container.securityContext.seccompProfile", ["type": "Unconfined"],
                "seccompProfile (container \"c\" must not set securityContext.seccompProfile.type to \"Unconfined\")"
            ),
            (
                "volumes",
                [
                    ["name": "v", "nfs": ["server": "s"]], ["name": "h", "hostPath": ["path": "/"]],
                    ["name": "s", "secret": [:]],
                ],
                "restricted volume types (volumes \"v\", \"h\" use restricted volume types \"hostPath\", \"nfs\")"
            ),
            (
                "container.securityContext.procMount", "Unmasked",
                "procMount (container \"c\" must not set securityContext.procMount to \"Unmasked\")"
            ),
        ] as [(String, JSONValue, String)])
    func restricted(path: String, value: JSONValue, found: String) {
        #expect(text(changed(path, value), .restricted) == found)
    }

    private func changed(_ path: String, _ value: JSONValue) -> JSONValue {
        func set(_ json: inout JSONValue, _ steps: ArraySlice<Substring>) {
            guard let step = steps.first else {
                json = value
                return
            }
            var member = json[String(step)]
            set(&member, steps.dropFirst())
            json[String(step)] = member
        }
        var spec = Self.good
        let steps = path.split(separator: ".")
        if steps.first == "container" {
            var container = spec["containers"][0]
            set(&container, steps.dropFirst())
            spec["containers"] = [container]
        } else {
            set(&spec, steps[...])
        }
        return spec
    }

    @Test func versionsDiffer() {
        let probe: JSONValue = ["containers": [["name": "c", "livenessProbe": ["httpGet": ["host": "h"]]]]]
        #expect(text(probe, .baseline, minor: 33) == "")
        #expect(text(probe, .baseline, minor: 34) != "")
        let sysctl: JSONValue = ["securityContext": ["sysctls": [["name": "net.ipv4.tcp_rmem"]]], "containers": []]
        #expect(text(sysctl, .baseline, minor: 31) == "forbidden sysctls (net.ipv4.tcp_rmem)")
        #expect(text(sysctl, .baseline, minor: 32) == "")
        let root: JSONValue = ["hostUsers": false, "securityContext": ["runAsUser": 0], "containers": []]
        #expect(text(root, .restricted, minor: 34) == "runAsUser=0 (pod must not set runAsUser=0)")
        #expect(text(root, .restricted, minor: 35) == "")
        let annotations = ["seccomp.security.alpha.kubernetes.io/pod": "unconfined"]
        #expect(
            text(["containers": []], .baseline, minor: 18, annotations: annotations)
                == "seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")")
        #expect(text(["containers": []], .baseline, annotations: annotations) == "")
        #expect(
            text(
                ["containers": []], .baseline,
                annotations: ["container.apparmor.security.beta.kubernetes.io/c": "unconfined"])
                == "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
                + "\"container.apparmor.security.beta.kubernetes.io/c=\"unconfined\"\")")
        #expect(
            text(
                ["os": ["name": "windows"], "containers": [["name": "c", "securityContext": ["runAsNonRoot": true]]]],
                .restricted) == "")
    }

    // MARK: Labels

    private func policy(_ labels: [String: String]) -> (PodSecurityPolicy, [StatusCause]) {
        var faults: [StatusCause] = []
        let prefixed = Dictionary(
            uniqueKeysWithValues: labels.map { ("pod-security.kubernetes.io/\($0.key)", $0.value) })
        let policy = PodSecurityPolicy(labels: prefixed, faults: &faults)
        return (policy, faults)
    }

    @Test func labels() {
        #expect(policy([:]).0.isPrivileged)
        let (policy, faults) = policy(["enforce": "baseline", "enforce-version": "v1.30", "audit": "restricted"])
        #expect(faults.isEmpty)
        #expect(policy.enforce.description == "baseline:v1.30")
        #expect(policy.audit.description == "restricted:latest")
        #expect(policy.warn == policy.enforce, "what is enforced is warned of")
        #expect(self.policy(["enforce": "baseline", "warn": "privileged"]).0.warn.level == .privileged)
        #expect(self.policy(["enforce": "restricted", "warn": "baseline"]).0.warn.level == .baseline)
    }

    @Test(arguments: [
        ("enforce", "strict", "must be one of privileged, baseline, restricted"),
        ("enforce-version", "1.30", "must be \"latest\" or \"v1.x\""),
        ("warn-version", "v1.030", "must be \"latest\" or \"v1.x\""),
        ("audit-version", "v2.1", "must be \"latest\" or \"v1.x\""),
    ])
    func wrongLabels(label: String, value: String, why: String) {
        let (policy, faults) = policy([label: value])
        #expect(
            faults == [
                StatusCause(
                    reason: "FieldValueInvalid", field: "metadata.labels[pod-security.kubernetes.io/\(label)]",
                    message: "Invalid value: \"\(value)\": \(why)")
            ])
        if label == "enforce" { #expect(policy.enforce.level == .restricted, "closed rather than open") }
    }

    @Test func warningsAboutPodsThatAreThere() {
        func pod(_ name: String, _ spec: JSONValue) -> KubeObject {
            var pod = KubeObject(.pods, namespace: "n", name: name)
            pod.spec = spec
            return pod
        }
        let host: JSONValue = ["hostPID": true, "containers": []]
        let pods = [
            pod("c", host), pod("a", host), pod("b", host),
            pod("d", ["hostIPC": true, "containers": [["name": "x", "ports": [["hostPort": 1]]]]]),
            pod("fine", ["containers": []]),
        ]
        #expect(
            PodSecurityEvaluation.warnings(namespace: "n", pods: pods, total: 9, standard: .init(.baseline)) == [
                "new PodSecurity enforce level only checked against the first 5 of 9 existing pods",
                "existing pods in namespace \"n\" violate the new PodSecurity enforce level \"baseline:latest\"",
                "a (and 2 other pods): host namespaces", "d: host namespaces, hostPort",
            ])
    }
}
