// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Dispatch
import Foundation
import InferenceEngine
import InferenceProtocol
import Logging
import ModelRuntimes
import Synchronization

/// A runtime of the tests: Y = factor · X, by rows of four numbers. It stands still where a test says so.
struct DoublingRuntime: ModelRuntime {
    let name = "doubling"
    let formats = ["doubling"]
    let behaviour: Behaviour

    final class Behaviour: Sendable {
        /// Runs that may go on; nil: all.
        let gate = Mutex<DispatchSemaphore?>(nil)
        /// Rows of each run.
        let runs = Mutex<[Int]>([])
        /// By version, what X is multiplied with.
        let factors = Mutex<[String: Float]>([:])
        let memory = Atomic(1000)
        /// Models that are loaded now, and instances.
        let loaded = Atomic(0)
        let maximumBatch = Atomic(64)
        /// A first number that makes a run fail.
        let bad = Mutex<Float?>(nil)
        /// Rows of outputs in all.
        let cutsRows = Atomic(false)
        /// Begun and not ended.
        let running = Atomic(0)

        func close() -> DispatchSemaphore {
            let gate = DispatchSemaphore(value: 0)
            self.gate.withLock { $0 = gate }
            return gate
        }

        func open(_ gate: DispatchSemaphore, waiting: Int = 64) {
            self.gate.withLock { $0 = nil }
            for _ in 0..<waiting { gate.signal() }
        }
    }

    func recognises(_ folder: ModelFolder) -> Bool { true }

    func load(_ folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) -> any LoadedModel {
        if folder.path.hasSuffix("broken") { throw InferenceFault(.invalid, "the model is broken") }
        return Loaded(behaviour, factor: behaviour.factors.withLock { $0[folder.version] } ?? 2)
    }

    final class Loaded: LoadedModel {
        let behaviour: Behaviour
        let factor: Float

        init(_ behaviour: Behaviour, factor: Float) {
            self.behaviour = behaviour
            self.factor = factor
            behaviour.loaded.add(1, ordering: .sequentiallyConsistent)
        }

        deinit { behaviour.loaded.subtract(1, ordering: .sequentiallyConsistent) }

        var signature: ModelSignature {
            ModelSignature(
                platform: "doubling", inputs: [TensorSpec(name: "X", type: .fp32, shape: [-1, 4])],
                outputs: [TensorSpec(name: "Y", type: .fp32, shape: [-1, 4])],
                maximumBatch: behaviour.maximumBatch.load(ordering: .relaxed))
        }
        var memory: Int { behaviour.memory.load(ordering: .relaxed) }

        func makeInstance() throws(InferenceFault) -> any ModelInstance { Instance(self) }
    }

    final class Instance: ModelInstance {
        let model: Loaded
        /// Whether somebody is in it: two at a time would be an error of the engine.
        let isBusy = Atomic(false)

        init(_ model: Loaded) { self.model = model }

        func run(
            _ inputs: [Tensor], outputs: [String], deadline: ContinuousClock.Instant?
        ) throws(InferenceFault) -> [Tensor] {
            guard !isBusy.exchange(true, ordering: .sequentiallyConsistent) else {
                throw InferenceFault(.runtime, "two threads use one instance")
            }
            defer { isBusy.store(false, ordering: .sequentiallyConsistent) }
            let behaviour = model.behaviour
            behaviour.running.add(1, ordering: .sequentiallyConsistent)
            defer { behaviour.running.subtract(1, ordering: .sequentiallyConsistent) }
            behaviour.runs.withLock { $0.append(inputs[0].shape[0]) }
            if let gate = behaviour.gate.withLock({ $0 }) { gate.wait() }
            let numbers = inputs[0].numbers
            if let bad = behaviour.bad.withLock({ $0 }), numbers.contains(bad) {
                throw InferenceFault(.invalid, "there is a bad number")
            }
            var rows = inputs[0].shape[0]
            if behaviour.cutsRows.load(ordering: .relaxed) { rows = 1 }
            return [Tensor.of("Y", numbers.prefix(rows * 4).map { $0 * model.factor }, [rows, 4])]
        }
    }
}

extension Tensor {
    static func of(_ name: String, _ numbers: [Float], _ shape: [Int]) -> Tensor {
        let storage = TensorStorage(byteCount: numbers.count * 4)
        numbers.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
        return Tensor(name: name, type: .fp32, shape: shape, storage: storage)
    }

    var numbers: [Float] { withBytes { Array($0.bindMemory(to: Float.self)) } }
}

extension InferenceRequest {
    /// Rows of four equal numbers each.
    static func of(_ rows: [Float], model: String = "m", version: String? = nil) -> InferenceRequest {
        InferenceRequest(
            model: model, version: version,
            inputs: [Tensor.of("X", rows.flatMap { [$0, $0, $0, $0] }, [rows.count, 4])])
    }
}

extension InferenceResponse {
    /// The first number of each row.
    var rows: [Float] {
        let numbers = outputs[0].numbers
        return stride(from: 0, to: numbers.count, by: 4).map { numbers[$0] }
    }
}

/// A repository on the tests' runtime.
struct Engine {
    let behaviour = DoublingRuntime.Behaviour()
    let repository: ModelRepository

    init(providers: [any ModelProvider] = [], _ change: (inout EngineConfiguration) -> Void = { _ in }) {
        var configuration = EngineConfiguration()
        // A debug build on a busy machine is slow, or stands still, and still is to run where it is asked.
        configuration.inlineLimit = .seconds(60)
        configuration.scratch = NSTemporaryDirectory() + "apus-engine-\(UUID().uuidString)"
        change(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        repository = ModelRepository(
            configuration, runtimes: RuntimeRegistry([DoublingRuntime(behaviour: behaviour)]), providers: providers,
            logger: logger)
    }

    /// Loads a model of one version.
    func load(_ name: String = "m", version: String = "1", path: String = "/nowhere", config: String? = nil)
        async throws
    {
        let json = try config.map { try JSONParser.parse($0) }
        try await repository.load(
            ModelPackage(
                name: name, versions: [ModelFolder(name: name, version: version, path: path)], config: json ?? .null))
    }

    /// Answers of requests that are asked at once, in their order; waits until `count` of them wait or run.
    func model(_ name: String = "m", _ version: String? = nil) throws -> any AnsweringModel {
        try repository.find(name, version)
    }
}

/// Waits, without a limit of its own, for what other threads do: the test's own limit, which cancels it, ends it.
func until(_ condition: () -> Bool) async {
    while !condition(), !Task.isCancelled { await Task.yield() }
}

/// Something that happened.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
    func set() { value.store(true, ordering: .sequentiallyConsistent) }
}
