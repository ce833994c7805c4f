// SPDX-License-Identifier: Apache-2.0

/// The number of a request that may have to wait. The caller picks it, keeps the request under it, and gets it back
/// with exactly one answer.
package struct Ticket: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt64

    package init(_ number: UInt64) { self.number = number }

    package var description: String { "ticket \(number)" }
}
