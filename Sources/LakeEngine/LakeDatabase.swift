// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// Which driver to use.
package enum DriverReference: Hashable, Sendable {
    /// DuckDB in this process, locked down.
    case duckdb
    /// A library, and its entry point where it is not the usual one; in a worker process.
    case path(String, entryPoint: String? = nil)
    /// `NAME.toml` where ADBC's convention puts driver manifests; in a worker process.
    case manifest(String)
    /// A connection profile: `profile://NAME`, or NAME; it names a driver and options.
    case profile(String)

    /// What a person writes: `duckdb`, `profile://NAME`, a path (with a slash), else a manifest's name.
    package init(_ text: String) {
        if text == "duckdb" {
            self = .duckdb
        } else if text.hasPrefix("profile://") {
            self = .profile(text)
        } else if text.hasSuffix(".so") {
            self = .path(text)
        } else {
            self = .manifest(text)
        }
    }
}

/// An engine, open: where connections come from.
package final class LakeDatabase: Sendable {
    private enum Engine: Sendable {
        case inProcess(ADBCDatabase)
        case worker(WorkerConfiguration)
    }

    private let engine: Engine
    private static let queue = DispatchQueue(label: "lake-open", attributes: .concurrent)

    private init(_ engine: Engine) { self.engine = engine }

    /// Opens an engine. `options` are the driver's (`uri`, `username`, …); they win over those of a profile.
    package static func open(
        _ driver: DriverReference, options: [String: String] = [:], duckdb: DuckDBConfiguration = .init(),
        places: DriverPlaces = .init(), worker: [String]? = nil
    ) async throws(LakeError) -> LakeDatabase {
        let resolved = try await blocking { () throws(LakeError) in
            try ResolvedDriver(driver, options: options, places: places)
        }
        switch resolved.library {
        case nil:
            let database = try await blocking { () throws(LakeError) in
                try DuckDB.open(duckdb, options: resolved.options)
            }
            return LakeDatabase(.inProcess(database))
        case .some(let library):
            return LakeDatabase(
                .worker(
                    WorkerConfiguration(
                        command: worker ?? WorkerConfiguration.ownCommand, library: library,
                        entryPoint: resolved.entryPoint, options: resolved.options)))
        }
    }

    /// A new connection; each can run one statement at a time.
    package func connect(options: [String: String] = [:]) async throws(LakeError) -> LakeConnection {
        switch engine {
        case .inProcess(let database):
            let session = try await Self.blocking { () throws(LakeError) in try database.connect(options: options) }
            return LakeConnection(session)
        case .worker(let configuration):
            let session = try await Self.blocking { () throws(LakeError) in
                try WorkerSession(configuration, connectionOptions: options)
            }
            return LakeConnection(session)
        }
    }

    /// Runs a call that blocks on a thread of its own.
    private static func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws(LakeError) -> Value)
        async throws(LakeError) -> Value
    {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, LakeError>, Never>) in
            queue.async { continuation.resume(returning: Result { () throws(LakeError) in try body() }) }
        }
        return try result.get()
    }
}
