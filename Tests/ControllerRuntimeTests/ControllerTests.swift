// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import Testing

@testable import ControllerRuntime

@Suite struct TurnsTests {
    private let key = ObjectKey(namespace: "n", name: "a")

    @Test func onlyTheLastTurnOfAnObjectBringsItAgain() {
        let turns = Turns()
        let first = turns.begin(key)
        let other = turns.begin(ObjectKey(namespace: "n", name: "b"))
        #expect(turns.isLast(first, of: key))
        let second = turns.begin(key)
        #expect(!turns.isLast(first, of: key) && turns.isLast(second, of: key))
        turns.end(first, of: key)
        #expect(turns.isLast(second, of: key), "an earlier turn ends nothing of a later one")
        turns.end(second, of: key)
        #expect(!turns.isLast(second, of: key))
        #expect(turns.isLast(other, of: ObjectKey(namespace: "n", name: "b")))
    }
}
