// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol

/// Models that are run one after the other, or beside each other, on each other's outputs. Pure.
package struct EnsemblePlan: Sendable {
    /// Steps of one ensemble.
    package static let maximumSteps = 64

    package struct Step: Sendable {
        package let declared: ModelConfig.EnsembleStep
        /// Steps whose outputs it takes.
        package let after: [Int]
    }

    package let name: String
    package let steps: [Step]
    package let inputs: [String]
    package let outputs: [String]
    /// By tensor, the step that makes it; those of the request are not in it.
    package let makers: [String: Int]

    /// - Throws: `invalid` where a tensor is missing, made twice, or made of itself.
    package init(
        _ name: String, steps declared: [ModelConfig.EnsembleStep], inputs: [String], outputs: [String]
    ) throws(InferenceFault) {
        func fault(_ reason: String) -> InferenceFault { InferenceFault(.invalid, "ensemble '\(name)': \(reason)") }
        guard !declared.isEmpty, declared.count <= Self.maximumSteps else {
            throw fault("it has \(declared.count) steps, 1 to \(Self.maximumSteps) are possible")
        }
        var makers: [String: Int] = [:]
        for (index, step) in declared.enumerated() {
            guard step.model != name else { throw fault("step \(index + 1) is the ensemble itself") }
            for tensor in step.outputs.values.sorted() {
                guard !inputs.contains(tensor) else {
                    throw fault("step \(index + 1) ('\(step.model)') makes the tensor '\(tensor)', which is an input")
                }
                guard makers.updateValue(index, forKey: tensor) == nil else {
                    throw fault("the tensor '\(tensor)' is made twice, by step \(index + 1) ('\(step.model)') too")
                }
            }
        }
        var steps: [Step] = []
        for (index, step) in declared.enumerated() {
            var after = Set<Int>()
            for tensor in step.inputs.values.sorted() where !inputs.contains(tensor) {
                guard let maker = makers[tensor] else {
                    throw fault(
                        "step \(index + 1) ('\(step.model)') takes the tensor '\(tensor)', which no step makes and no input is"
                    )
                }
                after.insert(maker)
            }
            steps.append(Step(declared: step, after: after.sorted()))
        }
        for output in outputs where makers[output] == nil {
            throw fault("no step makes the output '\(output)'")
        }
        var done = Set<Int>()
        while done.count < steps.count {
            let ready = steps.indices.filter { !done.contains($0) && steps[$0].after.allSatisfy(done.contains) }
            guard !ready.isEmpty else {
                let names = steps.indices.filter { !done.contains($0) }.map { "'\(steps[$0].declared.model)'" }
                throw fault("the steps \(names.joined(separator: ", ")) wait for each other")
            }
            done.formUnion(ready)
        }
        self.name = name
        self.steps = steps
        self.inputs = inputs
        self.outputs = outputs
        self.makers = makers
    }

    /// Names of the models that it needs.
    package var members: [String] { Array(Set(steps.map(\.declared.model))).sorted() }

    /// Looks whether models and tensors fit each other.
    /// - Parameters:
    ///   - signature: of the ensemble.
    ///   - members: signatures of the steps' models, in order.
    /// - Throws: `invalid` with the first that does not.
    package func check(_ signature: ModelSignature, members: [ModelSignature]) throws(InferenceFault) {
        var known: [String: (spec: TensorSpec, of: String)] = [:]
        for spec in signature.inputs { known[spec.name] = (spec, "the input") }
        for (step, member) in zip(steps, members) {
            let model = step.declared.model
            for (name, tensor) in step.declared.outputs.sorted(by: { $0.key < $1.key }) {
                guard let spec = member.outputs.first(where: { $0.name == name }) else {
                    throw fault("model '\(model)' has no output '\(name)'")
                }
                known[tensor] = (spec, "'\(model)'")
            }
        }
        for (step, member) in zip(steps, members) {
            let model = step.declared.model
            for spec in member.inputs {
                guard let tensor = step.declared.inputs[spec.name] else {
                    guard spec.isOptional else { throw fault("nothing is given to input '\(spec.name)' of '\(model)'") }
                    continue
                }
                guard let made = known[tensor] else { continue }
                try fit(made.spec, spec, "the tensor '\(tensor)' of \(made.of) for input '\(spec.name)' of '\(model)'")
            }
            for name in step.declared.inputs.keys.sorted() where !member.inputs.contains(where: { $0.name == name }) {
                throw fault("model '\(model)' has no input '\(name)'")
            }
        }
        for output in signature.outputs {
            guard let made = known[output.name] else { continue }
            try fit(made.spec, output, "the output '\(output.name)'")
        }
    }

    private func fit(_ made: TensorSpec, _ wanted: TensorSpec, _ what: String) throws(InferenceFault) {
        guard made.type == wanted.type else {
            throw fault("\(what): it is \(made.type.name) and should be \(wanted.type.name)")
        }
        guard made.shape.count == wanted.shape.count,
            zip(made.shape, wanted.shape).allSatisfy({ $0 < 0 || $1 < 0 || $0 == $1 })
        else { throw fault("\(what): its shape is \(made.shape) and should be \(wanted.shape)") }
    }

    private func fault(_ reason: String) -> InferenceFault { InferenceFault(.invalid, "ensemble '\(name)': \(reason)") }
}
