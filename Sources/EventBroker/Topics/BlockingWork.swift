// SPDX-License-Identifier: Apache-2.0
import Dispatch

extension DispatchQueue {
    /// Runs what waits for a disk here, away from the threads that everything else runs on.
    func result<Value: Sendable>(of body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            async { continuation.resume(with: Result { try body() }) }
        }
    }
}
