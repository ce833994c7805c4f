// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI
import KubeStore

/// Pod Security admission: what the labels of a namespace ask of its pods.
///
/// Source: Kubernetes "Pod Security Admission".
struct PodSecurityAdmission {
    /// Subresources that change nothing of what pods may do.
    private static let ignoredSubresources: Set<String> = [
        "exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status",
    ]
    /// Kinds with a pod template.
    private static let workloads: Set<String> = [
        "podtemplates", "replicationcontrollers", "replicasets.apps", "deployments.apps", "daemonsets.apps",
        "statefulsets.apps", "jobs.batch", "cronjobs.batch",
    ]

    private let store: KubeStore

    init(_ store: KubeStore) { self.store = store }

    private func policy(_ namespace: String) -> PodSecurityPolicy {
        let key = StoreKey(resource: KubeResource.namespaces.qualifiedName, namespace: "", name: namespace)
        guard let stored = store.get(key) else { return .privileged }
        var faults: [StatusCause] = []
        return PodSecurityPolicy(labels: stored.labels, faults: &faults)
    }

    func validate(pod: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        guard !Self.ignoredSubresources.contains(attributes.subresource) else { return }
        let policy = policy(attributes.namespace)
        guard !policy.isPrivileged else { return }
        if let old = attributes.old, !PodSecurityEvaluation.isSignificant(pod, from: old) { return }
        let violations = Self.violations(pod.spec, pod.annotations, policy.enforce)
        attributes.notes.annotate("pod-security.kubernetes.io/enforce-policy", policy.enforce.description)
        if !violations.isEmpty {
            throw attributes.forbidden(pod, "violates PodSecurity \"\(policy.enforce)\": \(violations)")
        }
        tell(pod.spec, pod.annotations, policy, attributes)
    }

    /// Workloads are not refused, but their pods will be: the client is warned.
    func judge(workload: KubeObject, _ attributes: AdmissionAttributes) {
        guard attributes.subresource.isEmpty, Self.workloads.contains(attributes.resource.qualifiedName) else { return }
        let policy = policy(attributes.namespace)
        guard policy.warn.level != .privileged || policy.audit.level != .privileged,
            let template = PodSecurityEvaluation.template(of: workload), !template["spec"].isNull
        else { return }
        tell(template["spec"], template["metadata"]["annotations"].stringMembers, policy, attributes)
    }

    private func tell(
        _ spec: JSONValue, _ annotations: [String: String], _ policy: PodSecurityPolicy,
        _ attributes: AdmissionAttributes
    ) {
        let forAudit = Self.violations(spec, annotations, policy.audit)
        if !forAudit.isEmpty {
            attributes.notes.annotate(
                "pod-security.kubernetes.io/audit-violations",
                "would violate PodSecurity \"\(policy.audit)\": \(forAudit)")
        }
        let toWarn = policy.warn == policy.audit ? forAudit : Self.violations(spec, annotations, policy.warn)
        if !toWarn.isEmpty { attributes.notes.warn("would violate PodSecurity \"\(policy.warn)\": \(toWarn)") }
    }

    private static func violations(
        _ spec: JSONValue, _ annotations: [String: String], _ standard: PodSecurityPolicy.Standard
    ) -> String {
        PodSecurityEvaluation.text(
            PodSecurityEvaluation.violations(spec: spec, annotations: annotations, of: standard))
    }

    func validate(namespace: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        guard attributes.subresource.isEmpty else { return }
        var faults: [StatusCause] = []
        let policy = PodSecurityPolicy(labels: namespace.labels, faults: &faults)
        guard let old = attributes.old else {
            if !faults.isEmpty { throw .invalid(attributes.resource, namespace.name, faults) }
            return
        }
        var oldFaults: [StatusCause] = []
        let oldPolicy = PodSecurityPolicy(labels: old.labels, faults: &oldFaults)
        if !faults.isEmpty, faults != oldFaults { throw .invalid(attributes.resource, namespace.name, faults) }
        let isRelaxed =
            policy.enforce.minor == oldPolicy.enforce.minor && policy.enforce.level <= oldPolicy.enforce.level
        guard policy.enforce != oldPolicy.enforce, policy.enforce.level != .privileged, !isRelaxed else { return }
        // Rare and bounded: somebody asks a namespace's pods to keep another standard.
        let list = try? store.list(
            resource: KubeResource.pods.qualifiedName, namespace: namespace.name, limit: PodSecurityEvaluation.mostPods)
        guard let list else { return }
        let pods = list.objects.compactMap { (try? JSONParser.parse($0.bytes)).map(KubeObject.init) }
        let warnings = PodSecurityEvaluation.warnings(
            namespace: namespace.name, pods: pods, total: pods.count + list.remaining, standard: policy.enforce)
        for warning in warnings { attributes.notes.warn(warning) }
    }
}
