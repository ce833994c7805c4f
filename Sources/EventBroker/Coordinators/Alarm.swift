// SPDX-License-Identifier: Apache-2.0
import ApusCore
import NIOCore
import NIOPosix
import Synchronization

/// Lets one task sleep until something is due, or becomes due earlier.
final class Alarm: Sendable {
    private struct State {
        var latch: Latch?
        /// It rang while nobody slept: the next sleep is none.
        var hasRung = false
    }

    private let state = Mutex(State())

    /// Ends the sleep; also one that is about to begin.
    func ring() {
        state.withLock { state in
            state.hasRung = true
            return state.latch
        }?.open()
    }

    /// Returns after the time, or when it rings or rang since the last sleep, or when the task is cancelled.
    func sleep(for duration: Duration) async {
        let latch = Latch()
        let mustSleep = state.withLock { state in
            if !state.hasRung { state.latch = latch }
            return !state.hasRung
        }
        if mustSleep {
            let timer = MultiThreadedEventLoopGroup.singleton.next().scheduleTask(
                in: .nanoseconds(duration.nanoseconds)
            ) { latch.open() }
            await withTaskCancellationHandler {
                await latch.wait()
            } onCancel: {
                latch.open()
            }
            timer.cancel()
        }
        // Who slept looks at what is due now.
        state.withLock { $0 = State() }
    }
}
