// SPDX-License-Identifier: Apache-2.0

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

/// What one request may have.
package struct RequestLimits: Sendable {
    /// Bytes of a body as it comes.
    package var bodyBytes = 64 << 20
    /// Bytes of a body that was compressed.
    package var decompressedBytes = 64 << 20
    /// Elements of one tensor.
    package var elements = 64 << 20
    /// Tensors, and outputs that are asked for.
    package var inputs = 256
    /// Nesting of JSON.
    package var depth = 32
    /// Bytes of a name or of a text parameter.
    package var nameBytes = 1024

    package init() {}
}
