// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// A file of statistics of a snapshot, or of its partitions (table specification, "Table Statistics").
package struct StatisticsFile: Sendable, Hashable {
    package var snapshotID: Int64
    /// As it came: the catalog only keeps it.
    let json: JSONValue

    /// - Parameters:
    ///   - value: as it came.
    ///   - path: where it is, for errors.
    ///   - isOfPartitions: whether it has no blobs.
    /// - Throws: where it is none.
    init(_ value: JSONValue, _ path: String, isOfPartitions: Bool) throws(IcebergError) {
        let fields = try JSONFields(value, path)
        snapshotID = try fields.long("snapshot-id")
        guard try fields.string("statistics-path").utf8.count <= IcebergLimits.location,
            try fields.long("file-size-in-bytes") >= 0
        else { throw .bad(path, "statistics-path is too long, or file-size-in-bytes negative") }
        if isOfPartitions {
            try fields.only(["snapshot-id", "statistics-path", "file-size-in-bytes"])
        } else {
            try fields.only([
                "snapshot-id", "statistics-path", "file-size-in-bytes", "file-footer-size-in-bytes", "key-metadata",
                "blob-metadata",
            ])
            guard try fields.long("file-footer-size-in-bytes") >= 0 else {
                throw .bad(path, "file-footer-size-in-bytes is negative")
            }
            _ = try fields.optionalString("key-metadata")
            _ = try fields.each("blob-metadata", limit: 10_000) { value, path throws(IcebergError) in
                let blob = try JSONFields(value, path)
                try blob.only(["type", "snapshot-id", "sequence-number", "fields", "properties"])
                _ = try blob.string("type")
                _ = try blob.long("snapshot-id")
                _ = try blob.long("sequence-number")
                _ = try blob.ints("fields")
                _ = try blob.texts("properties")
            }
        }
        json = value
    }
}
