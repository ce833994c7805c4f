// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Writes JSON into a buffer.
struct JSONText {
    private(set) var buffer: ByteBuffer

    init(_ buffer: ByteBuffer) { self.buffer = buffer }

    @inline(__always)
    mutating func raw(_ text: StaticString) { buffer.writeStaticString(text) }

    mutating func append(_ text: String) { buffer.writeString(text) }

    mutating func append(_ bytes: UnsafeRawBufferPointer) { buffer.writeBytes(bytes) }

    mutating func integer(_ value: some BinaryInteger) { buffer.writeString(value.description) }

    mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string(UnsafeRawBufferPointer($0)) }
    }

    /// A JSON string of bytes that are UTF-8.
    mutating func string(_ text: UnsafeRawBufferPointer) {
        buffer.writeInteger(UInt8(ascii: "\""))
        var start = 0
        for index in text.indices {
            let byte = text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: text[start..<index]))
            start = index + 1
            escape(byte)
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: text[start...]))
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): raw("\\\"")
        case UInt8(ascii: "\\"): raw("\\\\")
        case 0x0A: raw("\\n")
        case 0x0D: raw("\\r")
        case 0x09: raw("\\t")
        default:
            raw("\\u00")
            let digits = Array("0123456789abcdef".utf8)
            buffer.writeInteger(digits[Int(byte >> 4)])
            buffer.writeInteger(digits[Int(byte & 15)])
        }
    }

    mutating func shape(_ shape: [Int]) {
        raw("[")
        for index in shape.indices {
            if index > 0 { raw(",") }
            integer(shape[index])
        }
        raw("]")
    }

    mutating func parameter(_ value: ParameterValue) {
        switch value {
        case .bool(let value): value ? raw("true") : raw("false")
        case .int(let value): integer(value)
        case .uint(let value): integer(value)
        case .double(let value): value.isFinite ? append(value.description) : raw("null")
        case .string(let text): string(text)
        }
    }

    /// A tensor's elements, flat.
    /// - Throws: `invalid` for BYTES that are no UTF-8.
    mutating func data(_ tensor: Tensor) throws(InferenceFault) {
        raw("[")
        try elements(tensor, 0..<tensor.elementCount)
        raw("]")
    }

    /// Some of a tensor's elements, with commas between them.
    /// - Throws: `invalid` for BYTES that are no UTF-8.
    mutating func elements(_ tensor: Tensor, _ range: Range<Int>) throws(InferenceFault) {
        if case .strings(let strings) = tensor.content { return try texts(strings, range, of: tensor.name) }
        tensor.withBytes { bytes in
            switch tensor.type {
            case .fp32: numbers(bytes, Float.self, range) { NumberText.write($0, to: &$1) }
            case .fp64: numbers(bytes, Double.self, range) { NumberText.write($0, to: &$1) }
            case .fp16: numbers(bytes, UInt16.self, range) { NumberText.write(Float(Float16(bitPattern: $0)), to: &$1) }
            case .bf16: numbers(bytes, UInt16.self, range) { NumberText.write(BrainFloat.value($0), to: &$1) }
            case .bool: numbers(bytes, UInt8.self, range) { NumberText.write($0 != 0, to: &$1) }
            case .uint8: numbers(bytes, UInt8.self, range) { NumberText.write($0, to: &$1) }
            case .uint16: numbers(bytes, UInt16.self, range) { NumberText.write($0, to: &$1) }
            case .uint32: numbers(bytes, UInt32.self, range) { NumberText.write($0, to: &$1) }
            case .uint64: numbers(bytes, UInt64.self, range) { NumberText.write($0, to: &$1) }
            case .int8: numbers(bytes, Int8.self, range) { NumberText.write($0, to: &$1) }
            case .int16: numbers(bytes, Int16.self, range) { NumberText.write($0, to: &$1) }
            case .int32: numbers(bytes, Int32.self, range) { NumberText.write($0, to: &$1) }
            case .int64: numbers(bytes, Int64.self, range) { NumberText.write($0, to: &$1) }
            case .bytes: break
            }
        }
    }

    /// Elements that are written before more room is asked for.
    private static let stride = 1024

    @inline(__always)
    private mutating func numbers<Element: BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ type: Element.Type, _ range: Range<Int>,
        _ write: (Element, inout UnsafeMutablePointer<UInt8>) -> Void
    ) {
        var next = range.lowerBound
        while next < range.upperBound {
            let last = min(range.upperBound, next + Self.stride)
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: (last - next) * NumberText.longest) { room in
                guard let start = room.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return 0 }
                var place = start
                while next < last {
                    if next > range.lowerBound {
                        place.pointee = UInt8(ascii: ",")
                        place += 1
                    }
                    write(
                        bytes.loadUnaligned(fromByteOffset: next * MemoryLayout<Element>.size, as: Element.self), &place
                    )
                    next += 1
                }
                return place - start
            }
        }
    }

    private mutating func texts(
        _ strings: StringTensor, _ range: Range<Int>, of name: String
    ) throws(InferenceFault) {
        for index in range {
            let bytes = strings[index]
            guard String(validating: bytes.bindMemory(to: UInt8.self), as: UTF8.self) != nil else {
                throw InferenceFault(
                    .invalid, "element \(index) of output '\(name)' is not UTF-8: ask for this output in binary")
            }
            if index > range.lowerBound { raw(",") }
            string(bytes)
        }
    }
}
