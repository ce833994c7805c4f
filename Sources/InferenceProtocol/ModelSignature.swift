// SPDX-License-Identifier: Apache-2.0

package struct TensorSpec: Sendable, Hashable {
    package var name: String
    package var type: TensorType
    /// −1: any.
    package var shape: [Int]
    package var isOptional = false
    /// Other types that the runtime takes as they come.
    package var alternatives: [TensorType] = []

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

extension ModelSignature {
    /// Checks names, types, shapes and byte counts of a request before it gets to a runtime.
    /// - Returns: its rows; 1 where the first axis is not one of rows.
    /// - Throws: `invalid`, with what was expected and what came.
    @discardableResult
    package func check(_ request: borrowing InferenceRequest) throws(InferenceFault) -> Int {
        let model = request.model
        var rows: Int?
        for index in request.inputs.indices {
            let input = request.inputs[index]
            guard let spec = inputs.first(where: { $0.name == input.name }) else {
                throw InferenceFault(
                    .invalid, "unexpected inference input '\(input.name)' for model '\(model)': \(expectation)")
            }
            for other in request.inputs[..<index] where other.name == input.name {
                throw InferenceFault(.invalid, "input '\(input.name)' for model '\(model)' is given twice")
            }
            try Self.check(input, spec, model)
            if maximumBatch > 0 {
                let count = input.shape.first ?? 1
                guard count <= maximumBatch else {
                    throw InferenceFault(
                        .invalid,
                        "inference request batch-size must be <= \(maximumBatch) for '\(model)', got \(count): send less rows at a time"
                    )
                }
                if let rows, rows != count {
                    throw InferenceFault(
                        .invalid,
                        "the inputs for model '\(model)' have different numbers of rows: \(rows) and, in '\(input.name)', \(count)"
                    )
                }
                rows = count
            }
        }
        for spec in inputs where !spec.isOptional && !request.inputs.contains(where: { $0.name == spec.name }) {
            throw InferenceFault(
                .invalid,
                "missing input '\(spec.name)' for model '\(model)', got \(request.inputs.count) inputs: \(expectation)")
        }
        for output in request.outputs where !outputs.contains(where: { $0.name == output.name }) {
            throw InferenceFault(
                .invalid,
                "unexpected inference output '\(output.name)' for model '\(model)': it has \(outputs.map(\.name).joined(separator: ", "))"
            )
        }
        return rows ?? 1
    }

    private var expectation: String {
        "expected " + inputs.map { "\($0.name) \($0.type.name)\(Self.text($0.shape))" }.joined(separator: ", ")
    }

    private static func text(_ shape: [Int]) -> String { "[" + shape.map(String.init).joined(separator: ",") + "]" }

    private static func check(_ input: Tensor, _ spec: TensorSpec, _ model: String) throws(InferenceFault) {
        guard input.type == spec.type || spec.alternatives.contains(input.type) else {
            throw InferenceFault(
                .invalid,
                "inference input '\(input.name)' data-type is '\(input.type.name)', but model '\(model)' expects '\(spec.type.name)'"
            )
        }
        var fits = input.shape.count == spec.shape.count
        if fits {
            for (axis, expected) in zip(input.shape, spec.shape) where expected >= 0 && axis != expected {
                fits = false
            }
        }
        guard fits else {
            throw InferenceFault(
                .invalid,
                "unexpected shape for input '\(input.name)' for model '\(model)'. Expected \(text(spec.shape)), got \(text(input.shape))"
            )
        }
        switch input.content {
        case .memory(_, let range):
            let expected = input.elementCount * (input.type.byteCount ?? 0)
            guard range.count == expected else {
                throw InferenceFault(
                    .invalid,
                    "input byte size mismatch for input '\(input.name)' for model '\(model)'. Expected \(expected), got \(range.count)"
                )
            }
        case .strings(let strings):
            guard strings.count == input.elementCount else {
                throw InferenceFault(
                    .invalid,
                    "expected \(input.elementCount) string elements for inference input '\(input.name)' for model '\(model)', got \(strings.count)"
                )
            }
        }
    }
}
