// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Where the rows are that no longer count in a file (protocol, "Deletion Vectors").
package struct DeletionVector: Sendable, Equatable {
    /// How the vector is stored.
    package enum Storage: String, Sendable, CaseIterable {
        /// In a file of the table, named by a UUID.
        case relative = "u"
        /// In the descriptor itself.
        case inline = "i"
        /// In a file with an absolute path.
        case absolute = "p"
    }

    package var storage: Storage
    /// A prefix and a UUID in base 85; the vector in base 85; or a path.
    package var pathOrInline: String
    /// Bytes from the file's start; not there for vectors stored inline.
    package var offset: Int64?
    package var sizeInBytes: Int64
    /// How many rows do not count.
    package var cardinality: Int64

    /// The largest vector that is read: 64 MiB.
    package static let maximumSize: Int64 = 64 << 20

    package init(
        storage: Storage, pathOrInline: String, offset: Int64? = nil, sizeInBytes: Int64, cardinality: Int64
    ) {
        self.storage = storage
        self.pathOrInline = pathOrInline
        self.offset = offset
        self.sizeInBytes = sizeInBytes
        self.cardinality = cardinality
    }

    init(_ fields: some ActionFields) throws(DeltaError) {
        let type = try fields.string(.storageType)
        guard let storage = Storage(rawValue: type) else {
            throw DeltaError(
                .unsupportedReaderFeature,
                "a deletion vector has the storage type \"\(type.prefix(8))\": known are u, i, p")
        }
        self.storage = storage
        pathOrInline = try fields.string(.pathOrInlineDv)
        offset = try fields.optionalInteger(.offset)
        sizeInBytes = try fields.integer(.sizeInBytes)
        cardinality = try fields.integer(.cardinality)
        guard (0...Self.maximumSize).contains(sizeInBytes), cardinality >= 0, offset ?? 0 >= 0 else {
            throw DeltaError(
                .tooLarge, "a deletion vector has \(sizeInBytes) bytes for \(cardinality) rows at \(offset ?? 0)")
        }
    }

    var json: JSONValue {
        [
            "storageType": .string(storage.rawValue), "pathOrInlineDv": .string(pathOrInline),
            "offset": JSONFields.json(offset), "sizeInBytes": .int(sizeInBytes), "cardinality": .int(cardinality),
        ]
    }

    /// Part of a logical file's key.
    package var uniqueID: String {
        storage.rawValue + pathOrInline + (offset.map { "@\($0)" } ?? "")
    }

    /// The vector's file from the table's root; nil for one stored inline.
    /// - Throws: `corruptLog`; `unsupportedReaderFeature` for absolute paths.
    package func location() throws(DeltaError) -> String? {
        switch storage {
        case .inline: return nil
        case .absolute: return try DeltaPath.inside(pathOrInline)
        case .relative:
            guard pathOrInline.utf8.count >= 20, let bytes = Base85.decode(pathOrInline.suffix(20)), bytes.count == 16
            else {
                throw DeltaError(.corruptLog, "a deletion vector's file is not named by a UUID in base 85")
            }
            let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            var uuid = ""
            for (index, digit) in digits.enumerated() {
                if [8, 12, 16, 20].contains(index) { uuid += "-" }
                uuid.append(digit)
            }
            let prefix = pathOrInline.dropLast(20)
            guard prefix.utf8.allSatisfy({ $0 != UInt8(ascii: "/") && $0 >= 0x20 }), prefix != "..", prefix != "."
            else {
                throw DeltaError(.corruptLog, "a deletion vector's folder is named \"\(prefix.prefix(64))\"")
            }
            return (prefix.isEmpty ? "" : "\(prefix)/") + "deletion_vector_\(uuid).bin"
        }
    }

    /// The numbers of the rows that do not count, ascending. `file` is the vector's file; not used for one stored inline.
    ///
    /// - Throws: `corruptLog` when lengths, checksum, format or the count are not what they should be.
    package func rows(file: [UInt8] = []) throws(DeltaError) -> [Int64] {
        let bitmap: ArraySlice<UInt8>
        if storage == .inline {
            guard var bytes = Base85.decode(pathOrInline), bytes.count >= Int(sizeInBytes) else {
                throw DeltaError(.corruptLog, "an inline deletion vector is not \(sizeInBytes) bytes in base 85")
            }
            bytes.removeLast(bytes.count - Int(sizeInBytes))
            bitmap = bytes[...]
        } else {
            bitmap = try part(of: file)
        }
        var reader = ByteReader(bitmap)
        let rows = try RoaringRows.read(&reader, maximum: cardinality)
        guard rows.count == Int(cardinality) else {
            throw DeltaError(.corruptLog, "a deletion vector has \(rows.count) rows, but says \(cardinality)")
        }
        return rows
    }

    /// Version byte, then for each vector its size, its bytes, their CRC-32 (protocol, "Deletion Vector File Storage
    /// Format").
    private func part(of file: [UInt8]) throws(DeltaError) -> ArraySlice<UInt8> {
        guard file.first == 1 else {
            throw DeltaError(
                .corruptLog, "a file of deletion vectors has format \(file.first.map { String($0) } ?? "none"), not 1")
        }
        let start = Int(offset ?? 1)
        guard start >= 1, file.count >= 8, start <= file.count - 8 - Int(sizeInBytes) else {
            throw DeltaError(
                .corruptLog, "a deletion vector of \(sizeInBytes) bytes at \(start) ends after its file's \(file.count)"
            )
        }
        func big(_ place: Int) -> UInt32 {
            file[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        guard big(start) == UInt32(sizeInBytes) else {
            throw DeltaError(.corruptLog, "a deletion vector's size is \(big(start)), but the log says \(sizeInBytes)")
        }
        let bytes = file[start + 4..<start + 4 + Int(sizeInBytes)]
        guard CRC32.of(bytes) == big(bytes.endIndex) else {
            throw DeltaError(.corruptLog, "a deletion vector at byte \(start) does not match its checksum")
        }
        return bytes
    }
}
