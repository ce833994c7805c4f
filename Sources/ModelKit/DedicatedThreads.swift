// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Threads of one's own for long computations, so that Swift's cooperative pool is never blocked.
package enum DedicatedThreads {
    /// The processors that this process may run on.
    package static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Runs `work` on a thread of its own and gives its result to the awaiting task.
    package static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let started = start { continuation.resume(with: Result(catching: work)) }
            if started == nil { continuation.resume(with: Result(catching: work)) }
        }
    }

    /// Calls `body` for consecutive chunks of `0..<count`, spread over `threads` threads (this one is among them), and
    /// returns when all are done. Blocks.
    ///
    /// Which thread takes which chunk is not determined; `worker` (in `0..<threads`) tells threads apart, so that each
    /// can have its own scratch memory.
    static func forEachChunk(
        of count: Int, chunk: Int, threads: Int, body: @Sendable (_ worker: Int, _ rows: Range<Int>) -> Void
    ) {
        let chunkCount = (count + chunk - 1) / chunk
        let next = Counter()
        let work = { @Sendable (worker: Int) in
            while true {
                let position = next.take()
                guard position < chunkCount else { return }
                body(worker, position * chunk..<min(count, (position + 1) * chunk))
            }
        }
        withoutActuallyEscaping(work) { work in
            let others = (1..<max(1, min(threads, chunkCount))).map { worker in start { work(worker) } }
            work(0)
            for case .some(let thread) in others { pthread_join(thread.id, nil) }
        }
    }

    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        func take() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private struct Handle {
        let id: pthread_t
    }

    /// Starts a joinable thread; nil when the system has none to give.
    private static func start(_ run: @escaping @Sendable () -> Void) -> Handle? {
        let context = Unmanaged.passRetained(Body(run))
        var id = pthread_t()
        let code = pthread_create(
            &id, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            return nil
        }
        return Handle(id: id)
    }
}
