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

/// What a connection's worker process may take; without it only the engine's own limits hold, which do not count
/// everything: a text or a list that one call makes is outside DuckDB's limit of memory, and such a call is not cut off.
package struct WorkerLimits: Sendable {
    /// Bytes of memory beyond those at its start; an engine that asks for more fails, or its process dies.
    package var memory: Int?
    /// How long after it was told to stop a statement may go on, until its process is killed.
    package var patience: Duration
    /// Bytes of a batch at most; larger ones are cut, and a row that is larger is an error of the code `limit`.
    package var batch: Int

    package init(memory: Int?, patience: Duration = .seconds(2), batch: Int = 16 << 20) {
        self.memory = memory
        self.patience = patience
        self.batch = batch
    }
}

/// An engine, open: where connections come from.
package final class LakeDatabase: Sendable {
    private enum Engine: Sendable {
        case inProcess(ADBCDatabase)
        case worker(WorkerConfiguration)
    }

    private let engine: Engine

    /// The engine's dialect, where there is a prelude for it: drivers are told by their library's name.
    package var dialect: SQLPrelude.Dialect? {
        switch engine {
        case .inProcess: return .duckdb
        case .worker(let configuration):
            let name = configuration.library.split(separator: "/").last ?? ""
            return SQLPrelude.Dialect.allCases.first { name.contains($0.rawValue) }
        }
    }

    private static let queue = DispatchQueue(label: "lake-open", attributes: .concurrent)

    private init(_ engine: Engine) { self.engine = engine }

    /// Opens an engine. `options` are the driver's (`uri`, `username`, …); they win over those of a profile. With limits
    /// each connection of DuckDB is a process and a database of its own too, as those of other drivers are always.
    package static func open(
        _ driver: DriverReference, options: [String: String] = [:], duckdb: DuckDBConfiguration = .init(),
        places: DriverPlaces = .init(), worker: [String]? = nil, limits: WorkerLimits? = nil
    ) async throws(LakeError) -> LakeDatabase {
        let resolved = try await blocking { () throws(LakeError) in
            try ResolvedDriver(driver, options: options, places: places)
        }
        let command = worker ?? WorkerConfiguration.ownCommand
        switch resolved.library {
        case nil:
            if let limits {
                let library = try DuckDB.library()
                var configuration = WorkerConfiguration(
                    command: command, library: library.path, entryPoint: library.entryPoint, options: resolved.options)
                configuration.before = library.before
                if let path = duckdb.path { configuration.options["path"] = path }
                configuration.setup = duckdb.statements
                configuration.limits = limits
                return LakeDatabase(.worker(configuration))
            }
            let database = try await blocking { () throws(LakeError) in
                try DuckDB.open(duckdb, options: resolved.options)
            }
            return LakeDatabase(.inProcess(database))
        case .some(let library):
            var configuration = WorkerConfiguration(
                command: command, library: library, entryPoint: resolved.entryPoint, options: resolved.options)
            configuration.limits = limits
            return LakeDatabase(.worker(configuration))
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
