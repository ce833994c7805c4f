// SPDX-License-Identifier: Apache-2.0
import ServiceProxy
import Testing

@Suite struct BalancerTests {
    private let first = ProxyEndpoint(address: "127.1.0.1", port: 80)
    private let second = ProxyEndpoint(address: "127.1.0.2", port: 80)
    private let third = ProxyEndpoint(address: "127.1.0.3", port: 80)

    @Test func takesTurns() {
        var balancer = Balancer(endpoints: [first, second, third])
        let picks = (0..<6).map { _ in balancer.pick(client: "a", now: .zero) }
        #expect(picks == [first, second, third, first, second, third])
    }

    @Test func hasNothingToPickWithoutEndpoints() {
        var balancer = Balancer()
        #expect(balancer.pick(client: "a", now: .zero) == nil)
    }

    @Test func avoidsAnEndpointThatRefused() {
        var balancer = Balancer(endpoints: [first, second])
        balancer.failed(first, now: .zero)
        #expect((0..<3).map { _ in balancer.pick(client: "a", now: .milliseconds(500)) } == [second, second, second])
        #expect(balancer.pick(client: "a", now: .seconds(2)) == first)
    }

    @Test func fallsBackToAnAvoidedEndpoint() {
        var balancer = Balancer(endpoints: [first, second])
        balancer.failed(first, now: .zero)
        #expect(balancer.pick(client: "a", excluding: [second], now: .zero) == first)
        #expect(balancer.pick(client: "a", excluding: [first, second], now: .zero) == nil)
    }

    @Test func usesAnEndpointAgainOnceItHasAnswered() {
        var balancer = Balancer(endpoints: [first])
        balancer.failed(first, now: .zero)
        balancer.update(endpoints: [first, second], affinityTimeout: nil)
        balancer.connected(first)
        #expect(Set((0..<2).compactMap { _ in balancer.pick(client: "a", now: .zero) }) == [first, second])
    }

    @Test func keepsAClientAtItsEndpoint() {
        var balancer = Balancer(endpoints: [first, second, third], affinityTimeout: .seconds(10))
        let a = balancer.pick(client: "a", now: .zero)
        let b = balancer.pick(client: "b", now: .zero)
        #expect(a != b)
        #expect(balancer.pick(client: "a", now: .seconds(9)) == a)
        // Each connection prolongs the time.
        #expect(balancer.pick(client: "a", now: .seconds(18)) == a)
        #expect(balancer.pick(client: "b", now: .seconds(18)) != b)
    }

    @Test func movesAClientWhoseEndpointIsGone() {
        var balancer = Balancer(endpoints: [first, second], affinityTimeout: .seconds(100))
        #expect(balancer.pick(client: "a", now: .zero) == first)
        balancer.update(endpoints: [second], affinityTimeout: .seconds(100))
        #expect(balancer.pick(client: "a", now: .seconds(1)) == second)
        balancer.update(endpoints: [first, second], affinityTimeout: .seconds(100))
        #expect(balancer.pick(client: "a", now: .seconds(2)) == second)
    }

    @Test func movesAClientWhoseEndpointRefuses() {
        var balancer = Balancer(endpoints: [first, second], affinityTimeout: .seconds(100))
        #expect(balancer.pick(client: "a", now: .zero) == first)
        balancer.failed(first, now: .zero)
        #expect(balancer.pick(client: "a", excluding: [first], now: .zero) == second)
        #expect(balancer.pick(client: "a", now: .seconds(1)) == second)
    }
}
