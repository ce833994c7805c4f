// SPDX-License-Identifier: Apache-2.0

extension ObjectAttributes {
    /// The fields that most objects lack, each with its bit.
    private static var optional: [WritableKeyPath<ObjectAttributes, String?>] {
        [
            \.contentType, \.cacheControl, \.contentDisposition, \.contentEncoding, \.contentLanguage, \.expires,
            \.websiteRedirect, \.storageClass,
        ]
    }

    func encode(into writer: inout RecordWriter) {
        var present: UInt64 = 0
        for (bit, path) in Self.optional.enumerated() where self[keyPath: path] != nil { present |= 1 << bit }
        if !metadata.isEmpty { present |= 1 << 8 }
        if !tags.isEmpty { present |= 1 << 9 }
        if checksum != nil { present |= 1 << 10 }
        if !owner.isEmpty { present |= 1 << 11 }
        writer.put(present)
        if present & 0xFF != 0 {
            for path in Self.optional { if let value = self[keyPath: path] { writer.put(value) } }
        }
        for fields in [metadata, tags] where !fields.isEmpty {
            writer.put(fields.count)
            for field in fields {
                writer.put(field.name)
                writer.put(field.value)
            }
        }
        if let checksum { checksum.encode(into: &writer) }
        if !owner.isEmpty { writer.put(owner) }
    }

    init(from reader: inout RecordReader) throws(RecordDamage) {
        let present = try reader.integer()
        guard present < 1 << 12 else { throw RecordDamage() }
        self.init()
        if present & 0xFF == 1 {
            contentType = try reader.string()
        } else if present & 0xFF != 0 {
            for (bit, path) in Self.optional.enumerated() where present & (1 << bit) != 0 {
                self[keyPath: path] = try reader.string()
            }
        }
        if present & 1 << 8 != 0 { metadata = try Self.fields(&reader) }
        if present & 1 << 9 != 0 { tags = try Self.fields(&reader) }
        if present & 1 << 10 != 0 { checksum = try ObjectChecksum(from: &reader) }
        if present & 1 << 11 != 0 { owner = try reader.string() }
    }

    private static func fields(_ reader: inout RecordReader) throws(RecordDamage) -> [ObjectField] {
        let count = try reader.count(atMost: 1 << 16)
        var fields: [ObjectField] = []
        for _ in 0..<count { fields.append(ObjectField(try reader.string(), try reader.string())) }
        return fields
    }

    /// Bytes of what is kept, about; bounded by the store.
    var weight: Int {
        var sum = owner.utf8.count + (checksum.map { $0.value.utf8.count + 32 } ?? 0)
        for path in Self.optional { sum += self[keyPath: path]?.utf8.count ?? 0 }
        for field in metadata + tags { sum += field.name.utf8.count + field.value.utf8.count + 2 }
        return sum
    }
}

extension ObjectChecksum {
    func encode(into writer: inout RecordWriter) {
        writer.put(algorithm)
        writer.put(value)
        writer.put(type)
    }

    init(from reader: inout RecordReader) throws(RecordDamage) {
        self.init(algorithm: try reader.string(), value: try reader.string(), type: try reader.string())
    }
}
