// SPDX-License-Identifier: Apache-2.0
import ByteCodes

extension ObjectStore {
    /// What a read of the database found of a body.
    private enum Found: Sendable {
        case bytes([UInt8])
        /// The file of a single body.
        case file(Int64, BodyFile, BlockSums)
        /// The file is not there: it was removed since, or is lost.
        case missing(Int64)
        case segments([Segment], inline: [Int64: [UInt8]])
    }

    private struct Lookup: Sendable {
        var info: ObjectInfo
        var sequence: Int64
        var found: Found
    }

    /// An object and what reads its bytes, which stay readable though the object is deleted or replaced.
    ///
    /// A delete marker that is named has a reader of no bytes.
    package func get(
        bucket: String, key: String, version: String? = nil
    ) async throws(ObjectStoreError) -> (ObjectInfo, ObjectReader) {
        let name = "\(bucket)/\(key)"
        var missing: Int64?
        // An object that is replaced all the time is found after a few tries, or answered as what it was last.
        for _ in 0..<64 {
            let found = try await lookup(bucket, key, version)
            switch found.found {
            case .bytes(let bytes): return (found.info, ObjectReader(bytes))
            case .file(let id, let file, let sums):
                let piece = ReaderPiece(offset: 0, size: found.info.size, source: .file(id))
                return (
                    found.info,
                    ObjectReader([piece], files: files, pinned: [], first: (file, sums), name: name)
                )
            case .missing(let id):
                if missing == id { throw ObjectReader.missing(name, files.path(of: id)) }
                missing = id
            case .segments(let segments, let inline):
                let ids = segments.compactMap { if case .file(let id) = $0.body { id } else { nil } }
                files.pin(ids)
                let reader = ObjectReader(
                    ReaderPiece.pieces(segments, inline), files: files, pinned: ids, first: nil, name: name)
                // Only when it is still there after its files were pinned, none of them can have gone.
                let again: Lookup?
                do throws(ObjectStoreError) { again = try await lookup(bucket, key, version) } catch {
                    guard error.code == .noSuchKey || error.code == .noSuchVersion else { throw error }
                    again = nil
                }
                if again?.sequence == found.sequence { return (found.info, reader) }
            }
        }
        throw ObjectStoreError(.conditionalConflict, "\(name) is replaced too often to be read: try again")
    }

    private func lookup(_ bucket: String, _ key: String, _ version: String?) async throws(ObjectStoreError) -> Lookup {
        let info = try known(bucket)
        let files = files
        return try await readers.read { connection in
            // One snapshot: a body must not be gone when the row that names it is there.
            try connection.snapshot {
                try Self.lookup(connection, files, info, key, version)
            }
        }
    }

    private static func lookup(
        _ connection: SQLConnection, _ files: BodyFiles, _ bucket: BucketInfo, _ key: String, _ version: String?
    ) throws -> Lookup {
        let record = try VersionReading.find(connection, bucket, key, version)
        let isLatest = try isLatest(connection, bucket, key, version, record)
        let name = { "\(bucket.name)/\(key)" }
        var lookup = Lookup(
            info: record.info(key: key, isLatest: isLatest), sequence: record.sequence, found: .bytes([]))
        switch record.body {
        case .empty: break
        case .inline(let id):
            lookup.found = .bytes(try inline(connection, id, size: record.size, name: name))
        case .file(let id):
            lookup.found = .missing(id)
            if let file = try BodyFile(opening: files.path(of: id)) {
                let sums = try ObjectReader.sums(of: file, id: id, size: record.size, name: name())
                lookup.found = .file(id, file, sums)
            }
        case .segments(let id):
            let segments = try VersionReading.segments(connection, id)
            guard segments.reduce(0, { $0 + $1.size }) == record.size else {
                throw ObjectReader.damage(name(), "its parts")
            }
            var bodies: [Int64: [UInt8]] = [:]
            for segment in segments {
                if case .inline(let id) = segment.body {
                    bodies[id] = try inline(connection, id, size: segment.size, name: name)
                }
            }
            lookup.found = .segments(segments, inline: bodies)
        }
        return lookup
    }

    /// The bytes of a row of `bodies`, checked.
    private static func inline(
        _ connection: SQLConnection, _ id: Int64, size: Int64, name: () -> String
    ) throws -> [UInt8] {
        let statement = try connection.prepared(.body).bind(1, id)
        defer { statement.reset() }
        guard try statement.step() else { throw ObjectReader.damage(name(), "its bytes in the row \(id)") }
        let bytes = [UInt8](statement.bytes(2))
        let crc = bytes.withUnsafeBytes { CRC32C.checksum($0) }
        guard statement.integer(0) == size, Int64(bytes.count) == size, statement.integer(1) == Int64(crc) else {
            throw ObjectReader.damage(name(), "its bytes in the row \(id)")
        }
        return bytes
    }
}

extension ReaderPiece {
    static func pieces(_ segments: [Segment], _ inline: [Int64: [UInt8]]) -> [ReaderPiece] {
        var offset: Int64 = 0
        return segments.map { segment in
            defer { offset += segment.size }
            let source: Source =
                switch segment.body {
                case .file(let id): .file(id)
                case .inline(let id): .memory(inline[id] ?? [])
                case .empty, .segments: .memory([])
                }
            return ReaderPiece(offset: offset, size: segment.size, source: source)
        }
    }
}
