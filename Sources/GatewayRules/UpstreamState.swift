// SPDX-License-Identifier: Apache-2.0

package typealias Instant = ContinuousClock.Instant

/// How a request at an endpoint ended.
package enum UpstreamOutcome: Sendable, Hashable {
    case success
    /// An answer of 500 and above, or none.
    case failure
    /// The client went away, or something else that says nothing about the endpoint.
    case unknown
}

/// The endpoints of an upstream: which is asked next, and which are left out for a while. The time is given.
package struct UpstreamState: Sendable {
    /// An endpoint that was picked; it is given back by ``UpstreamState/finished(_:_:now:)``.
    package struct Pick: Sendable, Hashable {
        package let endpoint: UpstreamEndpoint
        /// Which endpoint of the upstream it is, never used again for another.
        package let serial: Int
    }

    private struct Slot: Sendable {
        var endpoint: UpstreamEndpoint
        let serial: Int
        let hash: UInt64
        var inFlight = 0
        var consecutiveFailures = 0
        var ejections = 0
        var ejectedUntil: Instant?
        /// Found ready by a probe before its EndpointSlice says so.
        var isProbed = false

        var isReady: Bool { endpoint.isReady || isProbed }
    }

    private var slots: [Slot] = []
    /// Those that are gone, while requests of theirs run.
    private var leaving: [Int: Int] = [:]
    private var nextSerial = 0
    /// Nil: no endpoint is left out.
    package var outliers: TrafficPolicy.Outliers?
    /// Requests at a time for one endpoint, 0: any number.
    package var concurrency = 0
    /// Requests that run at endpoints.
    package private(set) var inFlight = 0

    package init() {}

    /// Takes over what an EndpointSlice says; endpoints that stay keep their counts.
    package mutating func update(_ endpoints: [UpstreamEndpoint]) {
        var old: [Address: Slot] = [:]
        for slot in slots { old[Address(slot.endpoint)] = slot }
        slots = []
        for endpoint in endpoints {
            if var slot = old.removeValue(forKey: Address(endpoint)) {
                // Said ready before and not ready now: the probe's word is older.
                if slot.endpoint.isReady, !endpoint.isReady { slot.isProbed = false }
                slot.endpoint = endpoint
                slots.append(slot)
            } else if !slots.contains(where: { Address($0.endpoint) == Address(endpoint) }) {
                slots.append(
                    Slot(
                        endpoint: endpoint, serial: nextSerial,
                        hash: StableHash.of("\(endpoint.address):\(endpoint.port)")))
                nextSerial += 1
            }
        }
        for slot in old.values where slot.inFlight > 0 { leaving[slot.serial] = slot.inFlight }
    }

    /// Whether an endpoint is still there.
    package func has(_ serial: Int) -> Bool { slots.contains { $0.serial == serial } }

    private struct Address: Hashable {
        let address: String
        let port: Int

        init(_ endpoint: UpstreamEndpoint) {
            address = endpoint.address
            port = endpoint.port
        }
    }

    /// Endpoints that take requests.
    package var readyCount: Int { slots.count(where: \.isReady) }

    /// Endpoints that are not known to be ready.
    package var waiting: [UpstreamEndpoint] { slots.lazy.filter { !$0.isReady }.map(\.endpoint) }

    /// Endpoints left out at a time.
    package func ejected(now: Instant) -> Int { slots.count { ($0.ejectedUntil ?? now) > now } }

    /// A probe has found the endpoint ready.
    package mutating func markReady(_ endpoint: UpstreamEndpoint) {
        guard let index = slots.firstIndex(where: { Address($0.endpoint) == Address(endpoint) }) else { return }
        slots[index].isProbed = true
    }

    /// How many requests the ready endpoints take at a time; nil for any number.
    package var capacity: Int? {
        let ready = readyCount
        return ready == 0 ? 0 : concurrency == 0 ? nil : ready * concurrency
    }

    /// Chooses the less busy of two random endpoints, or, with a key, always the same as long as it is there.
    /// `now`: asked for only where endpoints may be left out.
    /// `random`: 64 random bits.
    /// `key`: hash of what sticks to an endpoint.
    /// `excluded`: serials that this request has failed at; taken only when there is no other.
    /// Returns nil where no endpoint is ready.
    package mutating func pick(
        now: @autoclosure () -> Instant, random: UInt64, key: UInt64? = nil, excluding excluded: [Int] = []
    ) -> Pick? {
        guard slots.count > 1 else {
            guard let slot = slots.first, slot.isReady else { return nil }
            return take(0)
        }
        let now = now()
        var usable = slots.indices.filter { index in
            let slot = slots[index]
            return slot.isReady && (slot.ejectedUntil.map { $0 <= now } ?? true) && !excluded.contains(slot.serial)
        }
        if usable.isEmpty {
            usable = slots.indices.filter { slots[$0].isReady && !excluded.contains(slots[$0].serial) }
        }
        if usable.isEmpty { usable = slots.indices.filter { slots[$0].isReady } }
        guard !usable.isEmpty else { return nil }
        if concurrency > 0 {
            let free = usable.filter { slots[$0].inFlight < concurrency }
            if !free.isEmpty { usable = free }
        }
        if let key {
            // Rendezvous hashing: another endpoint moves only those that it gets.
            let best = usable.max { StableHash.mixed(slots[$0].hash ^ key) < StableHash.mixed(slots[$1].hash ^ key) }
            return best.map { take($0) }
        }
        let count = UInt64(usable.count)
        let first = Int((random >> 32).multipliedFullWidth(by: count << 32).high)
        var second = Int((random & 0xFFFF_FFFF).multipliedFullWidth(by: (count - 1) << 32).high)
        guard count > 1 else { return take(usable[0]) }
        if second >= first { second += 1 }
        let (one, other) = (usable[first], usable[second])
        return take(slots[other].inFlight < slots[one].inFlight ? other : one)
    }

    private mutating func take(_ index: Int) -> Pick {
        slots[index].inFlight += 1
        inFlight += 1
        return Pick(endpoint: slots[index].endpoint, serial: slots[index].serial)
    }

    /// A request has ended. Endpoints with too many failures in a row are left out: each time longer, until one that
    /// was left out has answered.
    package mutating func finished(_ pick: Pick, _ outcome: UpstreamOutcome, now: Instant) {
        inFlight -= 1
        guard let index = slots.firstIndex(where: { $0.serial == pick.serial }) else {
            if let rest = leaving[pick.serial] { leaving[pick.serial] = rest > 1 ? rest - 1 : nil }
            return
        }
        slots[index].inFlight -= 1
        switch outcome {
        case .unknown: break
        case .success:
            slots[index].consecutiveFailures = 0
            slots[index].ejections = max(0, slots[index].ejections - 1)
        case .failure:
            slots[index].consecutiveFailures += 1
            guard let outliers, slots[index].consecutiveFailures >= outliers.consecutiveErrors,
                (slots[index].ejectedUntil ?? now) <= now,
                (ejected(now: now) + 1) * 100 <= outliers.maximumPercent * slots.count
            else { return }
            slots[index].consecutiveFailures = 0
            slots[index].ejections = min(slots[index].ejections + 1, 10)
            slots[index].ejectedUntil = now + outliers.ejection * slots[index].ejections
        }
    }
}
