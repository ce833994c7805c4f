// SPDX-License-Identifier: Apache-2.0
import ApusCore
import IcebergProtocol
import Logging
import Synchronization

/// A view with its file of metadata.
struct LoadedView: Sendable {
    let metadataLocation: String
    let metadata: ViewMetadata

    /// `LoadViewResult`.
    var json: JSONValue {
        ["metadata-location": .string(metadataLocation), "metadata": metadata.json, "config": .object([:])]
    }
}

/// Views are kept as tables are: which file of metadata counts is in the catalog's own file, the file in the warehouse.
extension Catalog {
    /// How often a view is read again that others change at the same time.
    private static let viewAttempts = 20

    /// A view as it is now.
    func loadView(_ name: TableName) async throws(IcebergError) -> LoadedView {
        for _ in 0..<Self.viewAttempts {
            let location = try store.state.view(name).metadataLocation
            if let bytes = try await storage.read(location, maximum: configuration.maximumMetadataBytes) {
                let metadata = try await memory.understanding(bytes.count) { () throws(IcebergError) in
                    try Self.viewMetadata(bytes, location)
                }
                return LoadedView(metadataLocation: location, metadata: metadata)
            }
            guard try store.state.view(name).metadataLocation != location else {
                throw IcebergError(
                    .notFound, "\(name): its file of metadata \(location) is not there: was it deleted by hand?")
            }
        }
        throw CatalogChange.moved(name)
    }

    private static func viewMetadata(_ bytes: [UInt8], _ location: String) throws(IcebergError) -> ViewMetadata {
        do {
            return try ViewMetadata(try JSONParser.parse(bytes))
        } catch {
            throw IcebergError(.validation, "\(location) is no file of a view's metadata: \(error)")
        }
    }

    func createView(_ namespace: NamespaceName, _ request: CreateViewRequest) async throws(IcebergError) -> LoadedView {
        let name = try TableName(namespace, request.name)
        let uuid = RandomID.uuid()
        let location = request.location.map(Self.withoutSlash) ?? warehouse.place(of: name, uuid: uuid)
        let metadata = try request.metadata(uuid: uuid, location: location, now: clock())
        try store.state.checkFree(name)
        guard store.state.viewCount < configuration.maximumTables else {
            throw IcebergError(.forbidden, "there are \(configuration.maximumTables) views, and no more are taken")
        }
        return try await publish(name, metadata, after: nil)
    }

    /// Changes a view; the answer is how it is then.
    func commitView(_ name: TableName, _ request: CommitViewRequest) async throws(IcebergError) -> LoadedView {
        if let other = request.view, other != name {
            throw IcebergError(.badRequest, "identifier is \(other), and the path says \(name)")
        }
        return try await locks.holding([name]) { () async throws(IcebergError) in
            let base = try await loadView(name)
            let next = try request.apply(to: base.metadata, name: name.description, now: clock())
            return next == base.metadata ? base : try await publish(name, next, after: base)
        }
    }

    /// Writes a file of metadata and makes it the one that counts.
    private func publish(
        _ name: TableName, _ metadata: ViewMetadata, after base: LoadedView?
    ) async throws(IcebergError) -> LoadedView {
        let place = Self.withoutSlash(metadata.location)
        _ = try warehouse.inner(place)
        try store.state.checkFree(place, except: base == nil ? nil : try store.state.view(name).id)
        let number = base.flatMap { TableMetadata.fileNumber($0.metadataLocation) }.map { $0 + 1 } ?? 0
        let file = "\(place)/metadata/" + Warehouse.metadataName(number: number, uuid: RandomID.uuid())
        let bytes = metadata.json.encoded
        guard bytes.count <= configuration.maximumMetadataBytes else {
            throw IcebergError(
                .validation,
                "\(name): its metadata would have \(bytes.count) bytes, at most \(configuration.maximumMetadataBytes) "
                    + "are kept: lower version.history.num-entries")
        }
        let swap = CatalogChange.Swap(
            table: name, expected: base?.metadataLocation, metadataLocation: file, uuid: metadata.uuid,
            location: place, files: [file])
        unfinished.withLock { _ = $0.insert(file) }
        defer { unfinished.withLock { _ = $0.remove(file) } }
        do throws(IcebergError) {
            try await storage.write(file, bytes)
            try await store.commit(.putView(swap))
        } catch {
            // What may count after all is left.
            if error.code != .commitStateUnknown {
                do throws(IcebergError) { try await storage.delete([file]) } catch {
                    logger.warning("a file of a failed commit is left", metadata: ["error": "\(error)"])
                }
            }
            throw error
        }
        return LoadedView(metadataLocation: file, metadata: metadata)
    }

    /// Drops a view; its file is deleted a little later.
    func dropView(_ name: TableName) async throws(IcebergError) {
        for _ in 0..<Self.viewAttempts {
            let entry = try store.state.view(name)
            do throws(IcebergError) {
                return try await dropView(name, entry)
            } catch {
                if error != CatalogChange.moved(name) { throw error }
            }
        }
        throw CatalogChange.moved(name)
    }

    private func dropView(_ name: TableName, _ entry: TableEntry) async throws(IcebergError) {
        try await store.commit(.dropView(name, expected: entry.metadataLocation))
    }

    func renameView(_ request: RenameTableRequest) async throws(IcebergError) {
        try await store.commit(.renameView(request.source, request.destination))
    }
}
