// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import CONNXRuntime
package import InferenceProtocol

/// Models in ONNX, run by ONNX Runtime on processors.
package struct ONNXRuntime: ModelRuntime {
    package let name = "onnxruntime"
    package let formats = ["onnx"]

    package init() {}

    package func recognises(_ folder: ModelFolder) -> Bool {
        let files = ModelFiles(folder.path)
        if let model = (try? MLmodel(files)) ?? nil { return model.flavors["onnx"] != nil }
        return Self.file(files) != nil
    }

    private static func file(_ files: ModelFiles) -> String? {
        files.modelFile(preferred: ["model.onnx"], endings: [".onnx"])
    }

    package func load(_ folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) -> any LoadedModel {
        let files = ModelFiles(folder.path)
        var path = Self.file(files)
        if let model = try MLmodel(files), let data = model.data(of: "onnx", in: files) {
            path = ModelFiles(data).isFolder ? Self.file(ModelFiles(data)) : data
        }
        guard let path else {
            throw InferenceFault(
                .notFound, "model '\(folder.name)': there is no model.onnx (nor one file *.onnx) in \(folder.path)")
        }
        let bytes = ModelFiles.byteCount(of: folder.path)
        try RuntimeLimits.check(bytes, of: folder, options)
        let library = try ONNXLibrary.open(options)
        return try ONNXModel(
            library, session: ONNXSession(library, path: path, name: folder.name, threads: options.threads),
            name: folder.name, memory: bytes)
    }
}

/// A session, released with the last that uses it.
///
/// Sendable although it holds a pointer: Run is safe to call from several threads, the rest is called before it is shared.
final class ONNXSession: @unchecked Sendable {
    let library: ONNXLibrary
    let pointer: OrtPointer

    init(_ library: ONNXLibrary, path: String, name: String, threads: Int) throws(InferenceFault) {
        let api = library.api
        var options: OrtPointer? = nil
        try library.check(OrtCreateSessionOptions(api, &options), "making a session's options")
        defer { OrtReleaseSessionOptions(api, options) }
        try library.check(OrtSetIntraOpNumThreads(api, options, Int32(clamping: max(1, threads))), "setting threads")
        try library.check(OrtSetInterOpNumThreads(api, options, 1), "setting threads")
        try library.check(OrtSetSessionGraphOptimizationLevel(api, options, 99), "setting optimisations")
        // An arena and the patterns of memory would keep what the largest request took, for each shape that was seen.
        try library.check(OrtDisableCpuMemArena(api, options), "setting the allocator")
        try library.check(OrtDisableMemPattern(api, options), "setting the allocator")
        // Threads that wait do not spin: cores are shared.
        try library.check(
            OrtAddSessionConfigEntry(api, options, "session.intra_op.allow_spinning", "0"), "setting threads")
        // Never ONNX Runtime's own format, whatever the file begins with: it is read without checks.
        try library.check(
            OrtAddSessionConfigEntry(api, options, "session.load_model_format", "ONNX"), "setting the format")
        var session: OrtPointer? = nil
        do {
            try library.check(OrtCreateSession(api, library.environment, path, options, &session), "loading")
        } catch {
            throw InferenceFault(.invalid, "model '\(name)' cannot be loaded: \(error.description)")
        }
        guard let session else { throw InferenceFault(.runtime, "model '\(name)': loading gave nothing back") }
        self.library = library
        pointer = session
    }

    deinit {
        // Nobody uses it any more.
        nonisolated(unsafe) let pointer = pointer
        let library = library
        LibraryLifetime.release { OrtReleaseSession(library.api, pointer) }
    }
}

/// What an output is, in ONNX.
enum ONNXKind: Sendable, Hashable {
    case tensor
    /// A sequence of maps from a class to a number (the operator ZipMap): rows × classes.
    case zipMap
}

final class ONNXModel: LoadedModel {
    let signature: ModelSignature
    let memory: Int
    let session: ONNXSession
    let name: String
    let outputKinds: [ONNXKind]

    init(_ library: ONNXLibrary, session: ONNXSession, name: String, memory: Int) throws(InferenceFault) {
        self.session = session
        self.memory = memory
        self.name = name
        let inputs = try ONNXSpecs.read(session, isInput: true, model: name)
        let outputs = try ONNXSpecs.read(session, isInput: false, model: name)
        outputKinds = outputs.map(\.kind)
        let specs = (inputs.map(\.spec), outputs.map(\.spec))
        signature = ModelSignature(
            platform: "onnxruntime_onnx", inputs: specs.0, outputs: specs.1,
            maximumBatch: Self.hasRows(specs.0, specs.1, inputs.map(\.rows)) ? RuntimeLimits.rows : 0)
    }

    /// Whether the first axis of everything is one of rows: free in all inputs and outputs, and of one name in all inputs
    /// where it has names.
    private static func hasRows(_ inputs: [TensorSpec], _ outputs: [TensorSpec], _ names: [String]) -> Bool {
        !inputs.isEmpty && (inputs + outputs).allSatisfy { $0.shape.first == -1 }
            && Set(names.filter { !$0.isEmpty }).count <= 1
    }

    func makeInstance() throws(InferenceFault) -> any ModelInstance { try ONNXInstance(self) }
}

/// Reads what a session takes and gives.
enum ONNXSpecs {
    struct Found {
        let spec: TensorSpec
        let kind: ONNXKind
        /// The name of the first axis; empty: it has none.
        let rows: String
    }

    private static func firstAxis(
        _ library: ONNXLibrary, _ info: OrtPointer?, _ rank: Int
    ) throws(InferenceFault) -> String {
        guard rank > 0 else { return "" }
        // The texts are the type's.
        var names = [UnsafePointer<CChar>?](repeating: nil, count: rank)
        try library.check(OrtGetSymbolicDimensions(library.api, info, &names, rank), "reading a shape")
        return names[0].map { String(cString: $0) } ?? ""
    }

    static func read(
        _ session: ONNXSession, isInput: Bool, model: String
    ) throws(InferenceFault) -> [Found] {
        let library = session.library
        let api = library.api
        var count = 0
        try library.check(
            isInput
                ? OrtSessionGetInputCount(api, session.pointer, &count)
                : OrtSessionGetOutputCount(api, session.pointer, &count), "counting")
        var specs: [Found] = []
        for index in 0..<count {
            var text: UnsafeMutablePointer<CChar>? = nil
            try library.check(
                isInput
                    ? OrtSessionGetInputName(api, session.pointer, index, library.allocator, &text)
                    : OrtSessionGetOutputName(api, session.pointer, index, library.allocator, &text), "reading a name")
            let name = text.map { String(cString: $0) } ?? ""
            if let status = OrtAllocatorFree(api, library.allocator, text) { OrtReleaseStatus(api, status) }
            var type: OrtPointer? = nil
            try library.check(
                isInput
                    ? OrtSessionGetInputTypeInfo(api, session.pointer, index, &type)
                    : OrtSessionGetOutputTypeInfo(api, session.pointer, index, &type), "reading a type")
            defer { OrtReleaseTypeInfo(api, type) }
            let what = "model '\(model)': the \(isInput ? "input" : "output") '\(name)'"
            specs.append(try spec(library, type, name: name, isInput: isInput, what: what))
        }
        return specs
    }

    private static func spec(
        _ library: ONNXLibrary, _ type: OrtPointer?, name: String, isInput: Bool, what: String
    ) throws(InferenceFault) -> Found {
        let api = library.api
        var kind: Int32 = 0
        try library.check(OrtGetOnnxTypeFromTypeInfo(api, type, &kind), "reading a type")
        switch kind {
        case 1:
            var info: OrtPointer? = nil
            try library.check(OrtCastTypeInfoToTensorInfo(api, type, &info), "reading a type")
            let (element, shape) = try ONNXValues.shape(library, info)
            guard let type = ONNXValues.type(element) else {
                throw InferenceFault(
                    .unsupported, "\(what) has elements of ONNX's type \(element), which the protocol does not have")
            }
            return Found(
                spec: TensorSpec(name: name, type: type, shape: shape), kind: .tensor,
                rows: try firstAxis(library, info, shape.count))
        case 2 where !isInput:
            var sequence: OrtPointer? = nil
            var element: OrtPointer? = nil
            try library.check(OrtCastTypeInfoToSequenceTypeInfo(api, type, &sequence), "reading a type")
            try library.check(OrtGetSequenceElementType(api, sequence, &element), "reading a type")
            defer { OrtReleaseTypeInfo(api, element) }
            var elementKind: Int32 = 0
            try library.check(OrtGetOnnxTypeFromTypeInfo(api, element, &elementKind), "reading a type")
            guard elementKind == 3 else { break }
            var map: OrtPointer? = nil
            var value: OrtPointer? = nil
            try library.check(OrtCastTypeInfoToMapTypeInfo(api, element, &map), "reading a type")
            try library.check(OrtGetMapValueType(api, map, &value), "reading a type")
            defer { OrtReleaseTypeInfo(api, value) }
            var info: OrtPointer? = nil
            try library.check(OrtCastTypeInfoToTensorInfo(api, value, &info), "reading a type")
            guard info != nil else { break }
            let (number, _) = try ONNXValues.shape(library, info)
            guard let type = ONNXValues.type(number), type.byteCount != nil else { break }
            return Found(spec: TensorSpec(name: name, type: type, shape: [-1, -1]), kind: .zipMap, rows: "")
        default: break
        }
        throw InferenceFault(
            .unsupported,
            "\(what) is neither a tensor nor a sequence of maps to numbers (ONNX's type \(kind)); give it as a tensor")
    }
}
