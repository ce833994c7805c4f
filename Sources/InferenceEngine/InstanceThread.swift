// SPDX-License-Identifier: Apache-2.0
import Dispatch
import InferenceProtocol

/// The thread of one instance: takes requests out of its model's queue and runs them.
final class InstanceThread: Sendable {
    private let signal = DispatchSemaphore(value: 0)

    static func start(_ core: ModelCore) {
        let thread = InstanceThread()
        WorkerThread.start("model") { thread.work(core) }
    }

    func wake() { signal.signal() }

    private func work(_ core: ModelCore) {
        guard let box = core.takeInstance() else {
            core.threadEnded(
                failing: InferenceFault(.runtime, "model '\(core.name)' has no instance that could run the request"))
            return
        }
        while true {
            switch core.next(for: self) {
            case .run(let jobs):
                core.run(jobs, on: box)
            case .sleep(nil):
                signal.wait()
            case .sleep(let time?):
                let pause = ContinuousClock.now.duration(to: time).nanoseconds
                _ = signal.wait(timeout: .now() + .nanoseconds(pause))
            case .end:
                core.putBack(box)
                core.threadEnded(failing: nil)
                return
            }
        }
    }
}
