// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventBroker

/// What becomes due earlier is done then, whenever it is said.
@Suite struct AlarmTests {
    /// Between looking at what is due and going to sleep.
    @Test(.timeLimit(.minutes(1))) func ringBeforeTheSleepEndsIt() async {
        let alarm = Alarm()
        alarm.ring()
        await alarm.sleep(for: .seconds(600))
    }

    @Test(.timeLimit(.minutes(1))) func ringsCountOnce() async {
        let alarm = Alarm()
        alarm.ring()
        alarm.ring()
        await alarm.sleep(for: .seconds(600))
        let start = ContinuousClock.now
        await alarm.sleep(for: .milliseconds(20))
        #expect(ContinuousClock.now - start >= .milliseconds(15))
    }

    @Test(.timeLimit(.minutes(1))) func ringEndsASleep() async {
        let alarm = Alarm()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await alarm.sleep(for: .seconds(600)) }
            group.addTask { alarm.ring() }
            await group.waitForAll()
        }
    }
}
