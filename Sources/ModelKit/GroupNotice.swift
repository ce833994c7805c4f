// SPDX-License-Identifier: Apache-2.0

/// Offsets that a consumer group has not heard of yet; a value whose clock is given with each call.
///
/// A group that cannot be told is told again, as no further record may come that would give occasion to.
package struct GroupNotice<Instant: InstantProtocol & Sendable>: Sendable where Instant.Duration == Duration {
    /// Between two tries.
    package let interval: Duration
    /// The offset that each partition goes on at; empty when the group knows all.
    package private(set) var offsets: [Int32: Int64] = [:]
    private var due: Instant?
    /// A try that was given up may still be on its way, with older offsets than the next one's.
    private var isOvertaken = false

    package init(interval: Duration = .seconds(1)) { self.interval = interval }

    /// Newer offsets, to be told at once.
    package mutating func add(_ next: [Int32: Int64], at now: Instant) {
        offsets.merge(next) { $1 }
        due = offsets.isEmpty ? nil : now
    }

    /// How long until the group has to be told; zero when it is time, nil when it knows all.
    package func wait(at now: Instant) -> Duration? { due.map { max(.zero, now.duration(to: $0)) } }

    /// The group has been told; after tries that were given up it is told the same once more.
    package mutating func heard(at now: Instant) {
        if isOvertaken {
            due = now.advanced(by: interval)
        } else {
            offsets = [:]
            due = nil
        }
        isOvertaken = false
    }

    /// The group could not be told, or did not answer.
    package mutating func missed(at now: Instant) {
        guard !offsets.isEmpty else { return }
        due = now.advanced(by: interval)
        isOvertaken = true
    }
}
