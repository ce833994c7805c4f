// SPDX-License-Identifier: Apache-2.0

/// Exponential waiting time between tries: doubles from `base` up to `limit`.
package struct Backoff: Sendable {
    private let base: Duration
    private let limit: Duration
    private var current: Duration

    /// - Parameters:
    ///   - base: the first waiting time.
    ///   - limit: the longest.
    package init(base: Duration = .milliseconds(50), limit: Duration = .seconds(10)) {
        self.base = base
        self.limit = limit
        current = base
    }

    /// The time to wait now; the next one is twice as long.
    package mutating func next() -> Duration {
        defer { current = min(current * 2, limit) }
        return current
    }

    /// After a success: the waiting time begins at `base` again.
    package mutating func reset() { current = base }
}
