// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import CLightGBM
package import InferenceProtocol
internal import Synchronization

/// LightGBM's text files, run by LightGBM: one input `input-0` of rows × features, one output `predict`, which is what
/// the Booster's `predict` gives.
package struct LightGBMRuntime: ModelRuntime {
    package let name = "lightgbm"
    package let formats = ["lightgbm"]

    /// Bytes of a model's text.
    private static let textLimit = 2 << 30

    package init() {}

    package func recognises(_ folder: ModelFolder) -> Bool {
        let files = ModelFiles(folder.path)
        if let model = (try? MLmodel(files)) ?? nil { return model.isNative("lightgbm") }
        return Self.file(files, isNamed: folder.format != nil) != nil
    }

    private static func file(_ files: ModelFiles, isNamed: Bool) -> String? {
        files.modelFile(
            preferred: ["model.lgb", "model.txt", "model.bst", "model.lgbm"],
            endings: isNamed ? [".lgb", ".lgbm", ".txt", ".bst"] : [".lgb", ".lgbm"])
    }

    package func load(_ folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) -> any LoadedModel {
        let files = ModelFiles(folder.path)
        var path = Self.file(files, isNamed: true)
        if let model = try MLmodel(files), let data = model.data(of: "lightgbm", in: files) {
            path = ModelFiles(data).isFolder ? Self.file(ModelFiles(data), isNamed: true) : data
        }
        guard let path else {
            throw InferenceFault(
                .notFound, "model '\(folder.name)': there is no model.txt, .lgb or .bst in \(folder.path)")
        }
        let text = try ModelFiles.read(path, limit: min(Self.textLimit, options.memoryLimit))
        let checked: [UInt8]
        do throws(InferenceFault) { checked = try LightGBMText.checked(text) } catch {
            throw InferenceFault(.invalid, "model '\(folder.name)' cannot be loaded: \(error.description)")
        }
        return try LightGBMModel(
            try LightGBMLibrary.open(options), text: checked, folder: folder, threads: options.threads)
    }
}

/// LightGBM's functions.
struct LightGBMLibrary: Sendable {
    let lastError: LightGBMErrorFunction
    let load: LightGBMLoadFunction
    let release: LightGBMReleaseFunction
    let features: LightGBMCountFunction
    let predictCount: LightGBMPredictCountFunction
    let predict: LightGBMPredictFunction
    let prepareSingle: LightGBMSingleFunction
    let predictSingle: LightGBMSinglePredictFunction
    let releaseSingle: LightGBMReleaseFunction

    private static let shared = Mutex<LightGBMLibrary?>(nil)

    static func open(_ options: RuntimeOptions) throws(InferenceFault) -> LightGBMLibrary {
        let result: Result<LightGBMLibrary, InferenceFault> = shared.withLock { shared in
            if let shared { return .success(shared) }
            do throws(InferenceFault) {
                let made = try LightGBMLibrary(try NativeLibrary.open(.lightgbm, options))
                shared = made
                return .success(made)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    private init(_ library: NativeLibrary) throws(InferenceFault) {
        lastError = try library.function("LGBM_GetLastError", LightGBMErrorFunction.self)
        load = try library.function("LGBM_BoosterLoadModelFromString", LightGBMLoadFunction.self)
        release = try library.function("LGBM_BoosterFree", LightGBMReleaseFunction.self)
        features = try library.function("LGBM_BoosterGetNumFeature", LightGBMCountFunction.self)
        predictCount = try library.function("LGBM_BoosterCalcNumPredict", LightGBMPredictCountFunction.self)
        predict = try library.function("LGBM_BoosterPredictForMat", LightGBMPredictFunction.self)
        prepareSingle = try library.function(
            "LGBM_BoosterPredictForMatSingleRowFastInit", LightGBMSingleFunction.self)
        predictSingle = try library.function(
            "LGBM_BoosterPredictForMatSingleRowFast", LightGBMSinglePredictFunction.self)
        releaseSingle = try library.function("LGBM_FastConfigFree", LightGBMReleaseFunction.self)
        // It speaks by errors only.
        _ = try library.function("LGBM_RegisterLogCallback", LightGBMLogFunction.self)({ _ in })
    }

    func check(_ result: Int32, _ what: @autoclosure () -> String) throws(InferenceFault) {
        guard result != 0 else { return }
        throw InferenceFault(.invalid, "\(what()): \(RuntimeLimits.firstLine(lastError()))")
    }
}

/// A booster, released with the last that uses it.
///
/// Sendable although it holds a pointer: it is only read once it is shared, and the library has a lock for readers.
final class LightGBMModel: LoadedModel, @unchecked Sendable {
    let signature: ModelSignature
    let memory: Int
    let name: String
    let library: LightGBMLibrary
    let booster: LightGBMHandle?
    let features: Int32
    /// Numbers of one row's answer.
    let width: Int
    let parameters: String

    init(_ library: LightGBMLibrary, text: [UInt8], folder: ModelFolder, threads: Int) throws(InferenceFault) {
        let name = folder.name
        var booster: LightGBMHandle? = nil
        var iterations: Int32 = 0
        let terminated = text + [0]
        let status = terminated.withUnsafeBytes { bytes -> Int32 in
            guard let base = bytes.baseAddress else { return -1 }
            return library.load(base.assumingMemoryBound(to: CChar.self), &iterations, &booster)
        }
        try library.check(status, "model '\(name)' cannot be loaded")
        var (features, width): (Int32, Int64) = (0, 0)
        do throws(InferenceFault) {
            try library.check(library.features(booster, &features), "model '\(name)' cannot be read")
            try library.check(library.predictCount(booster, 1, 0, 0, -1, &width), "model '\(name)' cannot be read")
            guard (1...1 << 24).contains(features), (1...1 << 20).contains(width) else {
                throw InferenceFault(
                    .invalid, "model '\(name)' has \(features) features and \(width) numbers an answer")
            }
        } catch {
            _ = library.release(booster)
            throw error
        }
        self.library = library
        self.booster = booster
        self.name = name
        self.features = features
        self.width = Int(width)
        parameters = "num_threads=\(max(1, threads))"
        memory = text.count
        var input = TensorSpec(name: "input-0", type: .fp64, shape: [-1, Int(features)])
        input.alternatives = [.fp32, .int32, .int64]
        signature = ModelSignature(
            platform: "lightgbm", inputs: [input],
            outputs: [TensorSpec(name: "predict", type: .fp64, shape: width == 1 ? [-1] : [-1, Int(width)])],
            maximumBatch: RuntimeLimits.rows)
    }

    deinit {
        // Nobody uses it any more.
        nonisolated(unsafe) let booster = booster
        let library = library
        LibraryLifetime.release { _ = library.release(booster) }
    }

    func makeInstance() throws(InferenceFault) -> any ModelInstance { LightGBMInstance(self) }
}

final class LightGBMInstance: ModelInstance {
    private static let elements: [TensorType: Int32] = [.fp32: 0, .fp64: 1]

    private let model: LightGBMModel
    /// What predictions of single rows need, by the type of their numbers.
    private var singles: [Int32: LightGBMHandle] = [:]

    init(_ model: LightGBMModel) { self.model = model }

    deinit {
        // Nobody uses them any more; the model is released behind them.
        nonisolated(unsafe) let handles = Array(singles.values)
        let library = model.library
        LibraryLifetime.release { for handle in handles { _ = library.releaseSingle(handle) } }
    }

    func run(
        _ inputs: [Tensor], outputs: [String], deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) -> [Tensor] {
        let (library, name, width) = (model.library, model.name, model.width)
        guard let input = inputs.first.map(Self.widened), input.shape.count == 2,
            input.shape[1] == Int(model.features),
            let element = Self.elements[input.type], case .memory(let storage, let range) = input.content,
            let base = storage.bytes.baseAddress
        else { throw InferenceFault(.invalid, "model '\(name)' takes rows of \(model.features) numbers") }
        let rows = input.shape[0]
        let output = TensorStorage(byteCount: rows * width * 8)
        if rows > 0, let result = output.bytes.baseAddress?.assumingMemoryBound(to: Double.self) {
            var count: Int64 = 0
            let data = UnsafeRawPointer(base + range.lowerBound)
            let status =
                rows == 1
                ? library.predictSingle(try single(element), data, &count, result)
                : library.predict(
                    model.booster, data, element, Int32(clamping: rows), model.features, 1, 0, 0, -1, model.parameters,
                    &count, result)
            withExtendedLifetime(storage) {}
            try library.check(status, "model '\(name)'")
        }
        return [
            Tensor(
                name: "predict", type: .fp64, shape: width == 1 ? [rows] : [rows, width],
                content: .memory(output, 0..<rows * width * 8))
        ]
    }

    /// Integers as doubles, for the library has no other way with rows of them.
    private static func widened(_ input: Tensor) -> Tensor {
        guard case .memory(let storage, let range) = input.content else { return input }
        let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[range])
        switch input.type {
        case .int32: return widened(input, bytes, Int32.self) { Double($0) }
        case .int64: return widened(input, bytes, Int64.self) { Double($0) }
        default: return input
        }
    }

    private static func widened<Number: BitwiseCopyable>(
        _ input: Tensor, _ bytes: UnsafeRawBufferPointer, _: Number.Type, _ double: (Number) -> Double
    ) -> Tensor {
        let width = MemoryLayout<Number>.size
        let count = bytes.count / width
        let storage = TensorStorage(byteCount: count * 8)
        for index in 0..<count {
            let number = double(bytes.loadUnaligned(fromByteOffset: index * width, as: Number.self))
            storage.bytes.storeBytes(of: number, toByteOffset: index * 8, as: Double.self)
        }
        return Tensor(name: input.name, type: .fp64, shape: input.shape, content: .memory(storage, 0..<count * 8))
    }

    private func single(_ element: Int32) throws(InferenceFault) -> LightGBMHandle {
        if let known = singles[element] { return known }
        var made: LightGBMHandle? = nil
        try model.library.check(
            model.library.prepareSingle(model.booster, 0, 0, -1, element, model.features, model.parameters, &made),
            "model '\(model.name)'")
        guard let made else { throw InferenceFault(.runtime, "model '\(model.name)': LightGBM gave nothing back") }
        singles[element] = made
        return made
    }
}
