// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Synchronization

/// A body that is being written: by one task at a time. Let go of, it leaves nothing behind.
package final class ObjectBody: Sendable {
    private struct State {
        /// All bytes, while they are few.
        var memory: [UInt8] = []
        /// Where they go, once they are many.
        var file: BodyFileWriter?
        var waiting: [ArraySlice<UInt8>] = []
        var waitingBytes = 0
        var isRunning = false
        var isFinished = false
        var failure: ObjectStoreError?
        /// Whoever waits until at most so many bytes wait for the disk.
        var waiter: (limit: Int, continuation: CheckedContinuation<Void, Never>)?
    }

    private let state = Mutex(State())
    private let files: BodyFiles
    private let inlineBytes: Int
    private let waitingBytes: Int
    private let computesSHA256: Bool

    init(files: BodyFiles, configuration: ObjectStoreConfiguration, sha256: Bool) {
        self.files = files
        inlineBytes = configuration.inlineBytes
        waitingBytes = configuration.waitingBytes
        computesSHA256 = sha256
    }

    /// Takes bytes; suspends while too many wait for the disk. Throws `full`, `storage` or `closed`.
    package func write(_ bytes: ArraySlice<UInt8>) async throws(ObjectStoreError) {
        let mustWait = try state.withLock { state throws(ObjectStoreError) in
            if let failure = state.failure { throw failure }
            guard !state.isFinished else {
                throw ObjectStoreError(.storage, "bytes were written to a body after its end")
            }
            if state.file == nil {
                if state.memory.count + bytes.count <= inlineBytes {
                    state.memory.append(contentsOf: bytes)
                    return false
                }
                state.file = BodyFileWriter(claim: files.claim(), files: files, sha256: computesSHA256)
                if !state.memory.isEmpty { state.waiting.append(state.memory[...]) }
                state.waitingBytes = state.memory.count
                state.memory = []
            }
            state.waiting.append(bytes)
            state.waitingBytes += bytes.count
            try start(&state)
            return state.waitingBytes > waitingBytes
        }
        if mustWait { try await wait(until: waitingBytes / 2) }
    }

    /// The same.
    package func write(_ bytes: [UInt8]) async throws(ObjectStoreError) { try await write(bytes[...]) }

    /// Returns once the bytes are durable (long ones) or all there (short ones, which their row makes durable).
    package func finish() async throws(ObjectStoreError) -> StoredBody {
        let (memory, file) = try state.withLock { state throws(ObjectStoreError) in
            guard !state.isFinished else { throw ObjectStoreError(.storage, "a body was finished twice") }
            state.isFinished = true
            let memory = state.memory
            state.memory = []
            return (memory, state.file)
        }
        guard let file else { return StoredBody(memory, sha256: computesSHA256) }
        try await wait(until: 0)
        guard let result = await files.pool.runIfOpen({ file.finish() }) else { throw ObjectStore.closed }
        state.withLock { $0.file = nil }
        return try result.get()
    }

    private func start(_ state: inout State) throws(ObjectStoreError) {
        guard !state.isRunning, let file = state.file else { return }
        guard files.pool.submit({ self.drain(file) }) else { throw ObjectStore.closed }
        state.isRunning = true
    }

    private func wait(until limit: Int) async throws(ObjectStoreError) {
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                guard state.isRunning, state.waitingBytes > limit || limit == 0 else { return true }
                state.waiter = (limit, continuation)
                return false
            }
            if goesOn { continuation.resume() }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Writes what waits; on a thread of the files.
    private func drain(_ file: BodyFileWriter) {
        var written = 0
        while true {
            let (chunks, waiter) = state.withLock { state in
                state.waitingBytes -= written
                let chunks = state.waiting
                state.waiting = []
                if chunks.isEmpty { state.isRunning = false }
                var waiter: CheckedContinuation<Void, Never>?
                if let waiting = state.waiter,
                    chunks.isEmpty || (waiting.limit > 0 && state.waitingBytes <= waiting.limit)
                {
                    waiter = waiting.continuation
                    state.waiter = nil
                }
                return (chunks, waiter)
            }
            waiter?.resume()
            if chunks.isEmpty { return }
            written = chunks.reduce(0) { $0 + $1.count }
            do throws(ObjectStoreError) { try file.write(chunks) } catch {
                state.withLock { $0.failure = $0.failure ?? error }
            }
        }
    }
}
