// SPDX-License-Identifier: Apache-2.0
import IcebergProtocol
import Synchronization

/// Bounds the memory that documents take: bytes of bodies that are being received, and how many large documents are
/// being understood at a time. Understood, a document may take ten times the memory of its text.
final class DocumentMemory: Sendable {
    /// A document of more bytes than this is large.
    private static let large = 1 << 20

    private struct State: Sendable {
        var bytes = 0
        var busy = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let byteLimit: Int
    private let largeLimit: Int
    private let small: Int

    /// - Parameters:
    ///   - bytes: of bodies at a time.
    ///   - large: documents at a time.
    ///   - small: bytes of a body that there is always room for: the number of connections bounds those.
    init(bytes: Int, large: Int, small: Int = 64 << 10) {
        byteLimit = bytes
        largeLimit = large
        self.small = small
    }

    /// Runs with room for this many bytes.
    /// - Throws: `ServiceUnavailableException` where there is none, what the work throws.
    func holding<T>(bytes: Int, _ work: () async throws -> T) async throws -> T {
        if bytes <= small { return try await work() }
        let hasRoom = state.withLock { state in
            guard state.bytes + bytes <= byteLimit else { return false }
            state.bytes += bytes
            return true
        }
        guard hasRoom else {
            throw IcebergError(.unavailable, "too many large requests at a time: try again a little later")
        }
        defer { state.withLock { $0.bytes -= bytes } }
        return try await work()
    }

    /// Runs work on a document; where it is large, when it is its turn.
    /// - Throws: what the work throws.
    func understanding<T, Failure: Error>(
        _ count: Int, _ work: () throws(Failure) -> T
    ) async throws(Failure) -> T {
        guard count > Self.large else { return try work() }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.busy >= largeLimit else {
                    state.busy += 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
        defer {
            let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard !state.waiting.isEmpty else {
                    state.busy -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            next?.resume()
        }
        return try work()
    }
}
