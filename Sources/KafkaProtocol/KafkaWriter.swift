// SPDX-License-Identifier: Apache-2.0

/// Writes the primitive types of the protocol.
///
/// Source: "Kafka protocol guide", "Protocol Primitive Types".
package struct KafkaWriter: Sendable {
    /// Bytes that are put in by whoever sends the message.
    package struct External: Equatable, Sendable {
        /// Where in ``KafkaWriter/bytes`` they belong.
        package var position: Int
        /// Which, as ``KafkaRecordData/external(id:count:)`` said.
        package var id: Int
        /// How many.
        package var count: Int

        package init(position: Int, id: Int, count: Int) {
            self.position = position
            self.id = id
            self.count = count
        }
    }

    /// What was written.
    package private(set) var bytes: [UInt8] = []
    /// In the order of their positions.
    package private(set) var externals: [External] = []

    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    /// How many bytes the message has, external ones included.
    package var count: Int { externals.reduce(bytes.count) { $0 + $1.count } }

    private mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func int8(_ value: Int8) { integer(value) }
    package mutating func int16(_ value: Int16) { integer(value) }
    package mutating func uint16(_ value: UInt16) { integer(value) }
    package mutating func int32(_ value: Int32) { integer(value) }
    package mutating func uint32(_ value: UInt32) { integer(value) }
    package mutating func int64(_ value: Int64) { integer(value) }
    package mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }
    package mutating func float64(_ value: Double) { integer(value.bitPattern) }
    package mutating func uuid(_ value: KafkaUUID) {
        integer(value.high)
        integer(value.low)
    }

    /// Overwrites four bytes: a length that is known last.
    package mutating func patch(int32 value: Int32, at position: Int) {
        for index in 0..<4 { bytes[position + index] = UInt8(truncatingIfNeeded: value >> Int32(24 - 8 * index)) }
    }

    package mutating func unsignedVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func length(_ count: Int?, _ flexible: Bool, short: Bool) {
        if flexible {
            unsignedVarint(count.map { UInt32(clamping: $0 + 1) } ?? 0)
        } else if short {
            int16(count.map { Int16(clamping: $0) } ?? -1)
        } else {
            int32(count.map { Int32(clamping: $0) } ?? -1)
        }
    }

    /// A text; one of the oldest form is cut to 32,767 bytes, which is the most that form has room for.
    package mutating func string(_ text: String, _ flexible: Bool) {
        let utf8 = flexible ? Array(text.utf8) : Array(text.utf8.prefix(Int(Int16.max)))
        length(utf8.count, flexible, short: true)
        bytes.append(contentsOf: utf8)
    }

    /// A text or, where the version has that, null.
    package mutating func nullableString(_ text: String?, _ flexible: Bool, nullable: Bool) {
        guard text != nil || !nullable else { return length(nil, flexible, short: true) }
        string(text ?? "", flexible)
    }

    package mutating func bytes(_ value: [UInt8], _ flexible: Bool) {
        length(value.count, flexible, short: false)
        bytes.append(contentsOf: value)
    }

    /// Bytes or, where the version has that, null.
    package mutating func nullableBytes(_ value: [UInt8]?, _ flexible: Bool, nullable: Bool) {
        guard value != nil || !nullable else { return length(nil, flexible, short: false) }
        bytes(value ?? [], flexible)
    }

    package mutating func records(_ value: KafkaRecordData?, _ flexible: Bool) {
        length(value?.count, flexible, short: false)
        switch value {
        case .bytes(let slice)?: bytes.append(contentsOf: slice)
        case .external(let id, let count)?:
            externals.append(External(position: bytes.count, id: id, count: count))
        case nil: break
        }
    }

    package mutating func array<Element>(
        _ elements: [Element], _ flexible: Bool, _ write: (inout KafkaWriter, Element) -> Void
    ) {
        length(elements.count, flexible, short: false)
        for element in elements { write(&self, element) }
    }

    /// A list or, where the version has that, null.
    package mutating func array<Element>(
        _ elements: [Element]?, _ flexible: Bool, nullable: Bool, _ write: (inout KafkaWriter, Element) -> Void
    ) {
        guard elements != nil || !nullable else { return length(nil, flexible, short: false) }
        array(elements ?? [], flexible, write)
    }

    /// A structure or null (KIP-893).
    package mutating func nullable<Value>(_ value: Value?, _ write: (inout KafkaWriter, Value) -> Void) {
        int8(value == nil ? -1 : 1)
        if let value { write(&self, value) }
    }

    /// Tagged fields, none of which is set.
    package mutating func noTags() { bytes.append(0) }

    package mutating func tags(_ tags: KafkaTags) {
        unsignedVarint(UInt32(clamping: tags.fields.count))
        for (tag, value) in tags.fields {
            unsignedVarint(tag)
            unsignedVarint(UInt32(clamping: value.count))
            bytes.append(contentsOf: value)
        }
    }
}

/// The tagged fields of a structure that are set.
package struct KafkaTags: Sendable {
    fileprivate var fields: [(tag: UInt32, bytes: [UInt8])] = []

    /// Adds one; tags come in ascending order.
    package mutating func add(_ tag: UInt32, _ write: (inout KafkaWriter) -> Void) {
        var writer = KafkaWriter(capacity: 32)
        write(&writer)
        fields.append((tag, writer.bytes))
    }
}
