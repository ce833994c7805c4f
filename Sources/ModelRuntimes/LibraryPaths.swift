// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import DataFolders
internal import Glibc

/// A library that runs models, as its makers ship it on PyPI; it is opened when the first model needs it.
package enum RuntimeLibrary: String, Sendable, CaseIterable {
    case onnxruntime, xgboost, lightgbm

    /// The variable that names its file, or the folder that it is in.
    package var variable: String { "APUS_\(rawValue.uppercased())_LIBRARY" }

    /// The package on PyPI that has it.
    package var package: String { self == .xgboost ? "xgboost-cpu" : rawValue }

    /// Its folder below `site-packages`.
    var folder: String {
        switch self {
        case .onnxruntime: "onnxruntime/capi"
        case .xgboost: "xgboost/lib"
        case .lightgbm: "lightgbm/lib"
        }
    }

    /// How its file's name begins; a version may follow.
    var file: String {
        switch self {
        case .onnxruntime: "libonnxruntime.so"
        case .xgboost: "libxgboost.so"
        case .lightgbm: "lib_lightgbm.so"
        }
    }

    /// Its names for the system's loader.
    var systemNames: [String] { self == .onnxruntime ? ["libonnxruntime.so.1", file] : [file] }

    func isFile(_ name: String) -> Bool { name == file || name.hasPrefix(file + ".") }
}

/// Where libraries are looked for.
package enum LibraryPaths {
    /// Paths to try, the likeliest first: the variable's; `~/.apus/lib`; beside the binary; the virtual environments that
    /// are active, of the working directory, and of the folders above the binary. The system's own places come after.
    package static func candidates(
        _ library: RuntimeLibrary, environment: [String: String], home: String, binary: String, workingFolder: String
    ) -> [String] {
        if let named = environment[library.variable], !named.isEmpty {
            return Folder.isFolder(named) ? files(of: library, in: named) : [named]
        }
        var found = files(of: library, in: home + "/.apus/lib")
        var folders = above(binary)
        if let beside = folders.first {
            found += files(of: library, in: beside) + files(of: library, in: beside + "/lib")
            found += files(of: library, in: beside + "/../lib")
        }
        var environments: [String] = []
        if let active = environment["VIRTUAL_ENV"], !active.isEmpty { environments.append(active) }
        folders.insert(workingFolder, at: 0)
        environments += folders.map { $0 + "/.venv" }
        for place in environments {
            let versions = ((try? Folder.names(in: place + "/lib")) ?? []).filter { $0.hasPrefix("python3") }
            for version in versions.sorted() {
                found += files(of: library, in: "\(place)/lib/\(version)/site-packages/\(library.folder)")
            }
        }
        return found
    }

    /// The path of a library's file; nil where only the system's loader may know it.
    package static func find(_ library: RuntimeLibrary, environment: [String: String]) -> String? {
        candidates(
            library, environment: environment, home: HomeFolder.path, binary: ProcessPlace.binary,
            workingFolder: ProcessPlace.workingFolder
        ).first { access($0, R_OK) == 0 }
    }

    /// The newest first.
    private static func files(of library: RuntimeLibrary, in folder: String) -> [String] {
        let names = ((try? Folder.names(in: folder)) ?? []).filter(library.isFile)
        return names.sorted { ($0.count, $0) > ($1.count, $1) }.map { folder + "/" + $0 }
    }

    /// The folders above a path, the nearest first.
    static func above(_ path: String) -> [String] {
        var parts = path.split(separator: "/")
        var folders: [String] = []
        while parts.popLast() != nil, !parts.isEmpty { folders.append("/" + parts.joined(separator: "/")) }
        return folders
    }
}

/// Where this process is.
enum ProcessPlace {
    static var binary: String { link("/proc/self/exe") ?? "/" }
    static var workingFolder: String { link("/proc/self/cwd") ?? "/" }

    static var environment: [String: String] {
        var values: [String: String] = [:]
        for library in RuntimeLibrary.allCases { values[library.variable] = value(library.variable) }
        values["VIRTUAL_ENV"] = value("VIRTUAL_ENV")
        return values
    }

    static func value(_ variable: String) -> String? { getenv(variable).map { String(cString: $0) } }

    private static func link(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(byteCount: Int(PATH_MAX), alignment: 1) { buffer -> String? in
            guard let base = buffer.baseAddress else { return nil }
            let count = readlink(path, base.assumingMemoryBound(to: CChar.self), buffer.count)
            guard count > 0 else { return nil }
            return String(decoding: buffer[..<count], as: UTF8.self)
        }
    }
}
