// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// A few threads, off the cooperative pool, for calls that block. Each is a serial queue: a concurrent one has no more
/// threads than there are processors, and one file that is synced would hold up all others.
final class FileThreads: Sendable {
    private let queues: [DispatchQueue]
    /// Jobs of each queue that are not done.
    private let load: Mutex<[Int]>

    init(label: String, count: Int = 8) {
        queues = (0..<max(1, count)).map { DispatchQueue(label: "\(label)-\($0)", qos: .userInitiated) }
        load = Mutex([Int](repeating: 0, count: max(1, count)))
    }

    /// Runs work on the thread that has least to do.
    func run<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let index = load.withLock { load in
            var least = 0
            for index in load.indices where load[index] < load[least] { least = index }
            load[least] += 1
            return least
        }
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, Failure>, Never>) in
            queues[index].async {
                let result: Result<Value, Failure>
                do throws(Failure) {
                    result = .success(try work())
                } catch {
                    result = .failure(error)
                }
                self.load.withLock { $0[index] -= 1 }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }
}
