// SPDX-License-Identifier: Apache-2.0

/// A part of a message, whose form depends on the message's version.
///
/// A field that a version does not have keeps its default when it is read and is left out when it is written.
package protocol KafkaStruct: Equatable, Sendable {
    /// All fields with their defaults.
    init()

    /// Reads the fields that the version has.
    /// - Throws: when the bytes are not of this form.
    init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError)

    /// Writes the fields that the version has.
    func write(to writer: inout KafkaWriter, version: Int16)
}

/// A request or a response.
///
/// Source: Apache Kafka "Kafka protocol guide"; the tables of fields in clients/src/main/resources/common/message.
package protocol KafkaMessage: KafkaStruct {
    /// Which request it is or answers; -1 for a header.
    static var apiKey: Int16 { get }
    /// The versions whose form is known.
    static var versions: ClosedRange<Int16> { get }
    /// The first version with compact lengths and tagged fields (KIP-482); nil where none has.
    static var firstFlexible: Int16? { get }
}

extension KafkaMessage {
    /// Whether a version has compact lengths and tagged fields.
    package static func isFlexible(_ version: Int16) -> Bool { firstFlexible.map { version >= $0 } ?? false }
}

/// Why bytes are not a message.
package struct KafkaProtocolError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong, and at which byte of the frame.
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// An identity of 16 bytes: that of a topic (KIP-516).
package struct KafkaUUID: Hashable, Sendable, CustomStringConvertible {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// No identity.
    package static let zero = KafkaUUID(high: 0, low: 0)

    /// A fresh one, whose text does not begin with a dash.
    package static func random() -> KafkaUUID {
        while true {
            var id = KafkaUUID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
            id.high = id.high & ~0xF000 | 0x4000
            id.low = id.low & ~(0xC000 << 48) | 0x8000 << 48
            if !id.description.hasPrefix("-") { return id }
        }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Base64 for URLs without padding, as Kafka writes it: 22 characters.
    package var description: String {
        // 128 bits and 4 of padding, in groups of 6 from the top.
        String(
            decoding: (0..<22).map { group in
                let shift = 122 - 6 * group
                var value: UInt64
                if shift >= 64 {
                    value = high >> UInt64(shift - 64)
                } else if shift >= 0 {
                    value = low >> UInt64(shift) | (shift > 58 ? high << UInt64(64 - shift) : 0)
                } else {
                    value = low << UInt64(-shift)
                }
                value &= 0x3F
                return Self.alphabet[Int(value)]
            }, as: UTF8.self)
    }

    /// Reads what ``description`` writes; nil for anything else.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 22 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (index, byte) in bytes.enumerated() {
            guard let value = Self.alphabet.firstIndex(of: byte) else { return nil }
            let bits = index == 21 ? 2 : 6
            if index == 21, value & 0xF != 0 { return nil }
            high = high << UInt64(bits) | low >> UInt64(64 - bits)
            low = low << UInt64(bits) | UInt64(index == 21 ? value >> 4 : value)
        }
        self.init(high: high, low: low)
    }
}

/// The records of a partition within a message.
package enum KafkaRecordData: Equatable, Sendable {
    /// As they came, or are sent.
    case bytes(ArraySlice<UInt8>)
    /// Bytes that whoever sends the message puts in its place.
    ///
    /// - Parameters:
    ///   - id: which; given back by ``KafkaWriter/externals``.
    ///   - count: how many bytes.
    case external(id: Int, count: Int)

    /// How many bytes they are.
    package var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .external(_, let count): count
        }
    }
}
