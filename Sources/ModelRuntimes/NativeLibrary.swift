// SPDX-License-Identifier: Apache-2.0
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

/// Ends what libraries are asked to release once the process ends: their own destructors run then, on the thread that
/// ends it, and whatever a model's last user releases on another would be released twice.
enum LibraryLifetime {
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

    /// Releases, unless the end has begun; the end waits for it.
    static func release(_ body: () -> Void) { isOver.withLock { isOver in if !isOver { body() } } }

    /// For what is released by the thousand.
    static var isRunning: Bool { !hasEnded.load(ordering: .acquiring) }
}
