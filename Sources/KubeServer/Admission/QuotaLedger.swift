// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI
import KubeStore
import Synchronization

/// What the namespaces with quotas use, kept up to date from the store's changes when a write asks.
///
/// One ledger a kind; only namespaces whose quotas limit the kind are in it, so a cluster without quotas pays nothing.
final class QuotaLedger: Sendable {
    private struct Namespace {
        var tally: QuotaTally
        /// What of the store is in the tally.
        var revision: Int64
    }

    private struct State {
        var namespaces: [String: Namespace] = [:]
        var watch: StoreWatch?
    }

    private let store: KubeStore
    private let kind: QuotaKind
    /// The name under which the store keeps the kind's objects.
    private let resource: String
    private let state = Mutex(State())

    init(_ store: KubeStore, kind: QuotaKind, resource: String) {
        self.store = store
        self.kind = kind
        self.resource = resource
    }

    /// Decides about a write and reserves what it uses.
    func decide(
        _ object: KubeObject, new: QuotaMeasure, old: QuotaMeasure?, rules: [QuotaRule], now: Timestamp, isDryRun: Bool
    ) -> QuotaTally.Decision {
        state.withLock { state in
            catchUp(&state)
            var namespace = state.namespaces.removeValue(forKey: object.namespace) ?? load(object.namespace, rules)
            defer { state.namespaces[object.namespace] = namespace }
            namespace.tally.use(rules)
            namespace.tally.expire(now: now)
            return namespace.tally.decide(
                object.name, new: new, old: old, revision: store.revision, isDryRun: isDryRun)
        }
    }

    func release(_ reservation: Int, namespace: String) {
        state.withLock { $0.namespaces[namespace]?.tally.release(reservation) }
    }

    /// Forgets namespaces that have no quota any more.
    func keep(only namespaces: Set<String>) {
        state.withLock { state in
            state.namespaces = state.namespaces.filter { namespaces.contains($0.key) }
            if state.namespaces.isEmpty { state.watch = nil }
        }
    }

    private func catchUp(_ state: inout State) {
        if let watch = state.watch {
            do throws(StoreError) {
                for case .event(let event) in try watch.takeReady() { apply(event, &state) }
                return
            } catch {
                // More changed than is kept for a ledger that is seldom asked: the namespaces are read again.
                state.watch = nil
            }
        }
        let reserved = state.namespaces
        state.namespaces = [:]
        guard
            let watch = try? store.watch(
                resource: resource, after: store.revision, bufferBytes: LiveIndexBounds.bufferBytes)
        else { return }
        state.watch = watch
        // What is reserved stays reserved.
        for (name, old) in reserved { state.namespaces[name] = load(name, old.tally.rules, keeping: old.tally) }
    }

    private func load(_ name: String, _ rules: [QuotaRule], keeping old: QuotaTally? = nil) -> Namespace {
        var tally = old?.emptied() ?? QuotaTally(kind: kind, rules: rules)
        guard let list = try? store.list(resource: resource, namespace: name) else {
            return Namespace(tally: tally, revision: 0)
        }
        for object in list.objects { set(object, &tally) }
        return Namespace(tally: tally, revision: list.revision)
    }

    private func apply(_ event: StoreEvent, _ state: inout State) {
        let key = event.object.key
        guard let known = state.namespaces[key.namespace]?.revision, event.revision > known else { return }
        if event.kind == .deleted {
            state.namespaces[key.namespace]?.tally.remove(key.name, revision: event.revision)
        } else {
            // Optional chaining mutates in place: no copy of the tally.
            guard let measure = measure(event.object) else { return }
            state.namespaces[key.namespace]?.tally.set(key.name, measure, revision: event.revision)
        }
    }

    private func set(_ object: StoredObject, _ tally: inout QuotaTally) {
        if let measure = measure(object) { tally.set(object.key.name, measure, revision: object.revision) }
    }

    private func measure(_ object: StoredObject) -> QuotaMeasure? {
        guard kind.isParsed else { return kind.counted }
        return (try? JSONParser.parse(object.bytes)).map { kind.measure(KubeObject($0)) }
    }
}

/// ResourceQuota admission: the last step, since it reserves.
final class QuotaAdmission: Sendable {
    private struct State {
        var ledgers: [QuotaKind: QuotaLedger] = [:]
        /// Of the quotas, when ledgers were last freed.
        var generation = 0
    }

    /// Kinds that come and go too fast to be counted, and what quotas themselves are.
    private static let ignored: Set<String> = ["events", "bindings"]

    private let store: KubeStore
    private let now: @Sendable () -> Timestamp
    private let quotas: LiveIndex<QuotaRule>
    private let state = Mutex(State())

    init(_ store: KubeStore, now: @escaping @Sendable () -> Timestamp) {
        self.store = store
        self.now = now
        quotas = LiveIndex(store, .resourceQuotas) { QuotaRule($0) }
    }

    /// Throws when the namespace's quotas do not allow the write; else its use is reserved until the write has ended.
    func validate(_ object: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        guard attributes.resource.isNamespaced, attributes.operation != .delete else { return }
        let (found, generation) = quotas.read { ($0[attributes.namespace], $0.generation) }
        guard !found.isEmpty else { return }
        let kind = QuotaKind(resource: attributes.resource.qualifiedName)
        guard isMeasured(kind, attributes) else { return }
        let rules = found.values.filter { $0.concerns(kind) }.sorted { $0.name < $1.name }
        guard !rules.isEmpty else { return }
        let new = kind.measure(object)
        if kind == .pods {
            for rule in rules where rule.covers(new) {
                if let missing = rule.missing(in: object) { throw attributes.forbidden(object, missing) }
            }
        }
        let ledger = ledger(kind, attributes.resource.qualifiedName, generation)
        let decision = ledger.decide(
            object, new: new, old: attributes.old.map { kind.measure($0) }, rules: rules, now: now(),
            isDryRun: attributes.isDryRun)
        switch decision {
        case .refused(let why): throw attributes.forbidden(object, why)
        case .allowed(let reservation?):
            attributes.notes.atEnd { ledger.release(reservation, namespace: object.namespace) }
        case .allowed(nil): break
        }
    }

    /// Most objects use what they use from the start; services and claims may change it.
    private func isMeasured(_ kind: QuotaKind, _ attributes: AdmissionAttributes) -> Bool {
        switch kind {
        case .services, .claims: attributes.subresource.isEmpty
        case .pods:
            attributes.operation == .create && attributes.subresource.isEmpty || attributes.subresource == "resize"
        case .counted(let name):
            attributes.operation == .create && attributes.subresource.isEmpty && !Self.ignored.contains(name)
        }
    }

    private func ledger(_ kind: QuotaKind, _ resource: String, _ generation: Int) -> QuotaLedger {
        let (ledger, stale) = state.withLock { state -> (QuotaLedger, [QuotaLedger]) in
            let isChanged = state.generation != generation
            state.generation = generation
            let present = state.ledgers[kind] ?? QuotaLedger(store, kind: kind, resource: resource)
            state.ledgers[kind] = present
            return (present, isChanged ? Array(state.ledgers.values) : [])
        }
        if !stale.isEmpty {
            let namespaces = quotas.read { $0.namespaces }
            for ledger in stale { ledger.keep(only: namespaces) }
        }
        return ledger
    }
}
