// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol

/// A request as its model takes it: checked, inputs in the signature's order.
package struct InferencePlan: Sendable {
    /// Which requests can run together.
    package struct Key: Sendable, Hashable {
        /// By input: its axes but the first; none for an optional input that is not there.
        let shapes: [[Int]?]
        let outputs: [String]
    }

    package let inputs: [Tensor]
    /// Names of the outputs, in the order in which they are given.
    package let outputs: [String]
    /// Rows along the first axis; for a model without such an axis 1.
    package let rows: Int

    /// - Parameters:
    ///   - request: as it came.
    ///   - signature: of the model.
    ///   - all: names of all outputs, for a request that names none.
    /// - Throws: `invalid` where the request does not fit the signature.
    package init(
        _ request: borrowing InferenceRequest, _ signature: ModelSignature, all: [String]
    ) throws(InferenceFault) {
        rows = try signature.check(request)
        inputs = Self.ordered(request.inputs, signature)
        outputs = request.outputs.isEmpty ? all : request.outputs.map(\.name)
    }

    private static func ordered(_ inputs: [Tensor], _ signature: ModelSignature) -> [Tensor] {
        var isInOrder = inputs.count == signature.inputs.count
        if isInOrder {
            for index in inputs.indices where inputs[index].name != signature.inputs[index].name { isInOrder = false }
        }
        if isInOrder { return inputs }
        return signature.inputs.compactMap { spec in inputs.first { $0.name == spec.name } }
    }

    /// Bytes of the inputs.
    var bytes: Int { inputs.reduce(0) { $0 + $1.byteCount } }

    /// Elements of the inputs, which say how long a run takes.
    var elements: Int { inputs.reduce(0) { $0 + $1.elementCount } }

    func key(_ signature: ModelSignature) -> Key {
        var place = 0
        let shapes = signature.inputs.map { spec -> [Int]? in
            guard place < inputs.count, inputs[place].name == spec.name else { return nil }
            defer { place += 1 }
            return Array(inputs[place].shape.dropFirst())
        }
        return Key(shapes: shapes, outputs: outputs)
    }
}
