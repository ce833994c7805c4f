// SPDX-License-Identifier: Apache-2.0

/// What of FlatBuffers' binary format (flatbuffers.dev, "Internals") Arrow's messages need.
///
/// A tree of values that is laid out from front to back: tables that start 4 bytes after a multiple of 8, so that
/// fields sorted by falling width are aligned without gaps.
indirect enum FlatValue {
    case table([FlatField])
    case string(String)
    case vector([FlatValue])
    /// A vector of structures (or of numbers) made of 64-bit numbers.
    case longs([Int64], perElement: Int)
}

enum FlatField {
    case absent
    case bool(Bool)
    case byte(UInt8)
    case short(Int16)
    case int(Int32)
    case long(Int64)
    case reference(FlatValue)

    fileprivate var width: Int {
        switch self {
        case .absent: 0
        case .bool, .byte: 1
        case .short: 2
        case .int, .reference: 4
        case .long: 8
        }
    }
}

struct FlatBuilder {
    private(set) var bytes: [UInt8] = [0, 0, 0, 0]

    /// The bytes of a message whose root is a table.
    static func build(_ root: FlatValue) -> [UInt8] {
        var builder = FlatBuilder()
        builder.point(0, to: builder.write(root))
        return builder.bytes
    }

    private mutating func pad(to multiple: Int, rest: Int = 0) {
        while bytes.count % multiple != rest { bytes.append(0) }
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func put(_ value: some FixedWidthInteger, at place: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(place..<place + $0.count, with: $0) }
    }

    private mutating func point(_ place: Int, to target: Int) { put(UInt32(target - place), at: place) }

    /// Returns where the value starts.
    private mutating func write(_ value: FlatValue) -> Int {
        switch value {
        case .string(let text):
            pad(to: 4)
            let start = bytes.count
            append(UInt32(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
            return start
        case .longs(let values, let perElement):
            pad(to: 8, rest: 4)
            let start = bytes.count
            append(UInt32(values.count / perElement))
            for value in values { append(value) }
            return start
        case .vector(let values):
            pad(to: 4)
            let start = bytes.count
            append(UInt32(values.count))
            for _ in values { append(UInt32(0)) }
            for (index, value) in values.enumerated() { point(start + 4 + 4 * index, to: write(value)) }
            return start
        case .table(let fields): return writeTable(fields)
        }
    }

    private mutating func writeTable(_ fields: [FlatField]) -> Int {
        let order = fields.indices.filter { fields[$0].width > 0 }.sorted { fields[$0].width > fields[$1].width }
        var places = [Int](repeating: 0, count: fields.count)
        var size = 4
        for index in order {
            places[index] = size
            size += fields[index].width
        }
        // The table of places comes right before the table.
        let head = 4 + 2 * fields.count
        pad(to: 2)
        while (bytes.count + head) % 8 != 4 { bytes.append(contentsOf: [0, 0]) }
        append(UInt16(head))
        append(UInt16(size))
        for place in places { append(UInt16(place)) }
        let start = bytes.count
        append(Int32(head))
        bytes.append(contentsOf: repeatElement(0, count: size - 4))
        for index in order {
            let place = start + places[index]
            switch fields[index] {
            case .absent: break
            case .bool(let value): bytes[place] = value ? 1 : 0
            case .byte(let value): bytes[place] = value
            case .short(let value): put(value, at: place)
            case .int(let value): put(value, at: place)
            case .long(let value): put(value, at: place)
            case .reference(let value): point(place, to: write(value))
            }
        }
        return start
    }
}

/// A table of a message that came from outside: every read is checked against the message's bytes.
struct FlatTable {
    let bytes: [UInt8]
    private let start: Int
    /// Where the fields lie, as the table of places says; 0 for a field that is absent.
    private let places: Int
    private let placeCount: Int
    private let size: Int

    /// The root of a message.
    init(root bytes: [UInt8]) throws(ArrowError) {
        let target = try Self.number(bytes, 0, as: UInt32.self)
        try self.init(bytes, at: Int(target))
    }

    private init(_ bytes: [UInt8], at start: Int) throws(ArrowError) {
        self.bytes = bytes
        self.start = start
        let back = Int(try Self.number(bytes, start, as: Int32.self))
        let head = start - back
        let headSize = Int(try Self.number(bytes, head, as: UInt16.self))
        size = Int(try Self.number(bytes, head + 2, as: UInt16.self))
        guard headSize >= 4, headSize % 2 == 0, head + headSize <= bytes.count, size >= 4,
            start + size <= bytes.count
        else { throw Self.malformed }
        places = head + 4
        placeCount = (headSize - 4) / 2
    }

    static var malformed: ArrowError { ArrowError(.malformed, "the head of a message is not a valid FlatBuffer") }

    private static func number<Number: FixedWidthInteger>(_ bytes: [UInt8], _ place: Int, as: Number.Type)
        throws(ArrowError) -> Number
    {
        let width = Number.bitWidth / 8
        guard place >= 0, place <= bytes.count - width else { throw malformed }
        return bytes.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: Number.self))
        }
    }

    private func place(_ field: Int, width: Int) throws(ArrowError) -> Int? {
        guard field < placeCount else { return nil }
        let offset = Int(try Self.number(bytes, places + 2 * field, as: UInt16.self))
        guard offset != 0 else { return nil }
        guard offset >= 4, offset + width <= size else { throw Self.malformed }
        return start + offset
    }

    func number<Number: FixedWidthInteger>(_ field: Int, default value: Number) throws(ArrowError) -> Number {
        guard let place = try place(field, width: Number.bitWidth / 8) else { return value }
        return try Self.number(bytes, place, as: Number.self)
    }

    func bool(_ field: Int) throws(ArrowError) -> Bool { try number(field, default: UInt8(0)) != 0 }

    private func target(_ field: Int) throws(ArrowError) -> Int? {
        guard let place = try place(field, width: 4) else { return nil }
        return place + Int(try Self.number(bytes, place, as: UInt32.self))
    }

    func table(_ field: Int) throws(ArrowError) -> FlatTable? {
        guard let target = try target(field) else { return nil }
        return try FlatTable(bytes, at: target)
    }

    func string(_ field: Int) throws(ArrowError) -> String? {
        guard let target = try target(field) else { return nil }
        let length = Int(try Self.number(bytes, target, as: UInt32.self))
        guard length <= bytes.count - target - 4 else { throw Self.malformed }
        return String(decoding: bytes[target + 4..<target + 4 + length], as: UTF8.self)
    }

    func tables(_ field: Int) throws(ArrowError) -> [FlatTable] {
        guard let target = try target(field) else { return [] }
        let count = Int(try Self.number(bytes, target, as: UInt32.self))
        guard count <= (bytes.count - target - 4) / 4 else { throw Self.malformed }
        var tables: [FlatTable] = []
        for index in 0..<count {
            let place = target + 4 + 4 * index
            tables.append(
                try FlatTable(bytes, at: place + Int(try Self.number(bytes, place, as: UInt32.self))))
        }
        return tables
    }

    /// A vector of structures of 64-bit numbers, flat.
    func longs(_ field: Int, perElement: Int) throws(ArrowError) -> [Int64] {
        guard let target = try target(field) else { return [] }
        let count = Int(try Self.number(bytes, target, as: UInt32.self))
        guard count <= (bytes.count - target - 4) / (8 * perElement) else { throw Self.malformed }
        var values: [Int64] = []
        values.reserveCapacity(count * perElement)
        for index in 0..<count * perElement {
            values.append(try Self.number(bytes, target + 4 + 8 * index, as: Int64.self))
        }
        return values
    }
}
