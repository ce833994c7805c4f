// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import InferenceProtocol
import Synchronization

/// Threads of one's own for what blocks or computes long, so that neither event loops nor Swift's pool wait for it.
enum WorkerThread {
    /// Starts a thread; libraries of models use deep stacks.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.stackSize = 8 << 20
        thread.name = name
        thread.start()
    }

    /// Runs work on a thread of its own.
    static func run<Value: Sendable>(
        _ name: String, _ work: @escaping @Sendable () throws(InferenceFault) -> Value
    ) async throws(InferenceFault) -> Value {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, InferenceFault>, Never>) in
            start(name) {
                let result: Result<Value, InferenceFault>
                do throws(InferenceFault) {
                    result = .success(try work())
                } catch {
                    result = .failure(error)
                }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }
}

/// Monotonic nanoseconds.
enum Nanoseconds {
    static func now() -> Int { Int(DispatchTime.now().uptimeNanoseconds) }

    static func wallMilliseconds() -> UInt64 { UInt64(max(Date().timeIntervalSince1970, 0) * 1000) }
}

extension Duration {
    /// Whole nanoseconds; of more than an hour it is an hour, after which who waits looks again.
    var nanoseconds: Int {
        guard self < .seconds(3600) else { return 3_600_000_000_000 }
        guard self > .zero else { return 0 }
        return Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000)
    }
}
