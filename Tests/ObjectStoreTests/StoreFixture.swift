// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Logging
import Synchronization

@testable import ObjectStore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A store in a folder of its own, with a clock that stands still until it is moved.
final class StoreFixture: Sendable {
    let folder: String
    let time = Atomic<Int64>(1_700_000_000_000)
    let logger: Logger

    init() throws {
        var template = Array("/tmp/apus-objectstore-XXXXXX".utf8CString)
        folder = try template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let path = mkdtemp(base) else {
                throw ObjectStoreError(FileError("create", "/tmp"))
            }
            return String(cString: path)
        }
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        self.logger = logger
    }

    deinit { removeTree(folder) }

    /// Opens the store; parts may be small unless said otherwise.
    func open(
        at path: String? = nil, _ configure: (inout ObjectStoreConfiguration) -> Void = { _ in }
    ) async throws -> ObjectStore {
        var configuration = ObjectStoreConfiguration()
        configuration.minimumPartBytes = 1000
        configure(&configuration)
        return try await ObjectStore.open(
            folder: path ?? folder + "/store", configuration: configuration, logger: logger,
            clock: { [self] in time.load(ordering: .relaxed) })
    }

    /// The paths of the files of long bodies.
    func bodyFiles(at path: String? = nil) -> [String] {
        let data = (path ?? folder + "/store") + "/data"
        return ((try? Folder.names(in: data)) ?? []).flatMap { sub in
            ((try? Folder.names(in: data + "/" + sub)) ?? []).map { data + "/" + sub + "/" + $0 }
        }
    }
}

extension ObjectStore {
    func maintain(
        rules: [String: [LifecycleRule]], now: Int64
    ) async throws(ObjectStoreError) -> MaintenanceReport {
        try await maintain(now: now) { rules[$0.name] ?? [] }
    }
}

/// Removes a folder with all that is in it.
func removeTree(_ path: String) {
    for name in (try? Folder.names(in: path)) ?? [] {
        let child = path + "/" + name
        var status = stat()
        if lstat(child, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { removeTree(child) } else { unlink(child) }
    }
    rmdir(path)
}

/// Bytes that depend on a seed, and do not repeat soon.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        for index in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            buffer[index] = UInt8(truncatingIfNeeded: state >> 56)
        }
        initialized = count
    }
}

/// Reads a file as a whole.
func contents(_ path: String) throws -> [UInt8] {
    guard let file = try BodyFile(opening: path) else { throw ObjectStoreError(FileError("open", path)) }
    var status = stat()
    guard stat(path, &status) == 0 else { throw ObjectStoreError(FileError("stat", path)) }
    return try file.read(at: 0, count: Int(status.st_size))
}

/// Writes a file as a whole.
func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
    let bytes = Array(bytes)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw ObjectStoreError(FileError("open", path)) }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
        throw ObjectStoreError(FileError("write", path))
    }
}

/// Turns a bit of a file.
func flip(_ path: String, at position: Int) throws {
    let descriptor = open(path, O_RDWR)
    guard descriptor >= 0 else { throw ObjectStoreError(FileError("open", path)) }
    defer { close(descriptor) }
    var byte: UInt8 = 0
    guard pread(descriptor, &byte, 1, off_t(position)) == 1 else { throw ObjectStoreError(FileError("read", path)) }
    byte ^= 0x10
    guard pwrite(descriptor, &byte, 1, off_t(position)) == 1 else { throw ObjectStoreError(FileError("write", path)) }
}

extension ObjectStore {
    /// A finished body, written in pieces of some bytes.
    func stored(_ bytes: [UInt8], pieces: Int = 64 << 10) async throws -> StoredBody {
        let body = body()
        var index = 0
        while index < bytes.count {
            let end = min(index + pieces, bytes.count)
            try await body.write(bytes[index..<end])
            index = end
        }
        return try await body.finish()
    }

    @discardableResult
    func put(
        _ bytes: [UInt8], to key: String, in bucket: String = "b", condition: WriteCondition? = nil,
        _ attributes: ObjectAttributes = ObjectAttributes()
    ) async throws -> ObjectInfo {
        try await put(stored(bytes), attributes, bucket: bucket, key: key, condition: condition)
    }

    @discardableResult
    func put(_ text: String, to key: String, in bucket: String = "b") async throws -> ObjectInfo {
        try await put(Array(text.utf8), to: key, in: bucket)
    }

    /// Returns when the files of all that was removed, refused or let go of have gone.
    func settled() async throws {
        // The writer holds what it was given until it takes the next.
        try await writer.commit { _ in }
        await files.settled()
    }

    /// All bytes of an object, or of a range of it.
    func bytes(
        _ key: String, in bucket: String = "b", version: String? = nil, _ range: Range<Int64>? = nil,
        maximum: Int = 1 << 20
    ) async throws -> [UInt8] {
        let (info, reader) = try await get(bucket: bucket, key: key, version: version)
        return try await reader.all(range ?? 0..<info.size, maximum: maximum)
    }

    func text(_ key: String, in bucket: String = "b", version: String? = nil) async throws -> String {
        String(decoding: try await bytes(key, in: bucket, version: version), as: UTF8.self)
    }

    /// All keys, page by page.
    func keys(_ query: ListQuery = ListQuery(), in bucket: String = "b") async throws -> [String] {
        var query = query
        var keys: [String] = []
        while true {
            let page = try await list(bucket: bucket, query)
            keys += (page.objects.map(\.key) + page.prefixes).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            guard let next = page.next else { return keys }
            query.after = next
        }
    }
}

extension ObjectReader {
    /// All bytes of a range.
    func all(_ range: Range<Int64>, maximum: Int = 1 << 20) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        var from = range.lowerBound
        while from < range.upperBound {
            let chunk = try await read(from..<range.upperBound, maximum: maximum)
            if chunk.isEmpty { break }
            bytes += chunk
            from += Int64(chunk.count)
        }
        return bytes
    }
}

/// The code of the error that something throws; nil when it throws none.
func code(_ body: () async throws -> Void) async -> ObjectStoreError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? ObjectStoreError)?.code
    }
}
