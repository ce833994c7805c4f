// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import Synchronization

/// An ensemble that can be asked. It holds none of its models: each request finds those that answer now.
final class EnsembleModel: AnsweringModel {
    let name: String
    let version: String
    let signature: ModelSignature
    let config: ModelConfig
    let plan: EnsemblePlan
    private let find: @Sendable (String, String?) throws(InferenceFault) -> any AnsweringModel
    private let counts = Mutex(ModelStatistics())

    init(
        name: String, version: String, signature: ModelSignature, config: ModelConfig, plan: EnsemblePlan,
        find: @escaping @Sendable (String, String?) throws(InferenceFault) -> any AnsweringModel
    ) {
        self.name = name
        self.version = version
        self.signature = signature
        self.config = config
        self.plan = plan
        self.find = find
    }

    var statistics: ModelStatistics { counts.withLock { $0 } }

    func submit(
        _ request: InferenceRequest, deadline: ContinuousClock.Instant?,
        _ done: @escaping @Sendable (Result<InferenceResponse, InferenceFault>) -> Void
    ) -> Ticket {
        let begun = Nanoseconds.now()
        let rows: Int
        do throws(InferenceFault) {
            rows = try signature.check(request)
        } catch {
            done(.failure(error))
            return .spent
        }
        var deadline = deadline
        if let patience = request.timeout ?? config.defaultTimeout {
            let own = ContinuousClock.now.advanced(by: patience)
            deadline = deadline.map { min($0, own) } ?? own
        }
        let outputs = request.outputs.isEmpty ? signature.outputs.map(\.name) : request.outputs.map(\.name)
        let run = EnsembleRun(plan, request, outputs: outputs, deadline: deadline, find: find) { [self] result in
            var timing = RequestTiming()
            timing.inference = Nanoseconds.now() - begun
            let isFailure = if case .failure = result { true } else { false }
            let now = Nanoseconds.wallMilliseconds()
            counts.withLock { counts in
                counts.add(timing, rows: rows, isFailure: isFailure, now: now)
                if !isFailure { counts.addRun(timing, rows: rows) }
            }
            done(
                result.map { outputs in
                    InferenceResponse(model: name, version: version, id: request.id, outputs: outputs)
                })
        }
        run.start()
        return Ticket { run.cancel() }
    }
}

/// One request on its way through an ensemble.
private final class EnsembleRun: Sendable {
    private struct State {
        var tensors: [String: Tensor]
        var done: Set<Int> = []
        var started: Set<Int> = []
        var tickets: [Int: Ticket] = [:]
        var isEnded = false
    }

    private let plan: EnsemblePlan
    private let request: InferenceRequest
    private let outputs: [String]
    private let deadline: ContinuousClock.Instant?
    private let find: @Sendable (String, String?) throws(InferenceFault) -> any AnsweringModel
    private let finished: @Sendable (Result<[Tensor], InferenceFault>) -> Void
    private let state: Mutex<State>

    init(
        _ plan: EnsemblePlan, _ request: InferenceRequest, outputs: [String], deadline: ContinuousClock.Instant?,
        find: @escaping @Sendable (String, String?) throws(InferenceFault) -> any AnsweringModel,
        finished: @escaping @Sendable (Result<[Tensor], InferenceFault>) -> Void
    ) {
        self.plan = plan
        self.request = request
        self.outputs = outputs
        self.deadline = deadline
        self.find = find
        self.finished = finished
        var tensors: [String: Tensor] = [:]
        for input in request.inputs { tensors[input.name] = input }
        state = Mutex(State(tensors: tensors))
    }

    func start() { goOn() }

    func cancel() {
        end(.failure(InferenceFault(.cancelled, "the request was given up by its client")))
    }

    /// Begins the steps that have what they need, or ends.
    private func goOn() {
        let (ready, result) = state.withLock { state -> ([(Int, [Tensor])], [Tensor]?) in
            guard !state.isEnded else { return ([], nil) }
            if outputs.allSatisfy({ state.tensors[$0] != nil }) {
                return ([], outputs.compactMap { state.tensors[$0] })
            }
            var ready: [(Int, [Tensor])] = []
            for (index, step) in plan.steps.enumerated()
            where !state.started.contains(index) && step.after.allSatisfy(state.done.contains) {
                state.started.insert(index)
                let inputs = step.declared.inputs.compactMap { name, tensor in
                    state.tensors[tensor].map { found in
                        var input = found
                        input.name = name
                        return input
                    }
                }
                ready.append((index, inputs))
            }
            return (ready, nil)
        }
        if let result { return end(.success(result)) }
        for (index, inputs) in ready { begin(index, inputs) }
    }

    private func begin(_ index: Int, _ inputs: [Tensor]) {
        let step = plan.steps[index].declared
        let model: any AnsweringModel
        do throws(InferenceFault) {
            model = try find(step.model, step.version)
        } catch {
            return end(
                .failure(
                    InferenceFault(
                        .notReady, "ensemble '\(plan.name)' needs model '\(step.model)': \(error.description)",
                        retryAfter: error.retryAfter)))
        }
        var asked = InferenceRequest(model: step.model, version: step.version, inputs: inputs)
        asked.outputs = step.outputs.keys.sorted().map { RequestedOutput(name: $0) }
        asked.priority = request.priority
        asked.id = request.id
        let ticket = model.submit(asked, deadline: deadline) { [self] result in
            switch result {
            case .failure(let fault):
                end(.failure(fault))
            case .success(let response):
                state.withLock { state in
                    state.done.insert(index)
                    state.tickets[index] = nil
                    for output in response.outputs {
                        guard let name = step.outputs[output.name] else { continue }
                        var tensor = output
                        tensor.name = name
                        state.tensors[name] = tensor
                    }
                }
                goOn()
            }
        }
        let isOver = state.withLock { state in
            guard !state.isEnded else { return true }
            if !state.done.contains(index) { state.tickets[index] = ticket }
            return false
        }
        if isOver { ticket.cancel() }
    }

    private func end(_ result: Result<[Tensor], InferenceFault>) {
        let tickets = state.withLock { state -> [Ticket]? in
            guard !state.isEnded else { return nil }
            state.isEnded = true
            defer { state.tickets = [:] }
            return Array(state.tickets.values)
        }
        guard let tickets else { return }
        for ticket in tickets { ticket.cancel() }
        finished(result)
    }
}
