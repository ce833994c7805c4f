// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import Testing

struct UpstreamStateTests {
    private let start = Instant.now

    private func endpoints(_ count: Int, ready: Bool = true) -> [UpstreamEndpoint] {
        (0..<count).map { UpstreamEndpoint(address: "10.0.0.\($0)", port: 80, isReady: ready) }
    }

    @Test func twoRandomChoicesSpreadEvenly() {
        var state = UpstreamState()
        state.update(endpoints(10))
        var seed: UInt64 = 1
        var counts: [Int: Int] = [:]
        for _ in 0..<1000 {
            seed &+= 0x9E37_79B9_7F4A_7C15
            guard let pick = state.pick(now: start, random: StableHash.mixed(seed)) else { continue }
            counts[pick.serial, default: 0] += 1
        }
        #expect(counts.values.reduce(0, +) == 1000)
        // None of them is ended: the busier of two is never taken.
        #expect(counts.values.allSatisfy { (90...110).contains($0) }, "\(counts)")
        #expect(state.inFlight == 1000)
    }

    @Test func endpointsThatAreNotReadyGetNothing() {
        var state = UpstreamState()
        state.update(endpoints(3, ready: false))
        #expect(state.pick(now: start, random: 1) == nil)
        #expect(state.waiting.count == 3)
        state.markReady(endpoints(3)[1])
        #expect(state.pick(now: start, random: 1)?.endpoint.address == "10.0.0.1")
        // The slice says so later; that it was probed is kept until it says no again.
        state.update(endpoints(3, ready: true))
        state.update(endpoints(3, ready: false))
        #expect(state.pick(now: start, random: 1) == nil)
    }

    @Test func endpointsAreEjectedAndComeBack() {
        var state = UpstreamState()
        state.outliers = TrafficPolicy.Outliers(consecutiveErrors: 3, ejection: .seconds(10), maximumPercent: 50)
        state.update(endpoints(2))
        var bad: Int?
        for number in 0..<100 {
            guard let pick = state.pick(now: start, random: StableHash.mixed(UInt64(number))) else { continue }
            bad = bad ?? pick.serial
            state.finished(pick, pick.serial == bad ? .failure : .success, now: start)
        }
        #expect(state.ejected(now: start) == 1)
        for number in 0..<20 {
            let pick = state.pick(now: start, random: UInt64(number))
            #expect(pick?.serial != bad)
        }
        #expect(state.ejected(now: start + .seconds(11)) == 0)
    }

    @Test func notMoreThanTheirShareIsEjected() {
        var state = UpstreamState()
        state.outliers = TrafficPolicy.Outliers(consecutiveErrors: 1, ejection: .seconds(10), maximumPercent: 50)
        state.update(endpoints(4))
        for number in 0..<200 {
            guard let pick = state.pick(now: start, random: StableHash.mixed(UInt64(number))) else { continue }
            state.finished(pick, .failure, now: start)
        }
        #expect(state.ejected(now: start) == 2)
    }

    @Test func requestsOfEndpointsThatAreGoneStillCount() {
        var state = UpstreamState()
        state.update(endpoints(1))
        let pick = state.pick(now: start, random: 0)
        #expect(pick.map { state.has($0.serial) } == true)
        state.update([])
        #expect(pick.map { state.has($0.serial) } == false)
        #expect(state.inFlight == 1)
        if let pick { state.finished(pick, .success, now: start) }
        #expect(state.inFlight == 0)
        state.update(endpoints(1))
        #expect(state.pick(now: start, random: 0)?.serial != pick?.serial)
    }

    @Test func keysStickToEndpoints() {
        var state = UpstreamState()
        state.update(endpoints(8))
        let keys = (0..<400).map { StableHash.of("client-\($0)") }
        let before = keys.map { state.pick(now: start, random: 0, key: $0)?.endpoint.address }
        #expect(Set(before).count == 8)
        #expect(keys.map { state.pick(now: start, random: 99, key: $0)?.endpoint.address } == before)
        state.update(Array(endpoints(8).dropLast()))
        let after = keys.map { state.pick(now: start, random: 0, key: $0)?.endpoint.address }
        // Only those of the endpoint that is gone have another.
        for (old, new) in zip(before, after) where old != "10.0.0.7" { #expect(old == new) }
    }

    @Test func freeEndpointsGoFirstWhereTheyTakeFew() {
        var state = UpstreamState()
        state.concurrency = 1
        state.update(endpoints(20))
        #expect(state.capacity == 20)
        let picks = (0..<20).compactMap { state.pick(now: start, random: StableHash.mixed(UInt64($0))) }
        #expect(Set(picks.map(\.serial)).count == 20)
    }

    @Test func failedEndpointsAreNotAskedAgain() {
        var state = UpstreamState()
        state.update(endpoints(2))
        let first = state.pick(now: start, random: 0)
        for number in 0..<10 {
            let next = state.pick(now: start, random: UInt64(number) << 32, excluding: [first?.serial ?? -1])
            #expect(next?.serial != first?.serial)
        }
    }
}

struct WeightedChoiceTests {
    @Test(arguments: [[90, 10], [50, 50], [0, 1], [1, 0, 1], [100]])
    func sharesAreAsTheWeights(weights: [Int]) {
        let choice = WeightedChoice(weights)
        var counts = [Int](repeating: 0, count: weights.count)
        for number in 0..<100_000 {
            if let index = choice.pick(StableHash.mixed(UInt64(number))) { counts[index] += 1 }
        }
        let total = Double(weights.reduce(0, +))
        for (count, weight) in zip(counts, weights) {
            let expected = 100_000 * Double(weight) / total
            // Four standard deviations.
            #expect(abs(Double(count) - expected) <= 4 * (expected * (1 - expected / 100_000)).squareRoot())
        }
    }

    @Test func nothingWithoutWeights() {
        #expect(WeightedChoice([]).pick(1) == nil)
        #expect(WeightedChoice([0, 0, -1]).pick(1) == nil)
    }
}
