// SPDX-License-Identifier: Apache-2.0

/// The datatypes of the Open Inference Protocol.
package enum TensorType: UInt8, Sendable, CaseIterable {
    case bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64, fp16, bf16, fp32, fp64, bytes

    /// As the protocol writes it: `FP32`, `BYTES`.
    package var name: String {
        switch self {
        case .bool: "BOOL"
        case .uint8: "UINT8"
        case .uint16: "UINT16"
        case .uint32: "UINT32"
        case .uint64: "UINT64"
        case .int8: "INT8"
        case .int16: "INT16"
        case .int32: "INT32"
        case .int64: "INT64"
        case .fp16: "FP16"
        case .bf16: "BF16"
        case .fp32: "FP32"
        case .fp64: "FP64"
        case .bytes: "BYTES"
        }
    }

    package init?(name: some StringProtocol) {
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }

    /// As Triton's model configurations write it: `TYPE_FP32`, `TYPE_STRING`.
    package var configName: String { self == .bytes ? "TYPE_STRING" : "TYPE_" + name }

    package init?(configName: String) {
        guard let type = Self.allCases.first(where: { $0.configName == configName }) else { return nil }
        self = type
    }

    /// Bytes of one element; nil where each element says its own length.
    package var byteCount: Int? {
        switch self {
        case .bool, .uint8, .int8: 1
        case .uint16, .int16, .fp16, .bf16: 2
        case .uint32, .int32, .fp32: 4
        case .uint64, .int64, .fp64: 8
        case .bytes: nil
        }
    }

    /// ONNX's number of the element type (TensorProto.DataType).
    package var onnx: Int32 {
        switch self {
        case .fp32: 1
        case .uint8: 2
        case .int8: 3
        case .uint16: 4
        case .int16: 5
        case .int32: 6
        case .int64: 7
        case .bytes: 8
        case .bool: 9
        case .fp16: 10
        case .fp64: 11
        case .uint32: 12
        case .uint64: 13
        case .bf16: 16
        }
    }

    package init?(onnx: Int32) {
        guard let type = Self.allCases.first(where: { $0.onnx == onnx }) else { return nil }
        self = type
    }
}
