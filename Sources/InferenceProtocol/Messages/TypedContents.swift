// SPDX-License-Identifier: Apache-2.0

/// The values of an `InferTensorContents`. Numbers may be packed or not (protobuf lets both be); they are counted
/// before there is memory for them.
struct TypedContents {
    private let parts: [UnsafeRawBufferPointer]
    private let input: String
    private let model: String

    init(_ parts: [UnsafeRawBufferPointer], input: String, model: String) {
        self.parts = parts
        self.input = input
        self.model = model
    }

    private typealias Fields = MessageFields.InferTensorContents

    private static let names = [
        Fields.boolContents: "bool_contents", Fields.intContents: "int_contents",
        Fields.int64Contents: "int64_contents", Fields.uintContents: "uint_contents",
        Fields.uint64Contents: "uint64_contents", Fields.fp32Contents: "fp32_contents",
        Fields.fp64Contents: "fp64_contents", Fields.bytesContents: "bytes_contents",
    ]

    /// The field that has a type's values; nil: only raw contents have them.
    static func field(_ type: TensorType) -> Int? {
        switch type {
        case .bool: Fields.boolContents
        case .int8, .int16, .int32: Fields.intContents
        case .int64: Fields.int64Contents
        case .uint8, .uint16, .uint32: Fields.uintContents
        case .uint64: Fields.uint64Contents
        case .fp32: Fields.fp32Contents
        case .fp64: Fields.fp64Contents
        case .bytes: Fields.bytesContents
        case .fp16, .bf16: nil
        }
    }

    /// - Parameters:
    ///   - type: of the tensor.
    ///   - count: how many elements its shape has.
    ///   - budget: bytes that tensors may still take.
    /// - Returns: the elements.
    /// - Throws: values of another type, out of its range, or of another number.
    func content(_ type: TensorType, count: Int, budget: inout Int) throws(InferenceFault) -> Tensor.Content {
        guard let field = Self.field(type) else {
            throw InferenceFault(
                .invalid,
                "input '\(input)' for model '\(model)' is \(type.name), which has no typed contents: send "
                    + "raw_input_contents")
        }
        let got = try number(of: field, type)
        guard got == count else {
            throw InferenceFault(
                .invalid,
                "input '\(input)' for model '\(model)' has \(got) elements, its shape needs \(count)")
        }
        switch type {
        case .bool: return try varints(field, count, &budget) { (value: UInt64) in UInt8(value == 0 ? 0 : 1) }
        case .int8: return try varints(field, count, &budget) { Int8(exactly: Int64(bitPattern: $0)) }
        case .int16: return try varints(field, count, &budget) { Int16(exactly: Int64(bitPattern: $0)) }
        case .int32: return try varints(field, count, &budget) { Int32(exactly: Int64(bitPattern: $0)) }
        case .int64: return try varints(field, count, &budget) { Int64(bitPattern: $0) }
        case .uint8: return try varints(field, count, &budget) { UInt8(exactly: $0) }
        case .uint16: return try varints(field, count, &budget) { UInt16(exactly: $0) }
        case .uint32: return try varints(field, count, &budget) { UInt32(exactly: $0) }
        case .uint64: return try varints(field, count, &budget) { $0 }
        case .fp32: return try fixed(field, count, UInt32.self, &budget)
        case .fp64: return try fixed(field, count, UInt64.self, &budget)
        case .bytes: return .strings(try strings(field, count, &budget))
        case .fp16, .bf16: throw InferenceFault(.invalid, "\(type.name) has no typed contents")
        }
    }

    /// How many values there are; other fields must have none.
    private func number(of field: Int, _ type: TensorType) throws(InferenceFault) -> Int {
        var count = 0
        for part in parts {
            var reader = WireReader(part)
            while let (number, payload) = try reader.next() {
                guard let name = Self.names[number] else { continue }
                if number != field {
                    if case .bytes(let bytes) = payload, bytes.isEmpty, number != Fields.bytesContents { continue }
                    throw InferenceFault(
                        .invalid,
                        "input '\(input)' for model '\(model)' is \(type.name) but has \(name), expected "
                            + (Self.names[field] ?? ""))
                }
                switch (payload, type) {
                case (.bytes, .bytes): count += 1
                case (.bytes(let bytes), .fp32), (.bytes(let bytes), .fp64):
                    let size = type == .fp32 ? 4 : 8
                    guard bytes.count % size == 0 else {
                        throw WireReader.malformed("\(name) has \(bytes.count) bytes, no multiple of \(size)")
                    }
                    count += bytes.count / size
                case (.bytes(let bytes), _):
                    // A varint's last byte is the one below 128.
                    count += bytes.reduce(into: 0) { $0 += $1 < 0x80 ? 1 : 0 }
                case (.varint, .bytes), (.varint, .fp32), (.varint, .fp64):
                    throw WireReader.malformed("\(name) has another wire type")
                case (.varint, _), (.fixed32, .fp32), (.fixed64, .fp64): count += 1
                default: throw WireReader.malformed("\(name) has another wire type")
                }
            }
        }
        return count
    }

    private func varints<Element: FixedWidthInteger>(
        _ field: Int, _ count: Int, _ budget: inout Int, _ convert: (UInt64) -> Element?
    ) throws(InferenceFault) -> Tensor.Content {
        let size = count * MemoryLayout<Element>.size
        try InputMessage.take(size, from: &budget)
        let storage = TensorStorage(byteCount: size)
        let elements = storage.bytes.bindMemory(to: Element.self)
        var index = 0
        func put(_ value: UInt64) throws(InferenceFault) {
            guard let element = convert(value) else {
                throw InferenceFault(
                    .invalid,
                    "input '\(input)' for model '\(model)': element \(index) is out of the range of \(Element.self)")
            }
            // What was counted and what is read are the same; a byte more would be another message's.
            guard index < count else { throw WireReader.malformed("more values than were counted") }
            elements[index] = element
            index += 1
        }
        for part in parts {
            var reader = WireReader(part)
            while let (number, payload) = try reader.next() {
                guard number == field else { continue }
                switch payload {
                case .varint(let value): try put(value)
                case .bytes(let bytes):
                    var values = WireReader(bytes)
                    while !values.isAtEnd { try put(try values.varint()) }
                case .fixed32, .fixed64: throw WireReader.malformed("a number has another wire type")
                }
            }
        }
        guard index == count else { throw WireReader.malformed("fewer values than were counted") }
        return .memory(storage, 0..<size)
    }

    private func fixed<Bits: FixedWidthInteger>(
        _ field: Int, _ count: Int, _ type: Bits.Type, _ budget: inout Int
    ) throws(InferenceFault) -> Tensor.Content {
        let size = count * MemoryLayout<Bits>.size
        try InputMessage.take(size, from: &budget)
        let storage = TensorStorage(byteCount: size)
        var offset = 0
        for part in parts {
            var reader = WireReader(part)
            while let (number, payload) = try reader.next() {
                guard number == field else { continue }
                switch payload {
                case .bytes(let bytes):
                    UnsafeMutableRawBufferPointer(rebasing: storage.bytes[offset..<offset + bytes.count])
                        .copyMemory(from: bytes)
                    offset += bytes.count
                case .fixed32(let bits):
                    storage.bytes.storeBytes(of: bits.littleEndian, toByteOffset: offset, as: UInt32.self)
                    offset += 4
                case .fixed64(let bits):
                    storage.bytes.storeBytes(of: bits.littleEndian, toByteOffset: offset, as: UInt64.self)
                    offset += 8
                case .varint: throw WireReader.malformed("a number has another wire type")
                }
            }
        }
        return .memory(storage, 0..<size)
    }

    private func strings(_ field: Int, _ count: Int, _ budget: inout Int) throws(InferenceFault) -> StringTensor {
        var elements: [UnsafeRawBufferPointer] = []
        // The list of ends takes memory, too.
        try InputMessage.take(count * MemoryLayout<Int>.size, from: &budget)
        elements.reserveCapacity(count)
        for part in parts {
            var reader = WireReader(part)
            while let (number, payload) = try reader.next() {
                guard number == field else { continue }
                elements.append(try payload.bytes("bytes_contents"))
            }
        }
        let size = elements.reduce(0) { $0 + $1.count }
        try InputMessage.take(size, from: &budget)
        let storage = TensorStorage(byteCount: size)
        var ends: [Int] = []
        ends.reserveCapacity(count)
        var end = 0
        for element in elements {
            UnsafeMutableRawBufferPointer(rebasing: storage.bytes[end..<end + element.count])
                .copyMemory(from: element)
            end += element.count
            ends.append(end)
        }
        return StringTensor(storage: storage, ends: ends)
    }
}
