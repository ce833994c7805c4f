// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import IcebergProtocol
package import Logging
import Synchronization

/// A catalog of Iceberg tables: namespaces, and which file of metadata counts for which table.
///
/// A commit reads that file, checks what is required, writes another and makes it the one that counts, if the first
/// still is. Files of metadata are written by nobody else.
package final class Catalog: Sendable {
    let configuration: CatalogConfiguration
    let store: CatalogStore
    let storage: any WarehouseStorage
    let cache: MetadataCache
    let memory: DocumentMemory
    let locks = TableLocks()
    let counts = CatalogCounts()
    let logger: Logger
    /// Milliseconds since 1970.
    let clock: @Sendable () -> Int64
    /// Files that a commit has written or is about to write.
    let unfinished = Mutex<Set<String>>([])

    var warehouse: Warehouse { storage.warehouse }

    private init(
        _ store: CatalogStore, _ storage: any WarehouseStorage, _ configuration: CatalogConfiguration, _ logger: Logger,
        _ clock: @escaping @Sendable () -> Int64
    ) {
        self.store = store
        self.storage = storage
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
        cache = MetadataCache(limit: configuration.cacheBytes)
        memory = DocumentMemory(bytes: configuration.bodyMemoryBytes, large: 2)
    }

    /// Opens the catalog of a file, or makes it.
    /// - Parameters:
    ///   - path: the SQLite file.
    ///   - storage: where tables are.
    ///   - configuration: limits, settings of clients.
    ///   - logger: for what fails.
    ///   - clock: milliseconds since 1970.
    /// - Returns: the catalog.
    /// - Throws: where the file cannot be used.
    package static func open(
        _ path: String, storage: any WarehouseStorage, configuration: CatalogConfiguration, logger: Logger,
        clock: @escaping @Sendable () -> Int64 = { Timestamp.now().nanoseconds / 1_000_000 }
    ) async throws(IcebergError) -> Catalog {
        let store = try await CatalogStore.open(path, logger: logger)
        return Catalog(store, storage, configuration, logger, clock)
    }

    /// Closes the file; what is asked later is refused.
    package func close() async { await store.close() }

    // MARK: Namespaces

    func createNamespace(_ request: CreateNamespaceRequest) async throws(IcebergError) -> JSONValue {
        guard store.state.namespaces.count < configuration.maximumNamespaces else {
            throw IcebergError(
                .forbidden, "there are \(configuration.maximumNamespaces) namespaces, and no more are taken")
        }
        try await store.commit(.createNamespace(request.name, request.properties))
        return ["namespace": request.name.json, "properties": JSONValue(request.properties)]
    }

    func loadNamespace(_ name: NamespaceName) throws(IcebergError) -> JSONValue {
        let found = try store.state.namespace(name)
        return ["namespace": name.json, "properties": JSONValue(found.properties)]
    }

    func updateNamespace(
        _ name: NamespaceName, _ request: UpdateNamespaceRequest
    ) async throws(IcebergError) -> JSONValue {
        let before = try await store.commit(.updateNamespace(name, request))
        return try request.apply(before).answer
    }

    func dropNamespace(_ name: NamespaceName) async throws(IcebergError) {
        try await store.commit(.dropNamespace(name))
    }

    // MARK: Tables

    /// A table as it is now.
    func load(_ name: TableName) async throws(IcebergError) -> LoadedTable {
        var misses = 0
        while true {
            let location = try store.state.table(name).metadataLocation
            if let loaded = try await file(location) { return loaded }
            // Another commit may have come, and its cleaning too.
            misses += 1
            let now = try store.state.table(name).metadataLocation
            guard misses < 10, now != location else {
                throw IcebergError(
                    .notFound, "\(name): its file of metadata \(location) is not there: was it deleted by hand?")
            }
        }
    }

    /// A file of metadata; nil where there is none.
    func file(_ location: String) async throws(IcebergError) -> LoadedTable? {
        if let cached = cache[location] { return cached }
        guard let bytes = try await storage.read(location, maximum: configuration.maximumMetadataBytes) else {
            return nil
        }
        let metadata = try await memory.understanding(bytes.count) { () throws(IcebergError) in
            try Self.metadata(bytes, location)
        }
        let loaded = LoadedTable(metadataLocation: location, metadata: metadata, bytes: bytes)
        cache.put(loaded)
        return loaded
    }

    private static func metadata(_ bytes: [UInt8], _ location: String) throws(IcebergError) -> TableMetadata {
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONParser.parse(bytes)
        } catch {
            throw IcebergError(.validation, "\(location) is no file of metadata: \(error)")
        }
        do throws(IcebergError) {
            return try TableMetadata(json)
        } catch {
            throw IcebergError(
                error.code == .unsupported ? .unsupported : .validation, "\(location): \(error.description)")
        }
    }

    /// Creates a table, or prepares one that a commit will create.
    func create(
        _ namespace: NamespaceName, _ request: CreateTableRequest
    ) async throws(IcebergError) -> LoadedTable {
        let name = try TableName(namespace, request.name)
        let uuid = RandomID.uuid()
        let location = request.location.map(Self.withoutSlash) ?? warehouse.place(of: name, uuid: uuid)
        let metadata = try request.metadata(uuid: uuid, location: location, now: clock())
        try check(metadata, before: nil)
        guard try store.state.entry(name) == nil else {
            throw IcebergError(.alreadyExists, "the table \(name) is there already")
        }
        try store.state.checkFree(location, except: nil)
        try checkRoom()
        if request.isStaged {
            return LoadedTable(metadataLocation: nil, metadata: metadata, bytes: metadata.json().encoded)
        }
        return try await locks.holding([name]) { () async throws(IcebergError) in
            // Of two that come at the same time, the second says what it would have said a little later.
            guard try store.state.entry(name) == nil else {
                throw IcebergError(.alreadyExists, "the table \(name) is there already")
            }
            let change = Prepared(name: name, base: nil, next: metadata, number: 0)
            guard let loaded = try await publish([change]).first else { throw CatalogChange.moved(name) }
            return loaded
        }
    }

    /// Takes up a table whose files are there already.
    func register(
        _ namespace: NamespaceName, _ request: RegisterTableRequest
    ) async throws(IcebergError) -> LoadedTable {
        let name = try TableName(namespace, request.name)
        _ = try warehouse.inner(request.metadataLocation)
        if request.metadataLocation.contains(".gz.metadata.json") || request.metadataLocation.hasSuffix(".gz") {
            throw IcebergError(.unsupported, "compressed files of metadata are not read by this catalog")
        }
        let old = try store.state.entry(name)
        guard old == nil || request.overwrite else {
            throw IcebergError(.alreadyExists, "the table \(name) is there already")
        }
        guard let loaded = try await file(request.metadataLocation) else {
            throw IcebergError(.notFound, "there is no file \(request.metadataLocation)")
        }
        try check(loaded.metadata, before: nil)
        let swap = CatalogChange.Swap(
            table: name, expected: old?.metadataLocation, metadataLocation: request.metadataLocation,
            uuid: loaded.metadata.uuid, location: Self.withoutSlash(loaded.metadata.location),
            files: (loaded.metadata.metadataLog.map(\.file) + [request.metadataLocation]).filter {
                Warehouse.isOwnMetadata($0)
            })
        if old == nil { try checkRoom() }
        try await store.commit(.swap([swap]))
        return loaded
    }

    /// Drops a table; with `purges` its files are deleted too, a little later.
    func drop(_ name: TableName, purges: Bool) async throws(IcebergError) {
        while true {
            let entry = try store.state.table(name)
            if purges, let loaded = try await file(entry.metadataLocation),
                loaded.metadata.properties["gc.enabled"]?.lowercased() == "false"
            {
                throw IcebergError(.validation, "\(name) cannot be purged: its property gc.enabled is false")
            }
            do throws(IcebergError) {
                try await store.commit(.dropTable(name, expected: entry.metadataLocation, purges: purges))
            } catch {
                if error == CatalogChange.moved(name) { continue }
                throw error
            }
            cache.remove(entry.metadataLocation)
            return
        }
    }

    func rename(_ request: RenameTableRequest) async throws(IcebergError) {
        try await store.commit(.renameTable(request.source, request.destination))
    }

    // MARK: Checks

    static func withoutSlash(_ path: String) -> String {
        var path = path
        while path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
        return path
    }

    func checkRoom() throws(IcebergError) {
        guard store.state.tableCount < configuration.maximumTables else {
            throw IcebergError(.forbidden, "there are \(configuration.maximumTables) tables, and no more are taken")
        }
    }

    /// Places of a table must be in the warehouse, and its metadata in the table's own place.
    func check(_ metadata: TableMetadata, before: TableMetadata?) throws(IcebergError) {
        if metadata.location != before?.location { _ = try warehouse.inner(Self.withoutSlash(metadata.location)) }
        let folder = metadata.metadataFolder
        if folder != before?.metadataFolder {
            let place = Self.withoutSlash(metadata.location) + "/"
            guard folder.utf8.starts(with: place.utf8) else {
                throw IcebergError(.forbidden, "write.metadata.path must be within the table's location \(place)")
            }
            _ = try warehouse.inner(folder)
        }
    }
}
