// SPDX-License-Identifier: Apache-2.0
internal import CONNXRuntime
internal import InferenceProtocol
internal import Synchronization

/// ONNX Runtime's table of functions, with the one environment of this process.
///
/// Sendable although it holds pointers: they are written before it is shared, and only read after that; the library's
/// functions on its environment, allocator and memory description are safe to call from every thread.
final class ONNXLibrary: @unchecked Sendable {
    /// Of the C API: every release since 1.21 has it.
    private static let apiVersion: UInt32 = 21

    let api: UnsafePointer<OrtApi>
    let environment: OrtPointer
    let memory: OrtPointer
    let allocator: OrtPointer
    let version: String

    private static let shared = Mutex<ONNXLibrary?>(nil)

    private init(
        api: UnsafePointer<OrtApi>, environment: OrtPointer, memory: OrtPointer, allocator: OrtPointer, version: String
    ) {
        self.api = api
        self.environment = environment
        self.memory = memory
        self.allocator = allocator
        self.version = version
    }

    static func open(_ options: RuntimeOptions) throws(InferenceFault) -> ONNXLibrary {
        let result: Result<ONNXLibrary, InferenceFault> = shared.withLock { shared in
            if let shared { return .success(shared) }
            do throws(InferenceFault) {
                let made = try make(options)
                shared = made
                return .success(made)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    private static func make(_ options: RuntimeOptions) throws(InferenceFault) -> ONNXLibrary {
        let library = try NativeLibrary.open(.onnxruntime, options)
        typealias Entry = @convention(c) () -> UnsafePointer<OrtApiBase>?
        guard let base = try library.function("OrtGetApiBase", Entry.self)() else {
            throw InferenceFault(.unsupported, "\(library.path) is not ONNX Runtime")
        }
        let version = base.pointee.GetVersionString().map { String(cString: $0) } ?? "unknown"
        guard let api = base.pointee.GetApi(apiVersion) else {
            throw InferenceFault(
                .unsupported, "ONNX Runtime \(version) in \(library.path) is too old: 1.21 or newer is needed")
        }
        var environment: OrtPointer? = nil
        var memory: OrtPointer? = nil
        var allocator: OrtPointer? = nil
        // Only what is fatal is printed: an error comes back to whoever called.
        try check(api, OrtCreateEnv(api, 4, "apus", &environment), "making its environment")
        try check(api, OrtDisableTelemetryEvents(api, environment), "switching telemetry off")
        // A device's allocator (not an arena), default memory.
        try check(api, OrtCreateCpuMemoryInfo(api, 0, 0, &memory), "describing memory")
        try check(api, OrtGetAllocatorWithDefaultOptions(api, &allocator), "getting its allocator")
        guard let environment, let memory, let allocator else {
            throw InferenceFault(.runtime, "ONNX Runtime \(version) gave nothing back")
        }
        return ONNXLibrary(
            api: api, environment: environment, memory: memory, allocator: allocator, version: version)
    }

    /// Throws what a status says, and releases it.
    static func check(
        _ api: UnsafePointer<OrtApi>, _ status: OrtPointer?, _ what: @autoclosure () -> String
    ) throws(InferenceFault) {
        guard let status else { return }
        let code = OrtGetErrorCode(api, status)
        let message = RuntimeLimits.oneLine(OrtGetErrorMessage(api, status))
        OrtReleaseStatus(api, status)
        // 2: an argument that is not valid.
        throw InferenceFault(code == 2 ? .invalid : .runtime, "\(what()): \(message)")
    }

    @inline(__always)
    func check(_ status: OrtPointer?, _ what: @autoclosure () -> String) throws(InferenceFault) {
        if status != nil { try Self.check(api, status, what()) }
    }
}
