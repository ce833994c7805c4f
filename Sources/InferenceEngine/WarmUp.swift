// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import ModelRuntimes

/// Runs a model before the first request does: memory is taken, code is paged in, and the time of a run is known.
struct WarmUp {
    struct Measured {
        /// Empty where the model cannot be run with made-up inputs.
        var samples: [InlineBudget.Sample] = []
        /// Whether outputs have as many rows as inputs.
        var keepsRows = true
    }

    /// Rows of the larger of the two sizes that are tried.
    private static let manyRows = 16
    /// Runs of one size at most, and nanoseconds after which there are no more.
    private static let runs = 5
    private static let enough = 20_000_000

    let signature: ModelSignature
    let name: String
    let patience: Duration

    /// A warm-up that the configuration declares.
    /// - Throws: what the model says: a declared request has to work.
    func run(_ declared: ModelConfig.Warmup, on instance: any ModelInstance) throws(InferenceFault) {
        var inputs: [Tensor] = []
        for spec in signature.inputs {
            guard let input = declared.inputs[spec.name] else {
                guard spec.isOptional else {
                    throw InferenceFault(
                        .invalid, "model '\(name)': model_warmup '\(declared.name)' lacks the input '\(spec.name)'")
                }
                continue
            }
            let shape = declared.batchSize > 0 ? [declared.batchSize] + input.shape : input.shape
            inputs.append(try tensor(spec.name, input.type, shape, isRandom: input.data == .random))
        }
        for _ in 0..<max(1, min(declared.count, 1000)) { _ = try run(inputs, instance) }
    }

    /// Runs of one row and of several.
    func measure(_ instance: any ModelInstance) -> Measured {
        var measured = Measured()
        let isByRows = signature.maximumBatch > 0
        for rows in isByRows ? [1, min(Self.manyRows, signature.maximumBatch)] : [1] {
            guard rows > 1 || measured.samples.isEmpty else { continue }
            var inputs: [Tensor] = []
            for spec in signature.inputs where !spec.isOptional {
                let shape = spec.shape.enumerated().map { axis, length in
                    axis == 0 && isByRows ? rows : length < 0 ? 1 : length
                }
                guard let made = try? tensor(spec.name, spec.type, shape, isRandom: false) else { return measured }
                inputs.append(made)
            }
            var best: Int?
            var spent = 0
            for run in 0..<Self.runs where run < 2 || spent < Self.enough {
                let started = Nanoseconds.now()
                guard let outputs = try? self.run(inputs, instance) else { return measured }
                let took = Nanoseconds.now() - started
                spent += took
                // The first run is a cold one.
                if run > 0 { best = min(best ?? took, took) }
                if rows > 1, !outputs.allSatisfy({ $0.shape.first == rows }) { measured.keepsRows = false }
            }
            let elements = inputs.reduce(0) { $0 + $1.elementCount }
            if let best { measured.samples.append(InlineBudget.Sample(elements: elements, nanoseconds: best)) }
        }
        return measured
    }

    private func run(_ inputs: [Tensor], _ instance: any ModelInstance) throws(InferenceFault) -> [Tensor] {
        try instance.run(
            inputs, outputs: signature.outputs.map(\.name), deadline: ContinuousClock.now.advanced(by: patience))
    }

    /// A tensor of zeros or of numbers between 0 and 1; texts are empty.
    private func tensor(
        _ name: String, _ type: TensorType, _ shape: [Int], isRandom: Bool
    ) throws(InferenceFault) -> Tensor {
        guard let count = Tensor.elementCount(of: shape, limit: 16 << 20) else {
            throw InferenceFault(
                .invalid, "model '\(self.name)': an input of the shape \(shape) is too large to warm up with")
        }
        guard let size = type.byteCount else {
            return Tensor(
                name: name, type: type, shape: shape,
                content: .strings(StringTensor(Array(repeating: "", count: count))))
        }
        let storage = TensorStorage(byteCount: count * size)
        storage.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        if isRandom {
            switch type {
            case .fp32:
                for index in 0..<count {
                    storage.bytes.storeBytes(of: Float.random(in: 0..<1), toByteOffset: index * 4, as: Float.self)
                }
            case .fp64:
                for index in 0..<count {
                    storage.bytes.storeBytes(of: Double.random(in: 0..<1), toByteOffset: index * 8, as: Double.self)
                }
            default:
                // Small numbers, which are texts' tokens and classes as well.
                for index in 0..<count { storage.bytes[index * size] = UInt8.random(in: 0...1) }
            }
        }
        return Tensor(name: name, type: type, shape: shape, storage: storage)
    }
}
