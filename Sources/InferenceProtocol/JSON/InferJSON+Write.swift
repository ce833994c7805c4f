// SPDX-License-Identifier: Apache-2.0
package import NIOCore

extension InferJSON {
    /// Writes an answer: JSON, and behind it the bytes of outputs that are asked for in binary.
    /// - Parameters:
    ///   - response: the answer; has the outputs that were asked for.
    ///   - request: what was asked; its inputs are not looked at.
    ///   - hasRows: whether the first axis is one of rows, for the classification extension.
    ///   - buffer: is appended to.
    /// - Returns: bytes of the JSON (`Inference-Header-Content-Length`) where there is more than JSON.
    /// - Throws: `invalid` for texts that are no UTF-8, in JSON.
    package static func write(
        _ response: borrowing InferenceResponse, for request: borrowing InferenceRequest, hasRows: Bool = true,
        into buffer: inout ByteBuffer
    ) throws(InferenceFault) -> Int? {
        let start = buffer.writerIndex
        // The buffer is moved in and out, so that it is not copied when it is written to.
        var json = JSONText(buffer)
        buffer = ByteBuffer()
        defer { buffer = json.buffer }
        json.raw("{")
        if !response.id.isEmpty {
            json.raw("\"id\":")
            json.string(response.id)
            json.raw(",")
        }
        json.raw("\"model_name\":")
        json.string(response.model)
        json.raw(",\"model_version\":")
        json.string(response.version)
        if !response.parameters.isEmpty {
            json.raw(",\"parameters\":{")
            var isFirst = true
            for (name, value) in response.parameters.sorted(by: { $0.key < $1.key }) {
                if !isFirst { json.raw(",") }
                isFirst = false
                json.string(name)
                json.raw(":")
                json.parameter(value)
            }
            json.raw("}")
        }
        json.raw(",\"outputs\":[")
        let allBinary = if case .binary = request.form { true } else { false }
        var binary: [Tensor] = []
        for index in response.outputs.indices {
            if index > 0 { json.raw(",") }
            let name = response.outputs[index].name
            let wish = request.outputs.first { $0.name == name }
            let tensor =
                (wish?.classes ?? 0) > 0
                ? Classification.of(response.outputs[index], classes: wish?.classes ?? 0, hasRows: hasRows)
                : response.outputs[index]
            let isBinary = wish?.isBinary ?? allBinary
            try write(tensor, isBinary: isBinary, &json)
            if isBinary { binary.append(tensor) }
        }
        json.raw("]}")
        guard !binary.isEmpty else { return nil }
        let length = json.buffer.writerIndex - start
        for tensor in binary { json.binary(tensor) }
        return length
    }

    private static func write(
        _ tensor: Tensor, isBinary: Bool, _ json: inout JSONText
    ) throws(InferenceFault) {
        json.raw("{\"name\":")
        json.string(tensor.name)
        json.raw(",\"datatype\":\"")
        json.name(tensor.type)
        json.raw("\",\"shape\":")
        json.shape(tensor.shape)
        if isBinary {
            json.raw(",\"parameters\":{\"binary_data_size\":")
            json.integer(tensor.binarySize)
            json.raw("}}")
        } else {
            json.raw(",\"data\":")
            try json.data(tensor)
            json.raw("}")
        }
    }
}

extension Tensor {
    /// Bytes in the extension for binary tensors.
    package var binarySize: Int {
        if case .strings(let strings) = content { strings.byteCount + 4 * strings.count } else { byteCount }
    }
}

extension JSONText {
    mutating func name(_ type: TensorType) { append(type.name) }

    /// A tensor's elements, little-endian; of BYTES each with its length (uint32) before it.
    mutating func binary(_ tensor: Tensor) {
        guard case .strings(let strings) = tensor.content else { return tensor.withBytes { append($0) } }
        for index in 0..<strings.count {
            let bytes = strings[index]
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: bytes.count).littleEndian) { append($0) }
            append(bytes)
        }
    }
}

/// The classification extension: an output's largest elements as texts `VALUE:INDEX`.
package enum Classification {
    /// - Parameters:
    ///   - tensor: an output of numbers.
    ///   - classes: how many for each row.
    ///   - hasRows: whether the first axis is one of rows; else the whole tensor is one row.
    /// - Returns: a tensor of BYTES; the tensor itself where its elements are no numbers.
    package static func of(_ tensor: Tensor, classes: Int, hasRows: Bool) -> Tensor {
        guard let values = values(tensor) else { return tensor }
        let rows = hasRows ? tensor.shape.first ?? 1 : 1
        let width = rows > 0 ? values.count / rows : 0
        let count = min(classes, width)
        var texts: [String] = []
        texts.reserveCapacity(rows * count)
        for row in 0..<rows {
            let range = row * width..<(row + 1) * width
            let largest = range.sorted { values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1] }.prefix(count)
            texts += largest.map { "\(values[$0]):\($0 - range.lowerBound)" }
        }
        return Tensor(
            name: tensor.name, type: .bytes, shape: hasRows ? [rows, count] : [count],
            content: .strings(StringTensor(texts)))
    }

    private static func values(_ tensor: Tensor) -> [Double]? {
        tensor.withBytes { bytes in
            func all<Element: BitwiseCopyable>(_ type: Element.Type, _ value: (Element) -> Double) -> [Double] {
                (0..<tensor.elementCount).map {
                    value(bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.size, as: Element.self))
                }
            }
            return switch tensor.type {
            case .fp32: all(Float.self) { Double($0) }
            case .fp64: all(Double.self) { $0 }
            case .fp16: all(UInt16.self) { Double(Float16(bitPattern: $0)) }
            case .bf16: all(UInt16.self) { Double(BrainFloat.value($0)) }
            case .bool, .uint8: all(UInt8.self) { Double($0) }
            case .uint16: all(UInt16.self) { Double($0) }
            case .uint32: all(UInt32.self) { Double($0) }
            case .uint64: all(UInt64.self) { Double($0) }
            case .int8: all(Int8.self) { Double($0) }
            case .int16: all(Int16.self) { Double($0) }
            case .int32: all(Int32.self) { Double($0) }
            case .int64: all(Int64.self) { Double($0) }
            case .bytes: nil
            }
        }
    }
}
