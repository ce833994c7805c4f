// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import Synchronization

/// Keeps the status of each ResourceQuota: what is limited, and what of it is used now.
///
/// Admission decides by what is stored; the status is what people and clients read. It is written as soon as an object
/// changes what it counts for. Kinds are followed as quotas begin to limit them, custom ones included.
final class QuotaController: Reconciler {
    /// A kind that some quota limits.
    private struct Followed {
        let informer: Informer
        /// What its objects use, by namespace.
        var tallies: [String: QuotaTally] = [:]
    }

    private struct State {
        var discovery = ResourceDiscovery()
        var followed: [QuotaKind: Followed] = [:]
    }

    /// A kind that the server does not have is looked for again after this time.
    private static let discoveryInterval: Duration = .seconds(10)
    /// One that it is about to show, after this.
    private static let showingInterval: Duration = .milliseconds(20)

    private let client: KubeClient
    private let quotas: Informer
    private let informers: InformerFactory
    private let kinds: CustomKinds
    private let logger: Logger
    private let state = Mutex(State())
    private let controller = Mutex<Controller?>(nil)

    init(_ context: ControllerContext) {
        client = context.client("resourcequota-controller")
        informers = context.informers
        kinds = CustomKinds(context.informers)
        quotas = informers.informer(.resourceQuotas)
        logger = context.logger
    }

    /// What its queue has done until now; nil before it runs.
    var statistics: QueueStatistics? { controller.withLock { $0 }?.statistics }

    /// Works until cancelled.
    func run() async {
        let controller = Controller(
            name: "resourcequota-controller", sources: [.objects(of: quotas)], reconciler: self, logger: logger)
        self.controller.withLock { $0 = controller }
        kinds.onChange { [weak self] name in self?.kindChanged(name) }
        await controller.run()
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        let rules = quotas.list(namespace: key.namespace).map { QuotaRule($0) }
        guard var quota = quotas.get(key), !quota.isBeingDeleted else {
            state.withLock { state in
                for kind in state.followed.keys { state.followed[kind]?.tallies[key.namespace]?.use(rules, of: kind) }
            }
            return .done
        }
        let rule = QuotaRule(quota)
        var used = rule.hard.mapValues { ResourceAmount(millis: 0, isBinary: $0.isBinary) }
        var result = ReconcileResult.done
        for kind in Set(rule.hard.keys.compactMap(QuotaKind.init(limiting:))) {
            guard let informer = try await follow(kind) else {
                result = .after(kinds.isServed(kind.resource) ? Self.showingInterval : Self.discoveryInterval)
                continue
            }
            await informer.waitUntilSynced()
            let (part, expiry) = use(of: rule, kind, key.namespace, rules)
            used.add(part.filter { rule.hard[$0.key] != nil })
            if let expiry { result = .after(max(.seconds(1), expiry - .now())) }
        }
        var status: JSONValue = .object([:])
        if !rule.hard.isEmpty { status = ["hard": quota.spec["hard"], "used": used.json] }
        guard !Self.isSame(quota.status, status) else { return result }
        quota.status = status
        do {
            _ = try await client.updateStatus(.resourceQuotas, quota)
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return result
    }

    private static func isSame(_ left: JSONValue, _ right: JSONValue) -> Bool {
        ["hard", "used"].allSatisfy { ResourceList(left[$0]) == ResourceList(right[$0]) }
    }

    private func use(
        of rule: QuotaRule, _ kind: QuotaKind, _ namespace: String, _ rules: [QuotaRule]
    ) -> (ResourceList, Timestamp?) {
        state.withLock { state in
            var tally =
                state.followed[kind]?.tallies.removeValue(forKey: namespace) ?? QuotaTally(kind: kind, rules: [])
            tally.use(rules, of: kind)
            tally.expire(now: .now())
            defer { state.followed[kind]?.tallies[namespace] = tally }
            return (tally.used(rule), tally.nextExpiry)
        }
    }

    // MARK: Kinds

    /// A custom kind came, changed or went: it is looked for anew, and counted where quotas name it.
    private func kindChanged(_ name: String) {
        let isFollowed = state.withLock { state in
            let kinds = state.followed.keys.filter { $0.resource == name }
            for kind in kinds { state.followed[kind] = nil }
            state.discovery = ResourceDiscovery()
            return !kinds.isEmpty
        }
        guard let controller = controller.withLock({ $0 }) else { return }
        for quota in quotas.list() {
            let limited = QuotaRule(quota).hard.keys.compactMap(QuotaKind.init(limiting:))
            if isFollowed || limited.contains(where: { $0.resource == name }) { controller.add(quota.key) }
        }
    }

    /// The objects of a kind; nil while the server has none of that name.
    private func follow(_ kind: QuotaKind) async throws -> Informer? {
        if let informer = state.withLock({ $0.followed[kind]?.informer }) { return informer }
        var resource = state.withLock { Self.find(kind, in: $0.discovery) }
        if resource == nil {
            let discovery = try await ResourceDiscovery(client: client)
            state.withLock { $0.discovery = discovery }
            resource = Self.find(kind, in: discovery)
        }
        guard let resource else { return nil }
        let informer = informers.informer(resource)
        let isNew = state.withLock { state in
            guard state.followed[kind] == nil else { return false }
            state.followed[kind] = Followed(informer: informer)
            return true
        }
        if isNew { informer.onChange { [weak self] event in self?.take(event, kind) } }
        return informer
    }

    private static func find(_ kind: QuotaKind, in discovery: ResourceDiscovery) -> KubeResource? {
        discovery.entries.first { entry in
            entry.resource.qualifiedName == kind.resource && entry.resource.isNamespaced
                && entry.verbs.isSuperset(of: ["list", "watch"])
        }?.resource
    }

    private func take(_ event: InformerEvent, _ kind: QuotaKind) {
        let object = event.object
        let measure = kind.measure(object)
        let concerned = state.withLock { state -> [String] in
            guard var followed = state.followed.removeValue(forKey: kind) else { return [] }
            defer { state.followed[kind] = followed }
            var tally = followed.tallies.removeValue(forKey: object.namespace) ?? QuotaTally(kind: kind, rules: [])
            defer { followed.tallies[object.namespace] = tally.isEmpty ? nil : tally }
            if case .deleted = event {
                tally.remove(object.name, revision: 0)
            } else if !tally.set(object.name, measure, revision: 0) {
                return []
            }
            return tally.rules.map(\.name)
        }
        guard !concerned.isEmpty, let controller = controller.withLock({ $0 }) else { return }
        for name in concerned { controller.add(ObjectKey(namespace: object.namespace, name: name)) }
    }
}

extension QuotaTally {
    /// Takes in the quotas of the namespace that limit something of a kind.
    fileprivate mutating func use(_ rules: [QuotaRule], of kind: QuotaKind) { use(rules.filter { $0.concerns(kind) }) }
}
