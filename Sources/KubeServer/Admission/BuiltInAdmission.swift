// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI
import KubeStore

/// The admission steps that Kubernetes has built in, in upstream's order: what changes pods, then what judges them,
/// quota last.
///
/// What they read of the cluster is in ``LiveIndex``es: an object that meets no rule costs a few look-ups.
///
/// Source: Kubernetes "Admission Controllers Reference".
final class BuiltInAdmission: Sendable {
    private let store: KubeStore
    private let accounts: LiveIndex<ServiceAccountRules.Account>
    private let limits: LiveIndex<LimitRangeRules>
    private let priorities: LiveIndex<PriorityRules.Class>
    private let runtimeClasses: LiveIndex<RuntimeClassRules.Class>
    private let quota: QuotaAdmission
    private let requiresAccounts: Bool

    init(_ store: KubeStore, requiresAccounts: Bool, now: @escaping @Sendable () -> Timestamp) {
        self.store = store
        self.requiresAccounts = requiresAccounts
        accounts = LiveIndex(store, .serviceAccounts) { ServiceAccountRules.Account($0) }
        limits = LiveIndex(store, .limitRanges) { LimitRangeRules($0) }
        priorities = LiveIndex(store, .priorityClasses) { PriorityRules.Class($0) }
        runtimeClasses = LiveIndex(store, .runtimeClasses) { RuntimeClassRules.Class($0) }
        quota = QuotaAdmission(store, now: now)
    }

    /// The steps around those that are configured: what changes objects and judges pods before them, quota after them.
    func plugins(around configured: [AdmissionPlugin]) -> [AdmissionPlugin] {
        [
            AdmissionPlugin(
                name: "BuiltIn",
                admit: { [self] object, attributes async throws(StatusError) in
                    switch attributes.resource {
                    case .pods: try await admit(pod: &object, attributes)
                    case .priorityClasses: try admit(priorityClass: object, attributes)
                    default: break
                    }
                },
                validate: { [self] object, attributes throws(StatusError) in try validate(object, attributes) })
        ] + configured + [
            AdmissionPlugin(
                name: "ResourceQuota",
                validate: { [quota] object, attributes throws(StatusError) in
                    try quota.validate(object, attributes)
                })
        ]
    }

    // MARK: Changes

    private func admit(pod: inout KubeObject, _ attributes: AdmissionAttributes) async throws(StatusError) {
        guard attributes.subresource.isEmpty else { return }
        switch attributes.operation {
        case .create:
            for (_, rules) in limits.read({ $0[attributes.namespace] }).sorted(by: { $0.key < $1.key }) {
                rules.applyDefaults(to: &pod)
            }
            if requiresAccounts { try await admit(accountOf: &pod, attributes) }
            try refuse(PriorityRules.resolve(&pod, classes: priorities.read { $0[""] }), pod, attributes)
            if let name = pod.spec["runtimeClassName"].string {
                guard let runtime = runtimeClasses["", name] else {
                    throw attributes.forbidden(pod, RuntimeClassRules.refusal(ofAbsent: name))
                }
                try refuse(RuntimeClassRules.apply(runtime, to: &pod), pod, attributes)
            }
            // Limit ranges may have given it requests and limits.
            pod.status["qosClass"] = .string(PodRules.qosClass(pod.spec))
        case .update:
            // What was resolved at creation stays where a client leaves it out.
            guard let old = attributes.old else { return }
            for field in ["priority", "preemptionPolicy"] where pod.spec[field].isNull {
                pod.spec[field] = old.spec[field]
            }
        case .delete: break
        }
    }

    private func admit(accountOf pod: inout KubeObject, _ attributes: AdmissionAttributes) async throws(StatusError) {
        if ServiceAccountRules.isMirror(pod) {
            return try refuse(ServiceAccountRules.refusal(ofMirror: pod), pod, attributes)
        }
        let name = ServiceAccountRules.name(&pod)
        guard let account = await account(attributes.namespace, name) else {
            throw attributes.forbidden(
                pod,
                "error looking up service account \(attributes.namespace)/\(name): serviceaccount \"\(name)\" "
                    + "not found")
        }
        ServiceAccountRules.apply(account, to: &pod, suffix: RandomID.suffix())
    }

    /// The account of that name. The default one of a new namespace is waited for: it is made soon after the namespace.
    private func account(_ namespace: String, _ name: String) async -> ServiceAccountRules.Account? {
        if let account = accounts[namespace, name] { return account }
        guard name == ServiceAccountRules.defaultName else { return nil }
        // Upstream looks ten times, 100 to 200 ms apart: too short where the controllers share a busy machine. Counted in
        // looks, ten seconds of them, as a process that was stopped still looks.
        for _ in 0..<500 {
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { return nil }
            if let account = accounts[namespace, name] { return account }
        }
        return nil
    }

    private func admit(priorityClass: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        guard attributes.operation != .delete, attributes.subresource.isEmpty else { return }
        try refuse(
            PriorityRules.refusal(ofDefault: priorityClass, classes: priorities.read { $0[""] }), priorityClass,
            attributes)
    }

    // MARK: Judgements

    private func validate(_ object: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        guard attributes.operation != .delete else { return }
        switch attributes.resource {
        case .pods:
            if attributes.subresource.isEmpty, attributes.operation == .create {
                try validate(newPod: object, attributes)
            }
            try PodSecurityAdmission(store).validate(pod: object, attributes)
        case .persistentVolumeClaims:
            guard attributes.subresource.isEmpty else { return }
            try refuse(
                limits.read { $0[attributes.namespace] }.flatMap { $0.value.faults(ofClaim: object) }, object,
                attributes)
        case .namespaces: try PodSecurityAdmission(store).validate(namespace: object, attributes)
        default:
            if attributes.resource.isNamespaced { PodSecurityAdmission(store).judge(workload: object, attributes) }
        }
    }

    private func validate(newPod pod: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        for (_, rules) in limits.read({ $0[attributes.namespace] }).sorted(by: { $0.key < $1.key }) {
            try refuse(rules.faults(of: pod), pod, attributes)
        }
        if requiresAccounts, !ServiceAccountRules.isMirror(pod) {
            let name = pod.spec["serviceAccountName"].string ?? ""
            if let account = accounts[attributes.namespace, name] {
                try refuse(ServiceAccountRules.refusal(of: pod, account: account, named: name), pod, attributes)
            }
        }
        let runtime = pod.spec["runtimeClassName"].string.flatMap { runtimeClasses["", $0] }
        try refuse(RuntimeClassRules.refusal(of: pod, class: runtime), pod, attributes)
    }

    private func refuse(_ why: String?, _ object: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        if let why { throw attributes.forbidden(object, why) }
    }

    private func refuse(
        _ faults: [String], _ object: KubeObject, _ attributes: AdmissionAttributes
    ) throws(StatusError) {
        guard let first = faults.first else { return }
        throw attributes.forbidden(object, faults.count == 1 ? first : "[\(faults.joined(separator: ", "))]")
    }
}

extension AdmissionAttributes {
    /// 403, in the name that the client gave: what a controller tells of pods that it cannot create does not change
    /// with each name that is made for one.
    func forbidden(_ object: KubeObject, _ why: String) -> StatusError {
        let prefix = operation == .create ? object.metadata["generateName"].string ?? "" : ""
        let isGenerated = !prefix.isEmpty && object.name.hasPrefix(prefix)
        return .forbidden(resource, isGenerated ? prefix : object.name, why)
    }
}
