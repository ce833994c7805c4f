// SPDX-License-Identifier: Apache-2.0

/// The clock of this module: time since 1970, as a `Duration` that the caller passes to each event.
///
/// It should not go back while the process runs (the time of day at the start plus what a monotonic clock measured
/// since), as it drives timeouts; after a restart it is the time of day again, as it dates commits.
extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    /// As records keep it.
    var wholeMilliseconds: Duration { Duration(milliseconds: milliseconds) }

    /// A time of records and requests.
    init(milliseconds: Int64) { self = .milliseconds(milliseconds) }
}
