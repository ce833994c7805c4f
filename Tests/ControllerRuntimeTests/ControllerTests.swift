// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import Testing

@testable import ControllerRuntime

@Suite struct DelayedReturnsTests {
    private let key = ObjectKey(namespace: "n", name: "a")

    @Test func onlyTheDelayThatWasSetLastBringsAnObjectAgain() {
        let returns = DelayedReturns()
        let other = ObjectKey(namespace: "n", name: "b")
        let first = returns.set(key)
        let others = returns.set(other)
        let second = returns.set(key)
        #expect(!returns.take(first, of: key))
        #expect(returns.take(second, of: key))
        #expect(!returns.take(second, of: key), "each comes once")
        #expect(returns.take(others, of: other))
    }
}
