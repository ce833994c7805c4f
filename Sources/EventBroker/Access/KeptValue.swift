// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Dispatch
import Synchronization

/// A value that is kept in a small file: every change is durable before anybody sees it.
final class KeptValue<Value: Equatable & Sendable>: Sendable {
    private let path: String
    private let encode: @Sendable (Value) -> [UInt8]
    private let state: Mutex<Value>
    /// Changes happen one after the other, away from the threads that everything else runs on.
    private let queue: DispatchQueue

    /// Reads the file; blocks.
    /// - Parameters:
    ///   - path: of the file; it has the mode 0600.
    ///   - initial: where there is no file.
    ///   - decode: what the bytes of the file say.
    ///   - encode: the bytes of the file.
    /// - Throws: when there is a file that cannot be read, and what `decode` throws.
    init(
        path: String, initial: Value, decode: ([UInt8]) throws -> Value,
        encode: @escaping @Sendable (Value) -> [UInt8]
    ) throws {
        self.path = path
        self.encode = encode
        state = Mutex(try Folder.read(path).map(decode) ?? initial)
        queue = DispatchQueue(label: "apus.events.access", qos: .userInitiated)
    }

    /// Looks at the value.
    func read<Result: Sendable>(_ body: (borrowing Value) -> Result) -> Result { state.withLock { body($0) } }

    /// Changes the value; the file is written only where that made a difference.
    /// - Throws: what the body throws, and when the file cannot be written; the value is as it was then.
    func change<Result: Sendable>(
        _ body: @escaping @Sendable (inout Value) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in
                continuation.resume(
                    with: Swift.Result {
                        let before = state.withLock { $0 }
                        var value = before
                        let result = try body(&value)
                        guard value != before else { return result }
                        try Folder.replace(path, with: encode(value))
                        state.withLock { $0 = value }
                        return result
                    })
            }
        }
    }
}
