// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import DataFolders
internal import Glibc
package import InferenceProtocol
internal import Synchronization

/// Models that only Python can run: any of mlflow's flavors as a pyfunc, and pickles of scikit-learn (`model.joblib`,
/// `model.pkl`). Each instance is a process of its own: what it does to itself, the server survives. A pickle is a
/// program: only those of people who may run programs here are to be loaded.
package struct PythonRuntime: ModelRuntime {
    package let name = "python"
    package let formats = ["mlflow", "sklearn", "python", "pyfunc"]

    package init() {}

    package func recognises(_ folder: ModelFolder) -> Bool {
        let files = ModelFiles(folder.path)
        if let model = (try? MLmodel(files)) ?? nil { return model.flavors["python_function"] != nil }
        return files.names.contains { name in [".joblib", ".pkl", ".pickle"].contains { name.hasSuffix($0) } }
    }

    package func load(_ folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) -> any LoadedModel {
        let python = try Self.interpreter(options)
        return try PythonModel(folder, python: python, memoryLimit: options.memoryLimit)
    }

    /// The option's, `APUS_PYTHON`, the virtual environments', else the system's.
    static func interpreter(_ options: RuntimeOptions) throws(InferenceFault) -> String {
        if let named = options.python ?? ProcessPlace.value("APUS_PYTHON"), !named.isEmpty {
            guard access(named, X_OK) == 0 else {
                throw InferenceFault(.unsupported, "the Python interpreter \(named) is not there, or cannot be run")
            }
            return named
        }
        var places: [String] = []
        if let active = ProcessPlace.value("VIRTUAL_ENV"), !active.isEmpty { places.append(active + "/bin/python") }
        places += ([ProcessPlace.workingFolder] + LibraryPaths.above(ProcessPlace.binary)).map {
            $0 + "/.venv/bin/python"
        }
        places += (ProcessPlace.value("PATH") ?? "/usr/local/bin:/usr/bin").split(separator: ":").map {
            $0 + "/python3"
        }
        if let found = places.first(where: { access($0, X_OK) == 0 }) { return found }
        throw InferenceFault(
            .unsupported,
            "this model needs Python, and there is no .venv/bin/python and no python3: install it, or name it in APUS_PYTHON"
        )
    }
}

final class PythonModel: LoadedModel {
    /// A large model takes its time, and mlflow itself some seconds to import.
    static let loadTime = Duration.seconds(300)

    let signature: ModelSignature
    let memory: Int
    let waits = true
    let folder: ModelFolder
    let python: String
    let memoryLimit: Int
    /// The worker that was asked for the signature is the first instance's.
    private let first: FirstWorker

    init(_ folder: ModelFolder, python: String, memoryLimit: Int) throws(InferenceFault) {
        self.folder = folder
        self.python = python
        self.memoryLimit = memoryLimit
        let (worker, fields) = try Self.start(folder, python, memoryLimit)
        first = FirstWorker(worker)
        signature = ModelSignature(
            platform: "python", inputs: try Self.specs(fields["inputs"], folder.name),
            outputs: try Self.specs(fields["outputs"], folder.name), maximumBatch: RuntimeLimits.rows)
        memory = ModelFiles.byteCount(of: folder.path)
    }

    func makeInstance() throws(InferenceFault) -> any ModelInstance { PythonInstance(self, first.take()) }

    func start() throws(InferenceFault) -> PythonWorkerProcess { try Self.start(folder, python, memoryLimit).worker }

    private static func start(
        _ folder: ModelFolder, _ python: String, _ memoryLimit: Int
    ) throws(InferenceFault) -> (worker: PythonWorkerProcess, fields: JSONValue) {
        let worker = try PythonWorkerProcess(python: python, memoryLimit: memoryLimit)
        let answer: JSONValue
        do throws(InferenceFault) {
            answer = try worker.ask(
                ["do": "load", "path": .string(folder.path)], [], deadline: .now + loadTime
            ).head
        } catch {
            throw InferenceFault(
                error.code == .notReady ? .invalid : error.code,
                "model '\(folder.name)' cannot be loaded: its Python worker (\(python)) did not get through it: "
                    + error.description)
        }
        if let error = answer["error"].string {
            let hint =
                error.hasPrefix("ModuleNotFoundError")
                ? "; install what is missing into the environment of \(python)" : ""
            throw InferenceFault(.invalid, "model '\(folder.name)' cannot be loaded: \(error)\(hint)")
        }
        return (worker, answer)
    }

    private static func specs(_ fields: JSONValue, _ model: String) throws(InferenceFault) -> [TensorSpec] {
        var specs: [TensorSpec] = []
        for field in fields.elements {
            guard let name = field["name"].string, let type = TensorType(name: field["datatype"].string ?? "") else {
                throw InferenceFault(.runtime, "model '\(model)': its Python worker names no type")
            }
            var spec = TensorSpec(name: name, type: type, shape: field["shape"].elements.map { $0.int ?? -1 })
            spec.isOptional = field["optional"].bool ?? false
            spec.alternatives = field["alternatives"].elements.compactMap { TensorType(name: $0.string ?? "") }
            specs.append(spec)
        }
        return specs
    }
}

/// The worker that a model was loaded by, until an instance takes it.
///
/// Sendable although a worker is not: it is taken out once, under a lock, and used by nobody before that.
private final class FirstWorker: @unchecked Sendable {
    private var worker: PythonWorkerProcess?
    private let lock = Mutex(())

    init(_ worker: PythonWorkerProcess) { self.worker = worker }

    func take() -> PythonWorkerProcess? {
        lock.withLock { _ in
            nonisolated(unsafe) let taken = worker
            worker = nil
            return taken
        }
    }
}

/// Asks a worker, and starts another where it ended.
final class PythonInstance: ModelInstance {
    private static let longestPause = Duration.seconds(30)

    private let model: PythonModel
    private var worker: PythonWorkerProcess?
    /// Starts that failed, or that a request did not survive, one behind the other.
    private var failures = 0
    private var nextStart: ContinuousClock.Instant?

    init(_ model: PythonModel, _ worker: PythonWorkerProcess?) {
        self.model = model
        self.worker = worker
    }

    func run(
        _ inputs: [Tensor], outputs: [String], deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) -> [Tensor] {
        let begun = ContinuousClock.now
        let before = worker
        let worker = try ready()
        if worker !== before, let deadline, deadline - .now < (deadline - begun) / 2 {
            // Most of the time went by until it was started: asked now, it would be late and ended again.
            throw InferenceFault(
                .notReady, "the Python worker of model '\(model.folder.name)' was started anew just now: ask again",
                retryAfter: .seconds(1))
        }
        var heads: [JSONValue] = []
        var storages: [(TensorStorage, Range<Int>)] = []
        for input in inputs {
            let part = Self.content(input)
            heads.append([
                "name": .string(input.name), "datatype": .string(input.type.name),
                "shape": .array(input.shape.map { JSONValue($0) }), "size": JSONValue(part.1.count),
            ])
            storages.append(part)
        }
        let answer: (head: JSONValue, body: TensorStorage)
        do throws(InferenceFault) {
            answer = try worker.ask(
                ["do": "infer", "inputs": .array(heads), "outputs": JSONValue(outputs)],
                storages.map { UnsafeRawBufferPointer(rebasing: $0.0.bytes[$0.1]) }, deadline: deadline)
            withExtendedLifetime(storages) {}
        } catch {
            failed()
            throw error
        }
        failures = 0
        if let error = answer.head["error"].string {
            throw InferenceFault(
                answer.head["code"].string == "invalid" ? .invalid : .runtime, "model '\(model.folder.name)': \(error)")
        }
        return try Self.tensors(answer.head["outputs"], answer.body, model.folder.name)
    }

    /// A worker that lives; after failures, only once in a while another.
    private func ready() throws(InferenceFault) -> PythonWorkerProcess {
        if let worker {
            if !worker.hasEnded { return worker }
            failed()
        }
        if let nextStart, nextStart > .now {
            throw InferenceFault(
                .notReady,
                "the Python worker of model '\(model.folder.name)' ended \(failures) times; it is started anew soon",
                retryAfter: nextStart - .now)
        }
        do throws(InferenceFault) {
            let made = try model.start()
            worker = made
            return made
        } catch {
            failed()
            throw error
        }
    }

    /// The first one is replaced at once.
    private func failed() {
        worker = nil
        failures += 1
        nextStart =
            failures > 1 ? .now + min(.milliseconds(100) * (1 << min(failures, 12)), Self.longestPause) : nil
    }

    /// As the binary extension has a tensor.
    private static func content(_ tensor: Tensor) -> (TensorStorage, Range<Int>) {
        switch tensor.content {
        case .memory(let storage, let range): return (storage, range)
        case .strings(let strings):
            let storage = TensorStorage(byteCount: (strings.ends.last ?? 0) + 4 * strings.ends.count)
            var (start, place) = (0, 0)
            for end in strings.ends {
                storage.bytes.storeBytes(of: UInt32(end - start).littleEndian, toByteOffset: place, as: UInt32.self)
                place += 4
                UnsafeMutableRawBufferPointer(rebasing: storage.bytes[place..<place + end - start])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: strings.storage.bytes[start..<end]))
                place += end - start
                start = end
            }
            return (storage, 0..<place)
        }
    }

    static func tensors(
        _ fields: JSONValue, _ body: TensorStorage, _ model: String
    ) throws(InferenceFault) -> [Tensor] {
        var tensors: [Tensor] = []
        var place = 0
        for field in fields.elements {
            let shape = field["shape"].elements.compactMap(\.int)
            guard let name = field["name"].string, let type = TensorType(name: field["datatype"].string ?? ""),
                let size = field["size"].int, size >= 0, size <= body.byteCount - place,
                shape.count == field["shape"].elements.count, let count = Tensor.elementCount(of: shape, limit: .max)
            else {
                throw InferenceFault(.runtime, "model '\(model)': its Python worker answers with what it should not")
            }
            let range = place..<place + size
            place += size
            if let width = type.byteCount {
                guard size % width == 0, count == size / width else {
                    throw InferenceFault(.runtime, "model '\(model)': the output '\(name)' has \(size) bytes")
                }
                // Elements begin at their own width's multiple.
                let own = TensorStorage(byteCount: size)
                own.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: body.bytes[range]))
                tensors.append(Tensor(name: name, type: type, shape: shape, content: .memory(own, 0..<size)))
            } else {
                let strings = try strings(UnsafeRawBufferPointer(rebasing: body.bytes[range]), count, name, model)
                tensors.append(Tensor(name: name, type: type, shape: shape, content: .strings(strings)))
            }
        }
        return tensors
    }

    private static func strings(
        _ bytes: UnsafeRawBufferPointer, _ count: Int, _ name: String, _ model: String
    ) throws(InferenceFault) -> StringTensor {
        let storage = TensorStorage(byteCount: bytes.count)
        var ends: [Int] = []
        var (place, written) = (0, 0)
        while place + 4 <= bytes.count {
            let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
            place += 4
            guard length <= bytes.count - place else { break }
            UnsafeMutableRawBufferPointer(rebasing: storage.bytes[written..<written + length])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[place..<place + length]))
            place += length
            written += length
            ends.append(written)
        }
        guard ends.count == count, place == bytes.count else {
            throw InferenceFault(.runtime, "model '\(model)': the output '\(name)' is not \(count) texts")
        }
        return StringTensor(storage: storage, ends: ends)
    }
}
