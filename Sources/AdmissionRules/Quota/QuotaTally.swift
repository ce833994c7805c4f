// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What the objects of one kind in one namespace use, by quota: exact at every moment, kept by applying changes.
///
/// A write that is under way is reserved: it counts from its decision until what it stored is seen, or it has failed.
/// So however many writes run at once, together they never use more than there is.
package struct QuotaTally: Sendable {
    private struct Reservation: Sendable {
        var name: String
        var usage: [String: ResourceList]
        var isCreation: Bool
        /// The store's revision when it was made: only a later change of the object can be what was reserved for.
        var revision: Int64
    }

    private let kind: QuotaKind
    /// The quotas that limit something of the kind, by name.
    package private(set) var rules: [QuotaRule]
    private var measures: [String: QuotaMeasure] = [:]
    private var used: [String: ResourceList] = [:]
    private var reservations: [Int: Reservation] = [:]
    private var lastReservation = 0
    /// Objects that will count for less without being changed.
    private var expiring: Set<String> = []

    package init(kind: QuotaKind, rules: [QuotaRule]) {
        self.kind = kind
        self.rules = rules.sorted { $0.name < $1.name }
    }

    /// Whether it knows of no object and no quota.
    package var isEmpty: Bool { measures.isEmpty && rules.isEmpty }

    /// The same without objects, to be filled again: what is reserved stays.
    package func emptied() -> QuotaTally {
        var tally = QuotaTally(kind: kind, rules: rules)
        tally.reservations = reservations
        tally.lastReservation = lastReservation
        return tally
    }

    // MARK: Changes

    /// Takes in an object as it is stored; returns whether it counts for something else than before.
    @discardableResult
    package mutating func set(_ name: String, _ measure: QuotaMeasure, revision: Int64) -> Bool {
        settle(name, revision)
        let old = measures[name]
        guard old != measure else { return false }
        if let old { count(old, -1) }
        measures[name] = measure
        count(measure, 1)
        if measure.expires == nil { expiring.remove(name) } else { expiring.insert(name) }
        return true
    }

    /// Takes in that an object is gone.
    package mutating func remove(_ name: String, revision: Int64) {
        if let old = measures.removeValue(forKey: name) { count(old, -1) }
        expiring.remove(name)
        settle(name, revision)
    }

    /// Takes in that the quotas have changed.
    package mutating func use(_ rules: [QuotaRule]) {
        let sorted = rules.sorted { $0.name < $1.name }
        guard sorted != self.rules else { return }
        self.rules = sorted
        used = [:]
        for measure in measures.values { count(measure, 1) }
    }

    /// When ``expire(now:)`` has something to do next.
    package var nextExpiry: Timestamp? { expiring.compactMap { measures[$0]?.expires }.min() }

    /// Lets go of pods whose time to end is over.
    package mutating func expire(now: Timestamp) {
        for name in expiring {
            guard let measure = measures[name], let end = measure.expires, end < now else { continue }
            count(measure, -1)
            let rest = measure.expired(kind)
            measures[name] = rest
            count(rest, 1)
            expiring.remove(name)
        }
    }

    private mutating func count(_ measure: QuotaMeasure, _ sign: Int) {
        for rule in rules where rule.covers(measure) {
            let part = rule.limited(measure.usage)
            if sign > 0 {
                used[rule.name, default: [:]].add(part)
            } else {
                used[rule.name, default: [:]].subtract(part)
            }
        }
    }

    private mutating func settle(_ name: String, _ revision: Int64) {
        guard !reservations.isEmpty else { return }
        for (id, reservation) in reservations where reservation.name == name && reservation.revision < revision {
            reservations[id] = nil
        }
    }

    // MARK: Decisions

    /// What is used of a quota, writes under way included.
    package func used(_ rule: QuotaRule) -> ResourceList {
        var total = used[rule.name] ?? [:]
        for reservation in reservations.values where !(reservation.isCreation && measures[reservation.name] != nil) {
            total.add(reservation.usage[rule.name] ?? [:])
        }
        return total
    }

    /// Decides about a write, and reserves what it uses when it is allowed.
    ///
    /// - Parameters:
    ///   - name: the object's name.
    ///   - new: what it will count for.
    ///   - old: what it counts for now; nil for a creation.
    ///   - revision: the store's newest revision.
    ///   - isDryRun: whether nothing will be written.
    /// - Returns: why it is refused, or the number of the reservation, nil when it uses nothing more.
    package mutating func decide(
        _ name: String, new: QuotaMeasure, old: QuotaMeasure?, revision: Int64, isDryRun: Bool
    ) -> Decision {
        var usage: [String: ResourceList] = [:]
        for rule in rules where rule.covers(new) {
            var delta = rule.limited(new.usage)
            if let old, rule.covers(old) { delta.subtract(rule.limited(old.usage)) }
            delta = delta.filter { $0.value.millis > 0 }
            guard !delta.isEmpty else { continue }
            if let refusal = rule.refusal(of: delta, used: used(rule)) { return .refused(refusal) }
            usage[rule.name] = delta
        }
        guard !usage.isEmpty, !isDryRun else { return .allowed(reservation: nil) }
        lastReservation += 1
        reservations[lastReservation] = Reservation(
            name: name, usage: usage, isCreation: old == nil, revision: revision)
        return .allowed(reservation: lastReservation)
    }

    /// What was decided.
    package enum Decision: Equatable, Sendable {
        case allowed(reservation: Int?)
        case refused(String)
    }

    /// The write has been stored, and its change has been seen or will be before the next decision; or it has failed.
    package mutating func release(_ reservation: Int) { reservations[reservation] = nil }
}
