// SPDX-License-Identifier: Apache-2.0

/// How far the parts of a source have been taken into a table, by application (protocol, "Transaction Identifiers").
package struct DeltaProgress: Sendable, Equatable {
    /// What the table has to say before; parts that it has nothing of are left out.
    package var start: [String: Int64]
    /// What it says afterwards.
    package var next: [String: Int64]

    package init(start: [String: Int64], next: [String: Int64]) {
        self.start = start
        self.next = next
    }
}
