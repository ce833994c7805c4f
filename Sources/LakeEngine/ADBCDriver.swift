// SPDX-License-Identifier: Apache-2.0
import CADBC
import Foundation
import Synchronization

/// A driver's library, loaded and its table of functions filled in: once a process, never unloaded (drivers have
/// threads, and Go's run time cannot be unloaded).
///
/// Sendable although it holds a pointer: the table is written by the entry point before the object is shared, and
/// only read after that.
final class ADBCDriver: @unchecked Sendable {
    let table: UnsafeMutablePointer<AdbcDriver>
    let path: String

    private static let loaded = Mutex<[String: ADBCDriver]>([:])

    private init(table: UnsafeMutablePointer<AdbcDriver>, path: String) {
        self.table = table
        self.path = path
    }

    /// The driver of a library; libraries in `before` are loaded first, their symbols open to those that follow.
    static func load(path: String, entryPoint: String?, before: [String] = []) throws(LakeError) -> ADBCDriver {
        let key = path + "\0" + (entryPoint ?? "")
        let result: Result<ADBCDriver, LakeError> = loaded.withLock { loaded in
            if let driver = loaded[key] { return .success(driver) }
            do throws(LakeError) {
                let driver = try loadAnew(path: path, entryPoint: entryPoint, before: before)
                loaded[key] = driver
                return .success(driver)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    private static func loadAnew(path: String, entryPoint: String?, before: [String]) throws(LakeError) -> ADBCDriver {
        for library in before where dlopen(library, RTLD_NOW | RTLD_GLOBAL) == nil {
            throw LakeError(.driver, "the library \(library) cannot be loaded: \(Self.loaderMessage())")
        }
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw LakeError(.driver, "the driver \(path) cannot be loaded: \(Self.loaderMessage())")
        }
        let names = entryPoint.map { [$0] } ?? [Self.defaultEntryPoint(path: path), "AdbcDriverInit"]
        guard let symbol = names.lazy.compactMap({ dlsym(handle, $0) }).first else {
            throw LakeError(
                .driver,
                "the driver \(path) has no entry point \(names.joined(separator: " or ")): name it in its manifest")
        }
        typealias EntryPoint =
            @convention(c) (CInt, UnsafeMutableRawPointer?, UnsafeMutablePointer<AdbcError>?) -> UInt8
        let entry = unsafeBitCast(symbol, to: EntryPoint.self)
        let table = UnsafeMutablePointer<AdbcDriver>.allocate(capacity: 1)
        table.initialize(to: AdbcDriver())
        var failure: LakeError?
        // Drivers of 1.0 refuse the newer version; the table's newer members then stay null.
        for version in [APUS_ADBC_VERSION_1_1, APUS_ADBC_VERSION_1_0] {
            let scope = ErrorScope()
            let status = entry(CInt(version), table, scope.pointer)
            if status == 0 { return ADBCDriver(table: table, path: path) }
            if failure == nil { failure = scope.error(status, doing: "loading the driver \(path)") }
        }
        table.deallocate()
        throw failure ?? LakeError(.driver, "the driver \(path) does not start")
    }

    private static func loaderMessage() -> String { dlerror().map { String(cString: $0) } ?? "no reason given" }

    /// The driver manager's convention: libadbc_driver_sqlite.so has AdbcDriverSqliteInit.
    static func defaultEntryPoint(path: String) -> String {
        var name = path.split(separator: "/").last.map(String.init) ?? path
        if name.hasPrefix("lib") { name = String(name.dropFirst(3)) }
        if let dot = name.firstIndex(of: ".") { name = String(name[..<dot]) }
        let words = name.split { !$0.isLetter && !$0.isNumber }
        let camel = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return (camel.hasPrefix("Adbc") ? camel : "AdbcDriver" + camel) + "Init"
    }
}

/// An ADBC error to be filled in by one call, and released after it.
final class ErrorScope {
    let pointer: UnsafeMutablePointer<AdbcError>

    init() {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: AdbcError())
        // "We know the fields of 1.1" (ADBC 1.1, "AdbcError").
        pointer.pointee.vendor_code = Int32.min
    }

    deinit {
        pointer.pointee.release?(pointer)
        pointer.deallocate()
    }

    func error(_ status: UInt8, doing what: String) -> LakeError { Self.error(pointer.pointee, status, doing: what) }

    static func error(_ error: AdbcError, _ status: UInt8, doing what: String) -> LakeError {
        let message = error.message.map { String(cString: $0) } ?? "\(what) failed with ADBC status \(status)"
        let state = withUnsafeBytes(of: error.sqlstate) { bytes in
            bytes.contains(0) ? nil : String(decoding: bytes, as: UTF8.self)
        }
        let vendor = error.vendor_code == Int32.min || error.vendor_code == 0 ? nil : error.vendor_code
        return ErrorNormaliser.error(status: status, message: message, sqlState: state, vendorCode: vendor)
    }
}

/// A database of a driver, open.
///
/// Sendable although it holds a pointer: it is initialised before it is shared, and connections are made from it, and
/// it is released, under a lock.
final class ADBCDatabase: @unchecked Sendable {
    let driver: ADBCDriver
    private let database: UnsafeMutablePointer<AdbcDatabase>
    private let lock = Mutex(())

    init(_ driver: ADBCDriver, options: [String: String]) throws(LakeError) {
        self.driver = driver
        database = .allocate(capacity: 1)
        database.initialize(to: AdbcDatabase())
        let scope = ErrorScope()
        var status = driver.table.pointee.DatabaseNew?(database, scope.pointer) ?? 2
        guard status == 0 else { throw scope.error(status, doing: "making a database") }
        for (name, value) in options.sorted(by: { $0.key < $1.key }) {
            status = driver.table.pointee.DatabaseSetOption?(database, name, value, scope.pointer) ?? 2
            guard status == 0 else { throw scope.error(status, doing: "setting the option \(name)") }
        }
        status = driver.table.pointee.DatabaseInit?(database, scope.pointer) ?? 2
        guard status == 0 else { throw scope.error(status, doing: "opening the database") }
    }

    // Also runs where the initialiser throws.
    deinit {
        let scope = ErrorScope()
        _ = driver.table.pointee.DatabaseRelease?(database, scope.pointer)
        database.deallocate()
    }

    /// A new connection; blocks.
    func connect(options: [String: String] = [:]) throws(LakeError) -> ADBCSession {
        let connection = UnsafeMutablePointer<AdbcConnection>.allocate(capacity: 1)
        connection.initialize(to: AdbcConnection())
        let result: Result<Void, LakeError> = lock.withLock { _ in
            let table = driver.table.pointee
            var scope = ErrorScope()
            var status = table.ConnectionNew?(connection, scope.pointer) ?? 2
            guard status == 0 else { return .failure(scope.error(status, doing: "making a connection")) }
            for (name, value) in options.sorted(by: { $0.key < $1.key }) where status == 0 {
                scope = ErrorScope()
                status = table.ConnectionSetOption?(connection, name, value, scope.pointer) ?? 2
            }
            if status == 0 {
                scope = ErrorScope()
                status = table.ConnectionInit?(connection, database, scope.pointer) ?? 2
            }
            guard status == 0 else {
                let error = scope.error(status, doing: "connecting")
                _ = table.ConnectionRelease?(connection, ErrorScope().pointer)
                return .failure(error)
            }
            return .success(())
        }
        do { try result.get() } catch {
            connection.deallocate()
            throw error
        }
        return ADBCSession(self, connection)
    }
}
