// SPDX-License-Identifier: Apache-2.0
import DataFolders
internal import Dispatch
package import Logging

/// Buckets and objects in a folder: what S3 is, without the protocol.
///
/// What is known is in one SQLite file (`objects.sqlite`), with the bodies of small objects; long bodies are files of
/// `data`. Every change is durable when the call that makes it returns, and every read sees all of those. See
/// docs/formats/objects.md.
package final class ObjectStore: Sendable {
    let folder: String
    let configuration: ObjectStoreConfiguration
    let clock: @Sendable () -> Int64
    let files: BodyFiles
    let readers: ReaderPool
    let writer: StoreWriter
    let table: BucketTable
    let usageTable = UsageTable()
    private let lock: FolderLock

    private init(
        folder: String, configuration: ObjectStoreConfiguration, logger: Logger, clock: @escaping @Sendable () -> Int64
    ) throws(ObjectStoreError) {
        do throws(FolderLock.Failure) { lock = try FolderLock(folder) } catch { throw ObjectStoreError(error) }
        do {
            let connection = try SQLConnection(
                path: folder + "/objects.sqlite", cacheKiB: configuration.writerCacheKiB)
            let first = try Schema.prepare(connection, folder: folder, configuration: configuration)
            try Folder.sync(folder)
            table = BucketTable(try BucketRows.load(connection, folder: folder))
            files = try BodyFiles(folder: folder, firstIdentifier: first, configuration: configuration)
            readers = ReaderPool(folder: folder, configuration: configuration)
            writer = StoreWriter(
                connection: connection, files: files, buckets: table, usage: usageTable, configuration: configuration,
                folder: folder, logger: logger)
            try usageTable.start(
                SQLConnection(path: folder + "/objects.sqlite", cacheKiB: configuration.readerCacheKiB)
            ) { error in
                logger.error("the objects could not be counted", metadata: ["error": "\(error)"])
            }
        } catch let error as SQLFailure {
            throw error.error(folder)
        } catch let error as ObjectStoreError {
            throw error
        } catch let error as FileError {
            throw ObjectStoreError(error)
        } catch {
            throw ObjectStoreError(.storage, "\(folder) cannot be opened: \(error)")
        }
        self.folder = folder
        self.configuration = configuration
        self.clock = clock
    }

    /// Opens the store of a folder, which is created where it is missing and locked for this store alone.
    ///
    /// - Parameters:
    ///   - folder: where it is kept.
    ///   - configuration: how it works.
    ///   - logger: for what goes wrong in the background.
    ///   - clock: milliseconds since 1970.
    /// - Returns: the open store.
    /// - Throws: `.locked`, `.unwritable`, `.full`, `.foreign`, `.newerFormat`, `.corrupt` or `.storage`.
    package static func open(
        folder: String, configuration: ObjectStoreConfiguration = .init(), logger: Logger,
        clock: @escaping @Sendable () -> Int64
    ) async throws(ObjectStoreError) -> ObjectStore {
        let answer = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<ObjectStore, ObjectStoreError>, Never>) in
            DispatchQueue(label: "apus.objectstore.open").async {
                do throws(ObjectStoreError) {
                    let store = try ObjectStore(
                        folder: folder, configuration: configuration, logger: logger, clock: clock)
                    continuation.resume(returning: .success(store))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        let store = try answer.get()
        let readers = store.readers
        store.files.startSweep {
            readers.names($0)
        } done: { count in
            if count > 0 { logger.info("files that no object has were removed", metadata: ["files": "\(count)"]) }
        }
        return store
    }

    /// Finishes what was begun, and closes the files. What is asked for later fails with `.closed`.
    package func close() async {
        await usageTable.close()
        await writer.close()
        await files.close()
        await readers.close()
        lock.release()
    }

    /// A new body, which takes bytes as they come.
    ///
    /// - Parameter sha256: whether the SHA-256 of the bytes is computed too.
    /// - Returns: an empty body.
    package func body(sha256: Bool = false) -> ObjectBody {
        ObjectBody(files: files, configuration: configuration, sha256: sha256)
    }

    // MARK: Errors

    static let closed = ObjectStoreError(.closed, "the store of objects is closed")

    static func noSuchBucket(_ name: String) -> ObjectStoreError {
        ObjectStoreError(.noSuchBucket, "there is no bucket \(name)")
    }

    static func noSuchKey(_ bucket: String, _ key: String, marker: String? = nil) -> ObjectStoreError {
        ObjectStoreError(
            .noSuchKey, "there is no object \(bucket)/\(key)", isDeleteMarker: marker != nil, versionID: marker)
    }
}

extension ReaderPool {
    /// Whether a row names the file of a body; on a thread that may block. True where that cannot be said.
    func names(_ id: Int64) -> Bool {
        let answer = readNow { connection in
            let statement = try connection.prepared(.hasFile).bind(1, id)
            defer { statement.reset() }
            return try statement.step()
        }
        return (try? answer.get()) ?? true
    }
}
