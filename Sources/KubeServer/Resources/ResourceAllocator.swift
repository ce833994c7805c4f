// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// Hands out values that must be unique among all objects of a kind, such as addresses of services.
package protocol ResourceAllocator: Sendable {
    /// Fills in and reserves what the object needs; throws when a requested value is taken.
    ///
    /// The caller ends the reservation exactly once.
    func reserve(_ object: inout KubeObject, old: KubeObject?) throws(StatusError) -> Reservation
    /// Lets go of everything that a deleted object had.
    func release(_ object: KubeObject)
    /// Takes note of what a stored object has; at start.
    func restore(_ object: KubeObject)
}

/// What was reserved for a write that is under way.
package struct Reservation: Sendable {
    /// The write succeeded: the new values stay, the old ones are let go.
    package var commit: @Sendable () -> Void
    /// The write failed or was a dry run: the new values are let go.
    package var rollback: @Sendable () -> Void
}
