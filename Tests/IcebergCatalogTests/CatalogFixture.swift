// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import IcebergProtocol
import Logging
import Synchronization

@testable import IcebergCatalog

/// A warehouse in memory, that can be told to fail.
final class MemoryStorage: WarehouseStorage {
    private struct State: Sendable {
        var files: [String: (bytes: [UInt8], modified: Int64)] = [:]
        var failure: IcebergError?
    }

    let warehouse: Warehouse
    private let state = Mutex(State())

    init() throws { warehouse = try Warehouse("s3://bucket/lake") }

    var locations: Set<String> { state.withLock { Set($0.files.keys) } }

    /// What writing fails with from now on; nil to let it work.
    func fail(_ failure: IcebergError?) { state.withLock { $0.failure = failure } }

    func put(_ location: String, _ bytes: [UInt8] = [], modified: Int64 = 0) {
        state.withLock { $0.files[location] = (bytes, modified) }
    }

    func prepare() async throws(IcebergError) {}

    func read(_ location: String, maximum: Int) async throws(IcebergError) -> [UInt8]? {
        _ = try warehouse.inner(location)
        return state.withLock { $0.files[location]?.bytes }
    }

    func write(_ location: String, _ bytes: [UInt8]) async throws(IcebergError) {
        _ = try warehouse.inner(location)
        let failure = state.withLock { state in
            if state.failure == nil { state.files[location] = (bytes, 0) }
            return state.failure
        }
        if let failure { throw failure }
    }

    func list(_ folder: String, limit: Int) async throws(IcebergError) -> [(location: String, modified: Int64)] {
        state.withLock { state in
            state.files.filter { $0.key.hasPrefix(folder + "/") }.prefix(limit).map { ($0.key, $0.value.modified) }
        }
    }

    func delete(_ locations: [String]) async throws(IcebergError) {
        state.withLock { state in for location in locations { state.files[location] = nil } }
    }
}

/// A catalog with its file in a folder of its own.
struct CatalogFixture {
    let folder: String
    let storage: MemoryStorage
    let catalog: Catalog

    static func run(_ body: (CatalogFixture) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "apus-catalog-\(RandomID.uuid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let storage = try MemoryStorage()
        let fixture = CatalogFixture(folder: folder, storage: storage, catalog: try await open(folder, storage))
        do {
            try await body(fixture)
        } catch {
            await fixture.catalog.close()
            throw error
        }
        await fixture.catalog.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    static func open(_ folder: String, _ storage: MemoryStorage) async throws -> Catalog {
        var configuration = CatalogConfiguration()
        configuration.orphanAge = .seconds(100)
        configuration.maximumTables = 50
        return try await Catalog.open(
            folder + "/catalog.sqlite", storage: storage, configuration: configuration, logger: Logger(label: "test"),
            clock: { 1_000_000 })
    }

    func namespace(_ levels: String...) async throws -> NamespaceName {
        let name = try NamespaceName(levels)
        _ = try await catalog.createNamespace(CreateNamespaceRequest(["namespace": name.json]))
        return name
    }

    static func creation(_ name: String, _ more: [String: JSONValue] = [:]) throws -> CreateTableRequest {
        let schema: JSONValue = [
            "type": "struct", "fields": [["id": 1, "name": "id", "type": "long", "required": true]],
        ]
        return try CreateTableRequest(
            .object(["name": .string(name), "schema": schema].merging(more) { $1 }))
    }

    /// Sets properties if the property `n` is what it was when the table was loaded.
    static func setting(
        _ properties: [String: String], requirements: [JSONValue] = [], of table: TableName? = nil
    ) throws -> CommitRequest {
        try CommitRequest([
            "identifier": table?.json ?? .null, "requirements": .array(requirements),
            "updates": [["action": "set-properties", "updates": JSONValue(properties)]],
        ])
    }

    /// The error that has to come.
    static func error(_ work: () async throws -> Void) async -> IcebergError.Code? {
        do {
            try await work()
            return nil
        } catch {
            return (error as? IcebergError)?.code
        }
    }
}
