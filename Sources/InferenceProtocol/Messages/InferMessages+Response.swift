// SPDX-License-Identifier: Apache-2.0
package import NIOCore

extension InferMessages {
    /// Writes a `ModelInferResponse`.
    /// - Parameters:
    ///   - response: what is written.
    ///   - raw: whether the values are raw contents. Outputs of FP16 and BF16 make all of them raw, as they have no
    ///     others.
    ///   - buffer: to the end of this.
    package static func write(
        _ response: borrowing InferenceResponse, raw: Bool, into buffer: inout ByteBuffer
    ) {
        let isRaw = raw || response.outputs.contains { TypedContents.field($0.type) == nil }
        typealias Fields = MessageFields.ModelInferResponse
        buffer.writeField(Fields.modelName, response.model)
        buffer.writeField(Fields.modelVersion, response.version)
        buffer.writeField(Fields.id, response.id)
        for (key, value) in response.parameters.sorted(by: { $0.key < $1.key }) {
            writeParameter(Fields.parameters, key, value, into: &buffer)
        }
        for output in response.outputs {
            let message = OutputMessage(output, isRaw: isRaw)
            buffer.reserveCapacity(minimumWritableBytes: message.byteCount + 16)
            buffer.writeHead(Fields.outputs, length: message.byteCount)
            message.write(into: &buffer)
        }
        guard isRaw else { return }
        for output in response.outputs { writeRaw(output, into: &buffer) }
    }

    /// Writes a `ModelStreamInferResponse`.
    /// - Parameters:
    ///   - result: an answer, or why there is none.
    ///   - id: of the request.
    ///   - raw: as of ``write(_:raw:into:)``.
    ///   - buffer: to the end of this.
    package static func writeStream(
        _ result: Result<InferenceResponse, InferenceFault>, id: String, raw: Bool, into buffer: inout ByteBuffer
    ) {
        typealias Fields = MessageFields.ModelStreamInferResponse
        var inner = ByteBuffer()
        switch result {
        case .success(let response): write(response, raw: raw, into: &inner)
        case .failure(let fault):
            buffer.writeField(
                Fields.errorMessage, fault.description.isEmpty ? "the request failed" : fault.description)
            inner.writeField(MessageFields.ModelInferResponse.id, id)
        }
        guard inner.readableBytes > 0 else { return }
        buffer.writeHead(Fields.inferResponse, length: inner.readableBytes)
        buffer.writeBuffer(&inner)
    }

    private static func writeParameter(
        _ field: Int, _ key: String, _ value: ParameterValue, into buffer: inout ByteBuffer
    ) {
        typealias Fields = MessageFields.InferParameter
        var parameter = ByteBuffer()
        switch value {
        case .bool(let value): parameter.writeField(Fields.boolParam, varint: value ? 1 : 0)
        case .int(let value): parameter.writeField(Fields.int64Param, varint: UInt64(bitPattern: value))
        case .uint(let value): parameter.writeField(Fields.uint64Param, varint: value)
        case .double(let value):
            parameter.writeVarint(UInt64(Fields.doubleParam) << 3 | 1)
            parameter.writeInteger(value.bitPattern, endianness: .little)
        case .string(let text):
            // One of several: written even when it is empty.
            parameter.writeHead(Fields.stringParam, length: text.utf8.count)
            parameter.writeString(text)
        }
        var entry = ByteBuffer()
        entry.writeField(1, key)
        entry.writeHead(2, length: parameter.readableBytes)
        entry.writeBuffer(&parameter)
        buffer.writeHead(field, length: entry.readableBytes)
        buffer.writeBuffer(&entry)
    }

    private static func writeRaw(_ output: Tensor, into buffer: inout ByteBuffer) {
        let field = MessageFields.ModelInferResponse.rawOutputContents
        switch output.content {
        case .memory(let storage, let range):
            buffer.reserveCapacity(minimumWritableBytes: range.count + 16)
            buffer.writeHead(field, length: range.count)
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: storage.bytes[range]))
        case .strings(let strings):
            let size = strings.byteCount + 4 * strings.count
            buffer.reserveCapacity(minimumWritableBytes: size + 16)
            buffer.writeHead(field, length: size)
            for index in 0..<strings.count {
                let element = strings[index]
                buffer.writeInteger(UInt32(truncatingIfNeeded: element.count), endianness: .little)
                buffer.writeBytes(element)
            }
        }
    }
}
