// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
internal import Glibc
internal import InferenceProtocol
internal import Synchronization

/// A library that was opened: once a process, and never closed (they have threads, and state of their own).
///
/// Sendable although it holds a pointer: the loader's handle, which is only looked up in.
final class NativeLibrary: @unchecked Sendable {
    let path: String
    private let handle: UnsafeMutableRawPointer

    private static let opened = Mutex<[String: NativeLibrary]>([:])

    private init(path: String, handle: UnsafeMutableRawPointer) {
        self.path = path
        self.handle = handle
    }

    /// Opens a library where the options, the environment, or the usual places have it.
    static func open(_ library: RuntimeLibrary, _ options: RuntimeOptions) throws(InferenceFault) -> NativeLibrary {
        let named = options.libraries[library.rawValue]
        let path = named ?? LibraryPaths.find(library, environment: ProcessPlace.environment)
        let result: Result<NativeLibrary, InferenceFault> = opened.withLock { opened in
            // The first one stays: two versions of one library in a process would get in each other's way.
            if let known = opened[library.rawValue] { return .success(known) }
            var reasons: [String] = []
            for candidate in path.map({ [$0] }) ?? library.systemNames {
                if let handle = dlopen(candidate, RTLD_NOW | RTLD_LOCAL) {
                    LibraryLifetime.begin()
                    let found = NativeLibrary(path: candidate, handle: handle)
                    opened[library.rawValue] = found
                    return .success(found)
                }
                reasons.append(dlerror().map { String(cString: $0) } ?? "\(candidate): no reason given")
            }
            let hint = library == .lightgbm ? " (it needs Debian's libgomp1, too)" : ""
            return .failure(
                InferenceFault(
                    .unsupported,
                    "the library of \(library.rawValue) cannot be opened: \(reasons.joined(separator: "; ")). "
                        + "Install it by 'pip install \(library.package)'\(hint) into the .venv of the working directory, "
                        + "or name its file in \(library.variable)"))
        }
        return try result.get()
    }

    /// A function by its name.
    func function<Function>(_ name: String, _ type: Function.Type) throws(InferenceFault) -> Function {
        guard let symbol = dlsym(handle, name) else {
            throw InferenceFault(
                .unsupported, "the library \(path) has no function \(name): it is too old, or not the right one")
        }
        return unsafeBitCast(symbol, to: type)
    }
}

/// Where libraries release what they made: on threads of a queue, and never once the process ends.
///
/// A model's last user may be a thread that is ending: its thread-local values are gone then, and XGBoost, which keeps
/// results in them, would release them twice. And when the process ends, the libraries' own destructors run on the thread
/// that ends it, while others still release.
enum LibraryLifetime {
    private static let queue = DispatchQueue(label: "apus.model-runtimes.release")
    private static let isOver = Mutex(false)
    /// The same, to be looked at without a lock.
    private static let hasEnded = Atomic<Bool>(false)

    /// Called when a library was opened: what is registered for the end now comes before what the library registered.
    static func begin() {
        atexit {
            LibraryLifetime.isOver.withLock { isOver in
                isOver = true
                LibraryLifetime.hasEnded.store(true, ordering: .releasing)
            }
        }
    }

    /// Releases soon, in the order of the calls, unless the process ends; its end waits for the one that is going on.
    static func release(_ body: @escaping @Sendable () -> Void) {
        queue.async { isOver.withLock { isOver in if !isOver { body() } } }
    }

    /// For what is released by the thousand, and has nothing that is a thread's.
    static var isRunning: Bool { !hasEnded.load(ordering: .acquiring) }
}
