// SPDX-License-Identifier: Apache-2.0
internal import CONNXRuntime
internal import Glibc
internal import InferenceProtocol

/// Runs a session. Names are C strings once, the options of a run are kept.
final class ONNXInstance: ModelInstance {
    private let model: ONNXModel
    private let session: ONNXSession
    private let inputNames: CNames
    private let outputNames: CNames
    private let options: ONNXRunOptions

    init(_ model: ONNXModel) throws(InferenceFault) {
        self.model = model
        session = model.session
        inputNames = CNames(model.signature.inputs.map(\.name))
        outputNames = CNames(model.signature.outputs.map(\.name))
        options = try ONNXRunOptions(model.session.library)
    }

    func run(
        _ inputs: [Tensor], outputs: [String], deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) -> [Tensor] {
        let picked = try pick(outputs)
        let result: Result<[Tensor], InferenceFault> = withUnsafeTemporaryAllocation(
            of: OrtPointer?.self, capacity: max(1, inputs.count + picked.count)
        ) { values in
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: max(1, inputs.count + picked.count))
            {
                names in
                values.initialize(repeating: nil)
                names.initialize(repeating: nil)
                do throws(InferenceFault) {
                    return .success(try run(inputs, picked, deadline, values, names))
                } catch { return .failure(error) }
            }
        }
        return try result.get()
    }

    /// Places of the outputs; all where none is named.
    private func pick(_ outputs: [String]) throws(InferenceFault) -> [Int] {
        let known = outputNames.names
        if outputs == known || outputs.isEmpty { return Array(known.indices) }
        var picked: [Int] = []
        for name in outputs {
            guard let index = known.firstIndex(of: name) else {
                throw InferenceFault(
                    .invalid, "unexpected inference output '\(name)' for model '\(model.name)'")
            }
            picked.append(index)
        }
        return picked
    }

    private func run(
        _ inputs: [Tensor], _ picked: [Int], _ deadline: ContinuousClock.Instant?,
        _ values: UnsafeMutableBufferPointer<OrtPointer?>, _ names: UnsafeMutableBufferPointer<UnsafePointer<CChar>?>
    ) throws(InferenceFault) -> [Tensor] {
        let (library, api, count) = (session.library, session.library.api, inputs.count)
        // Outputs that became tensors are theirs.
        defer { for value in values where value != nil { OrtReleaseValue(api, value) } }
        for index in 0..<count {
            guard let place = inputNames.index(of: inputs[index].name, guess: index) else {
                throw InferenceFault(
                    .invalid, "unexpected inference input '\(inputs[index].name)' for model '\(model.name)'")
            }
            names[index] = inputNames.pointers[place]
            try ONNXValues.make(library, inputs[index], &values[index])
        }
        for (index, place) in picked.enumerated() { names[count + index] = outputNames.pointers[place] }
        guard let value = values.baseAddress, let name = names.baseAddress else { return [] }
        let call = { [session] (options: OrtPointer?) -> OrtPointer? in
            OrtRun(
                api, session.pointer, options, name, value, count, name + count, picked.count, value + count)
        }
        let status: OrtPointer?
        var isLate = false
        if let deadline {
            (status, isLate) = options.watched(until: deadline, call)
        } else {
            status = call(nil)
        }
        // The inputs' memory is in use until here.
        withExtendedLifetime(inputs) {}
        if isLate, status != nil {
            OrtReleaseStatus(api, status)
            throw InferenceFault(.deadline, "model '\(model.name)' did not answer in time; the run was ended")
        }
        try library.check(status, "model '\(model.name)'")
        var tensors: [Tensor] = []
        tensors.reserveCapacity(picked.count)
        for (index, place) in picked.enumerated() {
            guard let output = values[count + index] else {
                throw InferenceFault(
                    .runtime, "model '\(model.name)': output '\(outputNames.names[place])' was not made")
            }
            values[count + index] = nil
            tensors.append(
                try ONNXValues.tensor(
                    session, output, name: outputNames.names[place], kind: model.outputKinds[place]))
        }
        return tensors
    }
}

/// Names as C has them, as long as this lasts.
final class CNames {
    let names: [String]
    let pointers: [UnsafePointer<CChar>?]

    init(_ names: [String]) {
        self.names = names
        pointers = names.map { name in strdup(name).map { UnsafePointer($0) } }
    }

    deinit { for pointer in pointers { free(UnsafeMutablePointer(mutating: pointer)) } }

    func index(of name: String, guess: Int) -> Int? {
        if guess < names.count, names[guess] == name { return guess }
        return names.firstIndex(of: name)
    }
}

/// The options of an instance's runs, and the flag in them that ends one.
final class ONNXRunOptions {
    private let library: ONNXLibrary
    private let options: OrtPointer?

    init(_ library: ONNXLibrary) throws(InferenceFault) {
        self.library = library
        var made: OrtPointer? = nil
        try library.check(OrtCreateRunOptions(library.api, &made), "making a run's options")
        options = made
    }

    deinit {
        // Nobody uses them any more.
        nonisolated(unsafe) let options = options
        let library = library
        LibraryLifetime.release { OrtReleaseRunOptions(library.api, options) }
    }

    /// Runs `call`, which is told to end at the deadline.
    func watched(
        until deadline: ContinuousClock.Instant, _ call: (OrtPointer?) -> OrtPointer?
    ) -> (status: OrtPointer?, isLate: Bool) {
        // The watch calls it only while it is registered, and the options last until after that.
        nonisolated(unsafe) let options = options
        let library = library
        let ticket = RunWatch.shared.add(deadline) {
            if let status = OrtRunOptionsSetTerminate(library.api, options) { OrtReleaseStatus(library.api, status) }
        }
        let status = call(options)
        let isLate = !RunWatch.shared.remove(ticket)
        if isLate, let status = OrtRunOptionsUnsetTerminate(library.api, options) {
            OrtReleaseStatus(library.api, status)
        }
        return (status, isLate)
    }
}
