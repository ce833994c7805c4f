// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Where driver manifests and connection profiles are looked for (ADBC, "Driver Manager and Manifests" and
/// "Connection Profiles"): folders of a variable, the user's, the system's, in this order.
package struct DriverPlaces: Sendable {
    package var environment: [String: String]
    package var home: String
    package var system: String

    package init(
        environment: [String: String] = ProcessInfo.processInfo.environment, home: String? = nil,
        system: String = "/etc/adbc"
    ) {
        self.environment = environment
        self.home = home ?? environment["HOME"] ?? NSHomeDirectory()
        self.system = system
    }

    func folders(_ kind: String, variable: String) -> [String] {
        let named = (environment[variable] ?? "").split(separator: ":").map(String.init)
        let configuration = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? home + "/.config"
        return named + ["\(configuration)/adbc/\(kind)", "\(system)/\(kind)"]
    }

    /// The file of a name: a path to a .toml file stays one; a name is looked for. Nil where there is none.
    func find(_ name: String, _ kind: String, variable: String) -> String? {
        if name.contains("/") {
            let path = name.hasSuffix(".toml") ? name : name + ".toml"
            return access(path, R_OK) == 0 ? path : nil
        }
        let file = name.hasSuffix(".toml") ? name : name + ".toml"
        return folders(kind, variable: variable).map { $0 + "/" + file }.first { access($0, R_OK) == 0 }
    }

    /// A file of at most 1 MiB.
    static func read(_ path: String) throws(LakeError) -> TOMLDocument {
        guard let data = FileManager.default.contents(atPath: path), data.count <= 1 << 20 else {
            throw LakeError(.io, "\(path) cannot be read, or is over 1 MiB")
        }
        do { return try TOMLDocument(String(decoding: data, as: UTF8.self)) } catch {
            throw LakeError(.invalidArgument, "\(path), line \(error.line): \(error.what)")
        }
    }
}

/// What a manifest says of a driver.
struct DriverManifest: Equatable {
    let library: String
    let entryPoint: String?

    /// The key of this machine in `[Driver.shared]`.
    static var platform: String {
        #if arch(arm64)
            "linux_arm64"
        #else
            "linux_amd64"
        #endif
    }

    init(_ document: TOMLDocument, path: String) throws(LakeError) {
        if let version = document["manifest_version"], version.integer != 1 {
            throw LakeError(.notImplemented, "\(path): manifests of a version other than 1 are not read")
        }
        let shared = document["Driver", "shared"]
        guard let library = shared?.string ?? shared?.table?[Self.platform]?.string, !library.isEmpty else {
            let known = shared?.table?.keys.sorted().joined(separator: ", ") ?? "none"
            throw LakeError(
                .notFound, "\(path): no library for \(Self.platform) in [Driver.shared]; there are: \(known)")
        }
        // A relative path is one from the manifest's folder.
        self.library = library.hasPrefix("/") ? library : (path as NSString).deletingLastPathComponent + "/" + library
        entryPoint = document["Driver", "entrypoint"]?.string
    }
}

/// A connection profile: a driver and its options.
struct ConnectionProfile: Equatable {
    let driver: String
    let options: [String: String]

    init(_ document: TOMLDocument, path: String, environment: [String: String]) throws(LakeError) {
        guard document["profile_version"]?.integer == 1 else {
            throw LakeError(.invalidArgument, "\(path): profile_version has to be 1")
        }
        guard let driver = document["driver"]?.string, !driver.isEmpty else {
            throw LakeError(.invalidArgument, "\(path): no driver is named")
        }
        guard let table = document["Options"]?.table else {
            throw LakeError(.invalidArgument, "\(path): there is no table [Options]")
        }
        var options: [String: String] = [:]
        try Self.flatten(table, prefix: "", into: &options, path: path, environment: environment)
        self.driver = driver
        self.options = options
    }

    /// Nested tables become dotted names.
    private static func flatten(
        _ table: [String: TOMLDocument.Value], prefix: String, into options: inout [String: String], path: String,
        environment: [String: String]
    ) throws(LakeError) {
        for (key, value) in table {
            let name = prefix + key
            switch value {
            case .string(let text):
                options[name] = try interpolate(text, environment: environment, place: "\(path): \(name)")
            case .integer(let number): options[name] = String(number)
            case .float(let number): options[name] = String(number)
            case .bool(let value): options[name] = value ? "true" : "false"
            case .table(let inner):
                try flatten(inner, prefix: name + ".", into: &options, path: path, environment: environment)
            case .array: throw LakeError(.invalidArgument, "\(path): the option '\(name)' is an array")
            }
        }
    }

    /// `{{ env_var(NAME) }}` becomes the variable's value, or nothing where it is not set.
    static func interpolate(_ text: String, environment: [String: String], place: String) throws(LakeError) -> String {
        var result = ""
        var rest = Substring(text)
        while let open = rest.range(of: "{{"), let close = rest[open.upperBound...].range(of: "}}") {
            result += rest[..<open.lowerBound]
            let content = rest[open.upperBound..<close.lowerBound].trimmingCharacters(in: .whitespaces)
            guard content.hasPrefix("env_var("), content.hasSuffix(")"), content.count > 9 else {
                throw LakeError(.invalidArgument, "\(place): '{{ \(content) }}' is not env_var(NAME)")
            }
            result += environment[String(content.dropFirst(8).dropLast())] ?? ""
            rest = rest[close.upperBound...]
        }
        return result + rest
    }
}

/// A driver's library and options, found by any kind of reference. No library: DuckDB in this process.
struct ResolvedDriver: Sendable {
    let library: String?
    let entryPoint: String?
    let options: [String: String]

    init(_ reference: DriverReference, options: [String: String], places: DriverPlaces) throws(LakeError) {
        switch reference {
        case .duckdb: self.init(library: nil, entryPoint: nil, options: options)
        case .path(let path, let entryPoint):
            guard access(path, R_OK) == 0 else { throw LakeError(.notFound, "there is no driver at \(path)") }
            self.init(library: path, entryPoint: entryPoint, options: options)
        case .manifest(let name):
            guard let path = places.find(name, "drivers", variable: "ADBC_DRIVER_PATH") else {
                let folders = places.folders("drivers", variable: "ADBC_DRIVER_PATH").joined(separator: ", ")
                throw LakeError(.notFound, "there is no driver manifest \(name).toml in \(folders)")
            }
            let manifest = try DriverManifest(DriverPlaces.read(path), path: path)
            self.init(library: manifest.library, entryPoint: manifest.entryPoint, options: options)
        case .profile(let text):
            let name = text.hasPrefix("profile://") ? String(text.dropFirst(10)) : text
            guard let path = places.find(name, "profiles", variable: "ADBC_PROFILE_PATH") else {
                let folders = places.folders("profiles", variable: "ADBC_PROFILE_PATH").joined(separator: ", ")
                throw LakeError(.notFound, "there is no connection profile \(name).toml in \(folders)")
            }
            let profile = try ConnectionProfile(
                DriverPlaces.read(path), path: path, environment: places.environment)
            let driver = DriverReference(profile.driver)
            if case .profile = driver { throw LakeError(.invalidArgument, "\(path): a profile names another profile") }
            try self.init(driver, options: profile.options.merging(options) { $1 }, places: places)
        }
    }

    private init(library: String?, entryPoint: String?, options: [String: String]) {
        self.library = library
        self.entryPoint = entryPoint
        self.options = options
    }
}
