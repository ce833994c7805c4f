// SPDX-License-Identifier: Apache-2.0
import ApusCore
import NIOCore
import NIOPosix
import Synchronization

/// Lets a task sleep until something is due, or becomes due earlier.
final class Alarm: Sendable {
    private let latch = Mutex<Latch?>(nil)

    /// Ends the sleep.
    func ring() { latch.withLock { $0 }?.open() }

    /// Returns after the time, or when it rings, or when the task is cancelled.
    func sleep(for duration: Duration) async {
        let latch = Latch()
        self.latch.withLock { $0 = latch }
        let timer = MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: .nanoseconds(duration.nanoseconds)) {
            latch.open()
        }
        await withTaskCancellationHandler {
            await latch.wait()
        } onCancel: {
            latch.open()
        }
        timer.cancel()
    }
}
