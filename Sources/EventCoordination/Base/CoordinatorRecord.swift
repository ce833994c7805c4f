// SPDX-License-Identifier: Apache-2.0

/// A record for `__consumer_offsets` or `__transaction_state`, in Kafka's own format; a tombstone when its value is nil.
package struct CoordinatorRecord: Hashable, Sendable {
    package var key: [UInt8]
    package var value: [UInt8]?

    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}
