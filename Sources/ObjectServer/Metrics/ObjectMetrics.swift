// SPDX-License-Identifier: Apache-2.0
import S3Protocol
import ServiceHTTP
import Synchronization

/// What a server of objects counts. All of it is bounded by the operations and statuses that there are.
final class ObjectMetrics: Sendable {
    struct Request: Hashable, Sendable {
        /// Nil for what is no request of S3's.
        var operation: S3Operation?
        /// Of the answer; 0 where none could be given.
        var status: Int
    }

    struct State: Sendable {
        var requests: [Request: Histogram] = [:]
        /// Bytes of bodies that came, and that were sent.
        var bytesIn: UInt64 = 0
        var bytesOut: UInt64 = 0
        /// Bodies that were not what their client said of them.
        var mismatches: UInt64 = 0
        /// Reads that met damage on the disk.
        var damages: UInt64 = 0
    }

    private let state = Mutex(State())

    /// A request is over.
    func answered(_ operation: S3Operation?, status: Int, bytesIn: Int64, bytesOut: Int64, _ time: Duration) {
        state.withLock { state in
            state.requests[Request(operation: operation, status: status), default: Histogram()].add(time)
            state.bytesIn += UInt64(max(0, bytesIn))
            state.bytesOut += UInt64(max(0, bytesOut))
        }
    }

    /// A body was refused for its checksum.
    func mismatched() { state.withLock { $0.mismatches += 1 } }

    /// What is on the disk is not what was written.
    func damaged() { state.withLock { $0.damages += 1 } }

    /// What was counted until now.
    var counted: State { state.withLock { $0 } }
}
