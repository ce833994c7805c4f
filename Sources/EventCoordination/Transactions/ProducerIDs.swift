// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Gives out ids of producers, each once ever: ids are reserved in blocks of 1,000, as Kafka does, and what is reserved
/// is kept on disk before the first id of the block is given out.
package struct ProducerIDs: Hashable, Sendable {
    package static let blockSize: Int64 = 1000

    /// All ids below may have been given out.
    package private(set) var reserved: Int64
    private var next: Int64

    /// Goes on behind what was reserved.
    package init(reserved: Int64 = 0) {
        self.reserved = max(reserved, 0)
        next = self.reserved
    }

    /// A new id. Where `reservation` is not nil, it has to be durable before the id is used.
    package mutating func allocate() -> (id: Int64, reservation: Int64?) {
        defer { next += 1 }
        guard next >= reserved else { return (next, nil) }
        reserved = next + Self.blockSize
        return (next, reserved)
    }

    /// The last reservation could not be kept: the next id asks for one again.
    package mutating func reservationFailed() { reserved = next }

    /// What a file keeps of a reservation.
    package static func encode(reservation: Int64) -> [UInt8] {
        JSONValue.object(["version": .int(1), "reserved": .int(reservation)]).encoded
    }

    package static func decode(_ bytes: [UInt8]) throws(RecordFormatError) -> Int64 {
        guard let document = try? JSONParser.parse(bytes, maxDepth: 4), document["version"].int == 1,
            let reserved = document["reserved"].int, reserved >= 0
        else {
            throw RecordFormatError(
                #"the reservation of producer ids is not {"version":1,"reserved":N}: ids could be given out twice"#)
        }
        return Int64(reserved)
    }
}
