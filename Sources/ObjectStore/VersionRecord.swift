// SPDX-License-Identifier: Apache-2.0

/// Where the bytes of a version or a part are.
enum BodyReference: Equatable, Sendable {
    /// There are none.
    case empty
    /// A row of `bodies`.
    case inline(Int64)
    /// A file, with its checksums in a row of `bodies`.
    case file(Int64)
    /// Parts one after another, in a row of `segments`.
    case segments(Int64)

    func encode(into writer: inout RecordWriter) {
        switch self {
        case .empty: writer.put(0)
        case .inline(let id):
            writer.put(1)
            writer.put(id)
        case .file(let id):
            writer.put(2)
            writer.put(id)
        case .segments(let id):
            writer.put(3)
            writer.put(id)
        }
    }

    init(from reader: inout RecordReader) throws(RecordDamage) {
        switch try reader.integer() {
        case 0: self = .empty
        case 1: self = .inline(try reader.int64())
        case 2: self = .file(try reader.int64())
        case 3: self = .segments(try reader.int64())
        default: throw RecordDamage()
        }
    }
}

/// A row of `versions`: a version of an object, or a delete marker.
struct VersionRecord: Equatable, Sendable {
    /// In the order that they were committed, greater for newer ones; the row has its negative as `age`.
    var sequence: Int64
    var isDeleteMarker = false
    /// Written while the bucket kept no versions: its version is `null`.
    var isNull: Bool
    var modified: Int64
    var size: Int64 = 0
    /// 16 bytes.
    var md5: [UInt8] = []
    var partCount = 0
    var body = BodyReference.empty
    var attributes = ObjectAttributes()

    var versionID: String { isNull ? "null" : VersionID.encode(sequence) }
    var etag: String {
        if md5.isEmpty { return "" }
        return partCount > 0 ? Hex.encode(md5) + "-\(partCount)" : Hex.encode(md5)
    }

    func encode(bucket: Int64, key: String) -> [UInt8] {
        var writer = RecordWriter()
        writer.put((isDeleteMarker ? 1 : 0) | (isNull ? 2 : 0))
        writer.put(modified)
        if !isDeleteMarker {
            writer.put(size)
            writer.append(md5)
            writer.put(partCount)
            body.encode(into: &writer)
        }
        attributes.encode(into: &writer)
        return writer.finish(key.withBytes { RecordPlace.version(bucket, $0, sequence) })
    }

    init(sequence: Int64, isNull: Bool, modified: Int64) {
        self.sequence = sequence
        self.isNull = isNull
        self.modified = modified
    }

    /// Reads a row.
    init(
        _ bytes: UnsafeRawBufferPointer, bucket: Int64, key: UnsafeRawBufferPointer, age: Int64
    ) throws(RecordDamage) {
        guard age < 0, age != Int64.min else { throw RecordDamage() }
        sequence = -age
        var reader = try RecordReader(bytes, place: RecordPlace.version(bucket, key, sequence))
        let flags = try reader.integer()
        guard flags < 4 else { throw RecordDamage() }
        isDeleteMarker = flags & 1 != 0
        isNull = flags & 2 != 0
        modified = try reader.int64()
        if !isDeleteMarker {
            size = try reader.int64()
            md5 = [UInt8](try reader.take(16))
            partCount = try reader.count(atMost: 1 << 20)
            body = try BodyReference(from: &reader)
        }
        attributes = try ObjectAttributes(from: &reader)
        guard reader.isAtEnd, StoredBody.sizes.contains(size) else { throw RecordDamage() }
    }

    func info(key: String, isLatest: Bool) -> ObjectInfo {
        ObjectInfo(
            key: key, size: size, etag: etag, modified: modified, versionID: versionID, isLatest: isLatest,
            isDeleteMarker: isDeleteMarker, partCount: partCount > 0 ? partCount : nil, attributes: attributes)
    }
}

/// Versions and uploads by name: `v` or `u` and sixteen digits after a check of them, so that typing errors are found.
enum VersionID {
    static func encode(_ sequence: Int64) -> String {
        Hex.encode(mix(sequence)) + Hex.encode(sequence)
    }

    /// The sequence; nil for a name that was never given out.
    static func decode(_ text: String) -> Int64? {
        let bytes = text.utf8
        guard bytes.count == 32, let middle = bytes.index(bytes.startIndex, offsetBy: 16, limitedBy: bytes.endIndex),
            let check = Hex.integer(text[..<middle].utf8), let sequence = Hex.integer(text[middle...].utf8),
            sequence > 0, mix(sequence) == check
        else { return nil }
        return sequence
    }

    private static func mix(_ sequence: Int64) -> Int64 {
        var value = UInt64(bitPattern: sequence) &* 0x9E37_79B9_7F4A_7C15
        value ^= value >> 29
        return Int64(bitPattern: (value &* 0xBF58_476D_1CE4_E5B9) & 0x7FFF_FFFF_FFFF_FFFF)
    }
}

/// A part of an object that was uploaded in parts: an entry of a row of `segments`.
struct Segment: Equatable, Sendable {
    var number: Int
    var size: Int64
    var body: BodyReference
    var checksum: ObjectChecksum?

    static func encode(_ segments: [Segment], id: Int64) -> [UInt8] {
        var writer = RecordWriter(capacity: 16 + segments.count * 16)
        writer.put(segments.count)
        for segment in segments {
            writer.put(segment.number)
            writer.put(segment.size)
            segment.body.encode(into: &writer)
            writer.put(segment.checksum == nil ? 0 : 1)
            segment.checksum?.encode(into: &writer)
        }
        return writer.finish(RecordPlace.segments(id))
    }

    static func decode(_ bytes: UnsafeRawBufferPointer, id: Int64) throws(RecordDamage) -> [Segment] {
        var reader = try RecordReader(bytes, place: RecordPlace.segments(id))
        let count = try reader.count(atMost: 1 << 20)
        var segments: [Segment] = []
        for _ in 0..<count {
            var segment = Segment(
                number: try reader.count(), size: try reader.int64(), body: try BodyReference(from: &reader))
            if try reader.integer() == 1 { segment.checksum = try ObjectChecksum(from: &reader) }
            if case .segments = segment.body { throw RecordDamage() }
            guard StoredBody.sizes.contains(segment.size) else { throw RecordDamage() }
            segments.append(segment)
        }
        guard reader.isAtEnd else { throw RecordDamage() }
        return segments
    }
}

/// A row of `parts`.
struct PartRecord: Equatable, Sendable {
    var number: Int
    var size: Int64
    var md5: [UInt8]
    var modified: Int64
    var body: BodyReference
    var checksum: ObjectChecksum?

    func encode(upload: Int64) -> [UInt8] {
        var writer = RecordWriter()
        writer.put(size)
        writer.append(md5)
        writer.put(modified)
        body.encode(into: &writer)
        writer.put(checksum == nil ? 0 : 1)
        checksum?.encode(into: &writer)
        return writer.finish(RecordPlace.part(upload, number))
    }

    init(number: Int, size: Int64, md5: [UInt8], modified: Int64, body: BodyReference, checksum: ObjectChecksum?) {
        self.number = number
        self.size = size
        self.md5 = md5
        self.modified = modified
        self.body = body
        self.checksum = checksum
    }

    init(_ bytes: UnsafeRawBufferPointer, upload: Int64, number: Int) throws(RecordDamage) {
        self.number = number
        var reader = try RecordReader(bytes, place: RecordPlace.part(upload, number))
        size = try reader.int64()
        md5 = [UInt8](try reader.take(16))
        modified = try reader.int64()
        body = try BodyReference(from: &reader)
        checksum = try reader.integer() == 1 ? ObjectChecksum(from: &reader) : nil
        guard reader.isAtEnd, StoredBody.sizes.contains(size) else { throw RecordDamage() }
    }

    var info: PartInfo {
        PartInfo(number: number, size: size, etag: Hex.encode(md5), modified: modified, checksum: checksum)
    }
}

/// A row of `uploads`.
struct UploadRecord: Equatable, Sendable {
    var id: Int64
    var initiated: Int64
    var attributes: ObjectAttributes

    func encode(bucket: Int64, key: String) -> [UInt8] {
        var writer = RecordWriter()
        writer.put(initiated)
        attributes.encode(into: &writer)
        return writer.finish(key.withBytes { RecordPlace.upload(bucket, $0, id) })
    }

    init(id: Int64, initiated: Int64, attributes: ObjectAttributes) {
        self.id = id
        self.initiated = initiated
        self.attributes = attributes
    }

    init(
        _ bytes: UnsafeRawBufferPointer, bucket: Int64, key: UnsafeRawBufferPointer, id: Int64
    ) throws(RecordDamage) {
        self.id = id
        var reader = try RecordReader(bytes, place: RecordPlace.upload(bucket, key, id))
        initiated = try reader.int64()
        attributes = try ObjectAttributes(from: &reader)
        guard reader.isAtEnd else { throw RecordDamage() }
    }

    func info(key: String) -> UploadInfo {
        UploadInfo(id: VersionID.encode(id), key: key, initiated: initiated, attributes: attributes)
    }
}
