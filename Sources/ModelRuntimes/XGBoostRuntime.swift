// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import CXGBoost
package import InferenceProtocol
internal import Synchronization

/// XGBoost's own files (`.ubj`, `.json`), run by XGBoost: one input `input-0` of rows × features, one output `predict`,
/// which is what the Booster's `predict` gives.
package struct XGBoostRuntime: ModelRuntime {
    package let name = "xgboost"
    package let formats = ["xgboost"]
    static let endings = [".ubj", ".bst", ".json"]
    /// Bytes of a model.
    private static let fileLimit = 2 << 30

    package init() {}

    package func recognises(_ folder: ModelFolder) -> Bool {
        let files = ModelFiles(folder.path)
        if let model = (try? MLmodel(files)) ?? nil { return model.isNative("xgboost") }
        return Self.file(files, isNamed: folder.format != nil) != nil
    }

    /// A `.json` alone may be anything, unless its name or the model's format says what it is.
    private static func file(_ files: ModelFiles, isNamed: Bool) -> String? {
        files.modelFile(
            preferred: ["model.ubj", "model.bst", "model.xgb", "xgboost.json"] + (isNamed ? ["model.json"] : []),
            endings: isNamed ? endings : [".ubj", ".bst"])
            ?? files.modelFile(preferred: ["model.json"], endings: [])
    }

    package func load(_ folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) -> any LoadedModel {
        let files = ModelFiles(folder.path)
        var path = Self.file(files, isNamed: true)
        if let model = try MLmodel(files), let data = model.data(of: "xgboost", in: files) { path = data }
        guard let path else {
            throw InferenceFault(
                .notFound, "model '\(folder.name)': there is no model.ubj, .bst or .json in \(folder.path)")
        }
        let bytes = try ModelFiles.read(path, limit: min(Self.fileLimit, options.memoryLimit))
        let kind: String
        do throws(InferenceFault) { kind = try XGBoostFile.check(bytes) } catch {
            throw InferenceFault(.invalid, "model '\(folder.name)' cannot be loaded: \(error.description)")
        }
        let library = try XGBoostLibrary.open(options)
        return try XGBoostModel(library, bytes: bytes, kind: kind, folder: folder, threads: options.threads)
    }
}

/// XGBoost's functions.
struct XGBoostLibrary: Sendable {
    let lastError: XGBoostErrorFunction
    let create: XGBoostCreateFunction
    let release: XGBoostReleaseFunction
    let load: XGBoostLoadFunction
    let set: XGBoostParameterFunction
    let features: XGBoostCountFunction
    let makeProxy: XGBoostProxyFunction
    let releaseProxy: XGBoostReleaseFunction
    let predict: XGBoostPredictFunction
    let makeMatrix: XGBoostMatrixFunction
    let predictMatrix: XGBoostPredictMatrixFunction

    private static let shared = Mutex<XGBoostLibrary?>(nil)

    static func open(_ options: RuntimeOptions) throws(InferenceFault) -> XGBoostLibrary {
        let result: Result<XGBoostLibrary, InferenceFault> = shared.withLock { shared in
            if let shared { return .success(shared) }
            do throws(InferenceFault) {
                let made = try XGBoostLibrary(try NativeLibrary.open(.xgboost, options))
                shared = made
                return .success(made)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    private init(_ library: NativeLibrary) throws(InferenceFault) {
        lastError = try library.function("XGBGetLastError", XGBoostErrorFunction.self)
        create = try library.function("XGBoosterCreate", XGBoostCreateFunction.self)
        release = try library.function("XGBoosterFree", XGBoostReleaseFunction.self)
        load = try library.function("XGBoosterLoadModelFromBuffer", XGBoostLoadFunction.self)
        set = try library.function("XGBoosterSetParam", XGBoostParameterFunction.self)
        features = try library.function("XGBoosterGetNumFeature", XGBoostCountFunction.self)
        makeProxy = try library.function("XGProxyDMatrixCreate", XGBoostProxyFunction.self)
        releaseProxy = try library.function("XGDMatrixFree", XGBoostReleaseFunction.self)
        predict = try library.function("XGBoosterPredictFromDense", XGBoostPredictFunction.self)
        makeMatrix = try library.function("XGDMatrixCreateFromDense", XGBoostMatrixFunction.self)
        predictMatrix = try library.function("XGBoosterPredictFromDMatrix", XGBoostPredictMatrixFunction.self)
        // It speaks by errors only.
        _ = try library.function("XGBRegisterLogCallback", XGBoostLogFunction.self)({ _ in })
        _ = try library.function("XGBSetGlobalConfig", XGBoostConfigFunction.self)(#"{"verbosity": 0}"#)
    }

    func check(_ result: Int32, _ what: @autoclosure () -> String) throws(InferenceFault) {
        guard result != 0 else { return }
        throw InferenceFault(.invalid, "\(what()): \(RuntimeLimits.firstLine(lastError()))")
    }
}

/// A booster, released with the last that uses it.
///
/// Sendable although it holds a pointer: it is set up before it is shared, and its predictions are safe to make from
/// several threads, each with a proxy of its own.
final class XGBoostModel: LoadedModel, @unchecked Sendable {
    let signature: ModelSignature
    let memory: Int
    let name: String
    let library: XGBoostLibrary
    let booster: XGBoostHandle?
    /// Whether rows are predicted where they lie; only trees can be, and those that were dropped out come to other sums.
    let isInPlace: Bool

    init(
        _ library: XGBoostLibrary, bytes: [UInt8], kind: String, folder: ModelFolder, threads: Int
    ) throws(InferenceFault) {
        let name = folder.name
        let isInPlace = kind == "gbtree"
        var booster: XGBoostHandle? = nil
        try library.check(library.create(nil, 0, &booster), "making a booster")
        var features: UInt64 = 0
        let shape: [Int]
        do throws(InferenceFault) {
            let status = bytes.withUnsafeBytes { library.load(booster, $0.baseAddress, UInt64($0.count)) }
            try library.check(status, "model '\(name)' cannot be loaded")
            try library.check(library.set(booster, "nthread", String(max(1, threads))), "setting threads")
            try library.check(library.features(booster, &features), "model '\(name)' cannot be read")
            guard (1...1 << 24).contains(features) else {
                throw InferenceFault(.invalid, "model '\(name)' has \(features) features")
            }
            let row = TensorStorage(byteCount: Int(features) * 4)
            let zeros = Tensor(
                name: "input-0", type: .fp32, shape: [1, Int(features)], content: .memory(row, 0..<row.byteCount))
            row.bytes.initializeMemory(as: UInt8.self, repeating: 0)
            shape = try XGBoostInstance(library, booster, name: name, isInPlace: isInPlace).predict(zeros).shape
        } catch {
            _ = library.release(booster)
            throw error
        }
        self.library = library
        self.booster = booster
        self.isInPlace = isInPlace
        self.name = name
        memory = bytes.count
        var input = TensorSpec(name: "input-0", type: .fp32, shape: [-1, Int(features)])
        input.alternatives = XGBoostInstance.elements.keys.filter { $0 != .fp32 }.sorted { $0.rawValue < $1.rawValue }
        signature = ModelSignature(
            platform: "xgboost", inputs: [input],
            outputs: [TensorSpec(name: "predict", type: .fp32, shape: [-1] + shape.dropFirst())],
            maximumBatch: RuntimeLimits.rows)
    }

    deinit {
        // Nobody uses it any more.
        nonisolated(unsafe) let booster = booster
        let library = library
        LibraryLifetime.release { _ = library.release(booster) }
    }

    func makeInstance() throws(InferenceFault) -> any ModelInstance { try XGBoostInstance(self) }
}

/// A proxy that stands for the rows of a call.
final class XGBoostInstance: ModelInstance {
    /// How numpy's array interface writes the types.
    static let elements: [TensorType: String] = [
        .fp32: "<f4", .fp64: "<f8", .int32: "<i4", .int64: "<i8", .uint8: "|u1", .int8: "|i1",
    ]
    private static let configuration = """
        {"type": 0, "iteration_begin": 0, "iteration_end": 0, "strict_shape": false, "training": false, \
        "cache_id": 0, "missing": NaN}
        """

    private static let matrixConfiguration = #"{"missing": NaN, "nthread": 1}"#

    private let model: XGBoostModel?
    private let library: XGBoostLibrary
    private let booster: XGBoostHandle?
    private let name: String
    private let isInPlace: Bool
    private let proxy: XGBoostHandle?

    convenience init(_ model: XGBoostModel) throws(InferenceFault) {
        try self.init(model.library, model.booster, name: model.name, isInPlace: model.isInPlace, model)
    }

    init(
        _ library: XGBoostLibrary, _ booster: XGBoostHandle?, name: String, isInPlace: Bool,
        _ model: XGBoostModel? = nil
    ) throws(InferenceFault) {
        self.library = library
        self.booster = booster
        self.name = name
        self.isInPlace = isInPlace
        self.model = model
        var made: XGBoostHandle? = nil
        try library.check(library.makeProxy(&made), "making a matrix")
        proxy = made
    }

    deinit {
        // Nobody uses it any more.
        nonisolated(unsafe) let proxy = proxy
        let library = library
        LibraryLifetime.release { _ = library.releaseProxy(proxy) }
    }

    func run(
        _ inputs: [Tensor], outputs: [String], deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) -> [Tensor] {
        guard let input = inputs.first else { throw InferenceFault(.invalid, "model '\(name)' needs its input") }
        if input.shape.first == 0, let spec = model?.signature.outputs.first {
            return [
                Tensor(
                    name: "predict", type: .fp32, shape: [0] + spec.shape.dropFirst(),
                    content: .memory(TensorStorage(byteCount: 0), 0..<0))
            ]
        }
        return [try predict(input)]
    }

    func predict(_ input: Tensor) throws(InferenceFault) -> Tensor {
        guard input.shape.count == 2, let element = Self.elements[input.type],
            case .memory(let storage, let range) = input.content, let base = storage.bytes.baseAddress
        else {
            throw InferenceFault(
                .invalid, "model '\(name)' takes rows of numbers, not \(input.type.name) of the shape \(input.shape)")
        }
        let address = UInt(bitPattern: base + range.lowerBound)
        let array = """
            {"data": [\(address), true], "shape": [\(input.shape[0]), \(input.shape[1])], "typestr": "\(element)", \
            "version": 3}
            """
        var (shape, rank, result): (UnsafePointer<UInt64>?, UInt64, UnsafePointer<Float>?) = (nil, 0, nil)
        // A matrix of its own may have the result's memory: it goes last.
        var matrix: XGBoostHandle? = nil
        defer { if matrix != nil { _ = library.releaseProxy(matrix) } }
        if isInPlace {
            let status = library.predict(booster, array, Self.configuration, proxy, &shape, &rank, &result)
            withExtendedLifetime(storage) {}
            try library.check(status, "model '\(name)'")
        } else {
            let status = library.makeMatrix(array, Self.matrixConfiguration, &matrix)
            withExtendedLifetime(storage) {}
            try library.check(status, "model '\(name)'")
            try library.check(
                library.predictMatrix(booster, matrix, Self.configuration, &shape, &rank, &result), "model '\(name)'")
        }
        guard let shape, let result, rank <= 8 else {
            throw InferenceFault(.runtime, "model '\(name)': XGBoost gave nothing back")
        }
        let sizes = (0..<Int(rank)).map { Int(clamping: shape[$0]) }
        let count = sizes.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
        // Its memory lasts until the thread's next call only.
        let output = TensorStorage(byteCount: count * 4)
        output.bytes.copyMemory(from: UnsafeRawBufferPointer(start: result, count: count * 4))
        return Tensor(name: "predict", type: .fp32, shape: sizes, content: .memory(output, 0..<count * 4))
    }
}
