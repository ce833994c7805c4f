// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import Testing

@testable import ControllerRuntime

@Suite struct DelayedReturnsTests {
    private let key = ObjectKey(namespace: "n", name: "a")
    private let now = ContinuousClock.now

    @Test func anObjectThatComesSoonerAnywayIsNotAddedAgain() {
        let returns = DelayedReturns()
        let other = ObjectKey(namespace: "n", name: "b")
        #expect(returns.add(key, at: now + .seconds(60)))
        #expect(!returns.add(key, at: now + .seconds(60)))
        #expect(!returns.add(key, at: now + .seconds(61)))
        #expect(returns.add(other, at: now + .seconds(61)))
        returns.remove(key, at: now + .seconds(60))
        #expect(returns.add(key, at: now + .seconds(61)))
    }

    @Test func aLaterReturnStaysWhenASoonerComes() {
        let returns = DelayedReturns()
        #expect(returns.add(key, at: now + .seconds(2)))
        // As after a conflict.
        #expect(returns.add(key, at: now + .milliseconds(5)))
        returns.remove(key, at: now + .milliseconds(5))
        #expect(!returns.add(key, at: now + .seconds(3)), "the one of two seconds is still to come")
    }
}
