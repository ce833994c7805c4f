// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// An `InferOutputTensor`: its length is known before it is written.
struct OutputMessage {
    private typealias Fields = MessageFields.InferOutputTensor
    private let tensor: Tensor
    private let shapeBytes: Int
    /// The values' field and how many bytes they have; nil for raw contents.
    private let contents: (field: Int, byteCount: Int)?
    let byteCount: Int

    init(_ tensor: Tensor, isRaw: Bool) {
        self.tensor = tensor
        shapeBytes = tensor.shape.reduce(0) { $0 + WireWriter.size(ofVarint: UInt64(bitPattern: Int64($1))) }
        contents = isRaw ? nil : TypedContents.field(tensor.type).map { ($0, Self.contentBytes(tensor, $0)) }
        var count = WireWriter.size(Fields.datatype, ofBytes: tensor.type.name.utf8.count)
        if !tensor.name.isEmpty { count += WireWriter.size(Fields.name, ofBytes: tensor.name.utf8.count) }
        if !tensor.shape.isEmpty { count += WireWriter.size(Fields.shape, ofBytes: shapeBytes) }
        if let contents { count += WireWriter.size(Fields.contents, ofBytes: contents.byteCount) }
        byteCount = count
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeField(Fields.name, tensor.name)
        buffer.writeField(Fields.datatype, tensor.type.name)
        if !tensor.shape.isEmpty {
            buffer.writeHead(Fields.shape, length: shapeBytes)
            for axis in tensor.shape { buffer.writeVarint(UInt64(bitPattern: Int64(axis))) }
        }
        guard let contents else { return }
        buffer.writeHead(Fields.contents, length: contents.byteCount)
        writeContents(contents.field, into: &buffer)
    }

    /// Of the message `InferTensorContents`.
    private static func contentBytes(_ tensor: Tensor, _ field: Int) -> Int {
        switch tensor.content {
        case .strings(let strings):
            var count = 0
            for index in 0..<strings.count { count += WireWriter.size(field, ofBytes: strings[index].count) }
            return count
        case .memory(let storage, let range):
            guard !range.isEmpty else { return 0 }
            return WireWriter.size(
                field, ofBytes: packedBytes(tensor.type, UnsafeRawBufferPointer(rebasing: storage.bytes[range])))
        }
    }

    private static func packedBytes(_ type: TensorType, _ bytes: UnsafeRawBufferPointer) -> Int {
        switch type {
        case .fp32, .fp64, .bool: return bytes.count
        default:
            var count = 0
            forEachVarint(type, bytes) { count += WireWriter.size(ofVarint: $0) }
            return count
        }
    }

    private func writeContents(_ field: Int, into buffer: inout ByteBuffer) {
        switch tensor.content {
        case .strings(let strings):
            for index in 0..<strings.count {
                let element = strings[index]
                buffer.writeHead(field, length: element.count)
                buffer.writeBytes(element)
            }
        case .memory(let storage, let range):
            guard !range.isEmpty else { return }
            let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[range])
            buffer.writeHead(field, length: Self.packedBytes(tensor.type, bytes))
            switch tensor.type {
            // Little-endian machines only, as raw contents are.
            case .fp32, .fp64, .bool: buffer.writeBytes(bytes)
            default: Self.forEachVarint(tensor.type, bytes) { buffer.writeVarint($0) }
            }
        }
    }

    private static func forEachVarint(
        _ type: TensorType, _ bytes: UnsafeRawBufferPointer, _ body: (UInt64) -> Void
    ) {
        switch type {
        case .int8: for value in bytes { body(UInt64(bitPattern: Int64(Int8(bitPattern: value)))) }
        case .uint8: for value in bytes { body(UInt64(value)) }
        case .int16: forEach(bytes, Int16.self) { body(UInt64(bitPattern: Int64($0))) }
        case .int32: forEach(bytes, Int32.self) { body(UInt64(bitPattern: Int64($0))) }
        case .int64: forEach(bytes, Int64.self) { body(UInt64(bitPattern: $0)) }
        case .uint16: forEach(bytes, UInt16.self) { body(UInt64($0)) }
        case .uint32: forEach(bytes, UInt32.self) { body(UInt64($0)) }
        case .uint64: forEach(bytes, UInt64.self) { body($0) }
        case .bool, .fp16, .bf16, .fp32, .fp64, .bytes: break
        }
    }

    private static func forEach<Element: FixedWidthInteger>(
        _ bytes: UnsafeRawBufferPointer, _ type: Element.Type, _ body: (Element) -> Void
    ) {
        for offset in stride(from: 0, to: bytes.count, by: MemoryLayout<Element>.size) {
            body(bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
    }
}
