// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOEmbedded
import Testing

@testable import Gateway

struct UpstreamTests {
    private let id = UpstreamID(namespace: "models", service: "canary", port: 80)

    private func rules(isReady: Bool) -> UpstreamRules {
        var rules = UpstreamRules()
        rules.endpoints = [UpstreamEndpoint(address: "127.0.0.1", port: 80, isReady: isReady)]
        rules.activation = ActivationRules()
        return rules
    }

    /// A request that was routed just before the route changed must not find its upstream empty.
    @Test func requestsThatWereBegunGoOnWhereTheRouteHasChanged() {
        let upstream = Upstream(id, now: .now)
        upstream.apply(rules(isReady: true), TrafficPolicy())
        let before = upstream.pick(random: 0, key: nil, excluding: [])
        #expect(before.map { upstream.keeps($0.pick.serial) } == true)
        upstream.leave()
        let after = upstream.pick(random: 0, key: nil, excluding: [])
        #expect(after?.pick.endpoint == before?.pick.endpoint && after != nil)
        #expect(before.map { upstream.keeps($0.pick.serial) } == false)
    }

    @Test func nobodyWaitsForAnUpstreamThatHasLeft() {
        let loop = EmbeddedEventLoop()
        let upstream = Upstream(id, now: .now)
        upstream.apply(rules(isReady: false), TrafficPolicy())
        let (admission, isFirst) = upstream.admit(
            now: .now, patience: nil, Upstream.Waiter(loop: loop) { #expect($0) })
        guard case .hold(let request) = admission else {
            Issue.record("\(admission)")
            return
        }
        #expect(isFirst)
        upstream.leave()
        // It has passed, and finds no endpoint.
        #expect(!upstream.withdraw(request))
        #expect(upstream.pick(random: 0, key: nil, excluding: []) == nil)
        loop.run()
    }

    @Test func theWholeListOfUpstreamsIsTakenOver() {
        let core = GatewayCore(GatewayConfiguration(), loops: [EmbeddedEventLoop()], logger: .init(label: "test"))
        let other = UpstreamID(namespace: "models", service: "main", port: 80)
        let first = core.apply([id: rules(isReady: true), other: rules(isReady: true)], [:])
        #expect(first.present.count == 2 && first.gone.isEmpty)
        let second = core.apply([other: rules(isReady: true)], [:])
        #expect(second.present[other] === first.present[other])
        #expect(second.gone.map(\.id) == [id])
        // Until no route leads to it.
        #expect(second.gone.first?.pick(random: 0, key: nil, excluding: []) != nil)
    }
}
