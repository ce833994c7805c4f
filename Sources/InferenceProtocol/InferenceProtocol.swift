// SPDX-License-Identifier: Apache-2.0

/// The datatypes of the Open Inference Protocol.
package enum TensorType: UInt8, Sendable, CaseIterable {
    case bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64, fp16, bf16, fp32, fp64, bytes

    /// As the protocol writes it: `FP32`, `BYTES`.
    package var name: String { "\(self)".uppercased() }

    package init?(name: some StringProtocol) {
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
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
}

/// Memory of a tensor, aligned to 64 bytes.
///
/// Sendable although it can be written: whoever makes it writes it before it is put into a tensor, and from then on it
/// is only read.
package final class TensorStorage: @unchecked Sendable {
    package let byteCount: Int
    private let base: UnsafeMutableRawPointer
    private let release: (@Sendable () -> Void)?

    package init(byteCount: Int) {
        self.byteCount = byteCount
        base = .allocate(byteCount: max(byteCount, 1), alignment: 64)
        release = nil
    }

    /// Memory of somebody else, which is given back by `release`.
    package init(adopting base: UnsafeMutableRawPointer, byteCount: Int, release: @escaping @Sendable () -> Void) {
        self.byteCount = byteCount
        self.base = base
        self.release = release
    }

    deinit { if let release { release() } else { base.deallocate() } }

    package var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base, count: byteCount) }
}

/// Elements of the type BYTES, one behind the other.
package struct StringTensor: Sendable {
    package let storage: TensorStorage
    /// Where each element ends in the storage.
    package let ends: [Int]

    package init(storage: TensorStorage, ends: [Int]) {
        self.storage = storage
        self.ends = ends
    }
}

/// A named tensor, row-major.
package struct Tensor: Sendable {
    package enum Content: Sendable {
        case memory(TensorStorage, Range<Int>)
        case strings(StringTensor)
    }

    package var name: String
    package var type: TensorType
    package var shape: [Int]
    package var content: Content

    package init(name: String, type: TensorType, shape: [Int], content: Content) {
        self.name = name
        self.type = type
        self.shape = shape
        self.content = content
    }
}

package enum ParameterValue: Sendable, Hashable {
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
}

package struct RequestedOutput: Sendable {
    package var name: String
    /// Nil: as the request says for all.
    package var isBinary: Bool?
    /// How many classes of the classification extension; 0: the tensor itself.
    package var classes = 0
    package var parameters: [String: ParameterValue] = [:]

    package init(name: String) { self.name = name }
}

/// How the answer is to be written.
package enum AnswerForm: Sendable {
    case json
    /// JSON, and behind it the bytes of outputs that do not say otherwise.
    case binary
    /// gRPC with `contents`.
    case typedMessages
    /// gRPC with `raw_output_contents`.
    case rawMessages
    /// V1: `predictions`; whether rows were objects.
    case predictions(ofObjects: Bool)
}

package struct InferenceRequest: Sendable {
    package var model: String
    package var version: String?
    package var id = ""
    package var inputs: [Tensor]
    /// Empty: all.
    package var outputs: [RequestedOutput] = []
    package var parameters: [String: ParameterValue] = [:]
    /// 0: the model's default; 1 is the most urgent.
    package var priority: UInt64 = 0
    package var timeout: Duration?
    package var form = AnswerForm.json

    package init(model: String, version: String?, inputs: [Tensor]) {
        self.model = model
        self.version = version
        self.inputs = inputs
    }
}

package struct InferenceResponse: Sendable {
    package var model: String
    package var version: String
    package var id: String
    package var parameters: [String: ParameterValue] = [:]
    package var outputs: [Tensor]

    package init(model: String, version: String, id: String, outputs: [Tensor]) {
        self.model = model
        self.version = version
        self.id = id
        self.outputs = outputs
    }
}

package struct TensorSpec: Sendable, Hashable {
    package var name: String
    package var type: TensorType
    /// −1: any.
    package var shape: [Int]
    package var isOptional = false

    package init(name: String, type: TensorType, shape: [Int]) {
        self.name = name
        self.type = type
        self.shape = shape
    }
}

/// What a model takes and gives.
package struct ModelSignature: Sendable, Hashable {
    /// `onnxruntime_onnx`, `xgboost`, …
    package var platform: String
    package var inputs: [TensorSpec]
    package var outputs: [TensorSpec]
    /// Rows along the first axis that one run may have; 0: the first axis is not one of rows.
    package var maximumBatch: Int

    package init(platform: String, inputs: [TensorSpec], outputs: [TensorSpec], maximumBatch: Int) {
        self.platform = platform
        self.inputs = inputs
        self.outputs = outputs
        self.maximumBatch = maximumBatch
    }
}

/// Why there is no answer; each protocol has its own status for it.
package struct InferenceFault: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        case invalid, notFound, notReady, tooMany, tooLarge, deadline, cancelled, unsupported, unauthenticated, runtime
    }

    package let code: Code
    /// What was expected, what came, what to do.
    package let description: String
    /// For `tooMany` and `notReady`.
    package var retryAfter: Duration?

    package init(_ code: Code, _ description: String, retryAfter: Duration? = nil) {
        self.code = code
        self.description = description
        self.retryAfter = retryAfter
    }
}

/// What one request may have.
package struct RequestLimits: Sendable {
    package var bodyBytes = 64 << 20
    package var decompressedBytes = 64 << 20
    package var elements = 64 << 20
    package var inputs = 256
    package var depth = 32
    package var nameBytes = 1024

    package init() {}
}
