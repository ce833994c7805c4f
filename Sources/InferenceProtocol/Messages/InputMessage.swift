// SPDX-License-Identifier: Apache-2.0

/// An `InferInputTensor`, whose values are read once it is known whether they are among the raw contents.
struct InputMessage {
    private var name = ""
    private var datatype = ""
    private var shape: [Int] = []
    private var parameters: [String: ParameterValue] = [:]
    /// Parts of one message: a field that is there again adds to what was there.
    private var contents: [UnsafeRawBufferPointer] = []

    /// As many axes as ONNX's and numpy's users can have.
    private static let longestShape = 32

    init(_ bytes: UnsafeRawBufferPointer, _ limits: RequestLimits) throws(InferenceFault) {
        var reader = WireReader(bytes)
        typealias Fields = MessageFields.InferInputTensor
        while let (number, payload) = try reader.next() {
            switch number {
            case Fields.name: name = try payload.text("an input's name", longest: limits.nameBytes)
            case Fields.datatype: datatype = try payload.text("a datatype", longest: limits.nameBytes)
            case Fields.shape: try addShape(payload)
            case Fields.parameters:
                try InferMessages.add(try payload.bytes("parameters"), to: &parameters, limits)
            case Fields.contents:
                guard contents.count < limits.inputs else {
                    throw WireReader.malformed("contents is there more than \(limits.inputs) times")
                }
                contents.append(try payload.bytes("contents"))
            default: break
            }
        }
    }

    private mutating func addShape(_ payload: WireReader.Payload) throws(InferenceFault) {
        switch payload {
        case .varint(let value): try addAxis(value)
        case .bytes(let bytes):
            var reader = WireReader(bytes)
            while !reader.isAtEnd { try addAxis(try reader.varint()) }
        default: throw WireReader.malformed("shape has another wire type")
        }
    }

    private mutating func addAxis(_ bits: UInt64) throws(InferenceFault) {
        let axis = Int64(bitPattern: bits)
        guard axis >= 0 else {
            throw InferenceFault(.invalid, "the shape of input '\(name)' has \(axis); axes are not negative")
        }
        guard shape.count < Self.longestShape else {
            throw InferenceFault(.invalid, "the shape of input '\(name)' has more than \(Self.longestShape) axes")
        }
        shape.append(Int(axis))
    }

    /// - Parameters:
    ///   - raw: its bytes among the raw contents; nil where there are none.
    ///   - model: for what is said.
    ///   - limits: of elements.
    ///   - budget: bytes that tensors of this request may still take.
    /// - Returns: the tensor.
    /// - Throws: what does not fit together.
    func tensor(
        raw: UnsafeRawBufferPointer?, model: String, _ limits: RequestLimits, budget: inout Int
    ) throws(InferenceFault) -> Tensor {
        try InferMessages.refuseSharedMemory(parameters, "input '\(name)'")
        guard let type = TensorType(name: datatype) else {
            throw InferenceFault(
                .invalid, "input '\(name)' for model '\(model)' has the unknown datatype '\(datatype)'")
        }
        let count = try elementCount(model, limits)
        let content: Tensor.Content
        if let raw {
            guard contents.allSatisfy(\.isEmpty) else {
                throw InferenceFault(
                    .invalid,
                    "input '\(name)' for model '\(model)' has contents, although the request has raw_input_contents: "
                        + "use one of them")
            }
            content = try rawContent(raw, type, count, model, &budget)
        } else {
            content = try TypedContents(contents, input: name, model: model)
                .content(type, count: count, budget: &budget)
        }
        return Tensor(name: name, type: type, shape: shape, content: content)
    }

    private func elementCount(_ model: String, _ limits: RequestLimits) throws(InferenceFault) -> Int {
        // A 0 anywhere makes all of it 0, whatever else overflows.
        guard !shape.contains(0) else { return 0 }
        var count = 1
        for axis in shape {
            let (product, isOver) = count.multipliedReportingOverflow(by: axis)
            guard !isOver, product <= limits.elements else {
                throw InferenceFault(
                    .tooLarge,
                    "input '\(name)' for model '\(model)' with the shape \(shape) has more than \(limits.elements) "
                        + "elements")
            }
            count = product
        }
        return count
    }

    private func rawContent(
        _ raw: UnsafeRawBufferPointer, _ type: TensorType, _ count: Int, _ model: String, _ budget: inout Int
    ) throws(InferenceFault) -> Tensor.Content {
        try Self.take(raw.count, from: &budget)
        guard let size = type.byteCount else {
            return .strings(try Self.strings(raw, count: count, input: name, model: model))
        }
        guard raw.count == count * size else {
            throw InferenceFault(
                .invalid,
                "input byte size mismatch for input '\(name)' for model '\(model)'. Expected \(count * size), got "
                    + "\(raw.count)")
        }
        let storage = TensorStorage(byteCount: raw.count)
        storage.bytes.copyMemory(from: raw)
        return .memory(storage, 0..<raw.count)
    }

    static func take(_ bytes: Int, from budget: inout Int) throws(InferenceFault) {
        guard bytes <= budget else {
            throw InferenceFault(.tooLarge, "the request's tensors take more bytes than the server's limit")
        }
        budget -= bytes
    }

    /// Elements that each have their length (4 bytes, little-endian) in front.
    private static func strings(
        _ raw: UnsafeRawBufferPointer, count: Int, input: String, model: String
    ) throws(InferenceFault) -> StringTensor {
        // Each takes 4 bytes or more: room for no more than there can be.
        guard count <= raw.count / 4 else { throw mismatch(raw.count / 4, count, input, model) }
        var ends: [Int] = []
        ends.reserveCapacity(count)
        let storage = TensorStorage(byteCount: raw.count - 4 * count)
        let target = storage.bytes
        var index = 0
        var end = 0
        while index < raw.count {
            guard ends.count < count else {
                throw InferenceFault(
                    .invalid,
                    "input '\(input)' for model '\(model)' has bytes behind its \(count) elements")
            }
            guard raw.count - index >= 4 else { throw mismatch(ends.count, count, input, model) }
            let length = Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: index, as: UInt32.self)))
            index += 4
            guard length <= raw.count - index, length <= storage.byteCount - end else {
                throw mismatch(ends.count, count, input, model)
            }
            UnsafeMutableRawBufferPointer(rebasing: target[end..<end + length])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: raw[index..<index + length]))
            index += length
            end += length
            ends.append(end)
        }
        guard ends.count == count else { throw mismatch(ends.count, count, input, model) }
        return StringTensor(storage: storage, ends: ends)
    }

    private static func mismatch(_ got: Int, _ count: Int, _ input: String, _ model: String) -> InferenceFault {
        InferenceFault(
            .invalid, "expected \(count) string elements for input '\(input)' for model '\(model)', got \(got)")
    }
}
