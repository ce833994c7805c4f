// SPDX-License-Identifier: Apache-2.0

/// What makes two file actions speak of the same logical file: its real name and its deletion vector.
package struct DeltaFileKey: Sendable, Hashable {
    /// The decoded path.
    package let path: String
    /// `DeletionVector.uniqueID`; nil for a file without one.
    package let vector: String?

    package init(path: String, vector: String?) {
        self.path = path
        self.vector = vector
    }
}

/// Adds a logical file to the table, or says something new of one that is there (protocol, "Add File").
package struct DeltaAddFile: Sendable, Equatable {
    /// A URI, as the log has it.
    package var path: String
    /// By name of the partition's column; nil is null.
    package var partitionValues: [String: String?]
    /// Bytes.
    package var size: Int64
    /// Milliseconds since 1970.
    package var modificationTime: Int64
    /// Whether rows come to the table by it; false when rows are only moved.
    package var dataChange: Bool
    /// JSON text of `FileStatistics`.
    package var stats: String?
    package var tags: [String: String]?
    package var deletionVector: DeletionVector?
    package var baseRowID: Int64?
    package var defaultRowCommitVersion: Int64?
    package var clusteringProvider: String?
    /// The decoded path.
    package let location: String

    /// The path is a URI.
    ///
    /// - Throws: `corruptLog` when the path is no URI.
    package init(
        path: String, partitionValues: [String: String?] = [:], size: Int64, modificationTime: Int64,
        dataChange: Bool = true, stats: String? = nil, deletionVector: DeletionVector? = nil
    ) throws(DeltaError) {
        location = try DeltaPath.decode(path)
        self.path = path
        self.partitionValues = partitionValues
        self.size = size
        self.modificationTime = modificationTime
        self.dataChange = dataChange
        self.stats = stats
        self.deletionVector = deletionVector
    }

    package var key: DeltaFileKey { DeltaFileKey(path: location, vector: deletionVector?.uniqueID) }

    /// The action that takes this file out of the table.
    package func removal(at time: Int64, dataChange: Bool) throws(DeltaError) -> DeltaRemoveFile {
        var removal = try DeltaRemoveFile(
            path: path, deletionTimestamp: time, dataChange: dataChange, deletionVector: deletionVector)
        removal.partitionValues = partitionValues
        removal.size = size
        removal.extendedFileMetadata = true
        removal.tags = tags
        removal.baseRowID = baseRowID
        removal.defaultRowCommitVersion = defaultRowCommitVersion
        return removal
    }
}

/// Takes a logical file out of the table; kept as a tombstone until vacuum may delete the file (protocol, "Remove
/// File").
package struct DeltaRemoveFile: Sendable, Equatable {
    /// A URI, as the log has it.
    package var path: String
    /// Milliseconds since 1970; missing counts as 0.
    package var deletionTimestamp: Int64?
    package var dataChange: Bool
    /// Whether `partitionValues` and `size` are there.
    package var extendedFileMetadata: Bool?
    package var partitionValues: [String: String?]?
    package var size: Int64?
    package var stats: String?
    package var tags: [String: String]?
    package var deletionVector: DeletionVector?
    package var baseRowID: Int64?
    package var defaultRowCommitVersion: Int64?
    /// The decoded path.
    package let location: String

    /// - Throws: `corruptLog` when the path is no URI.
    package init(
        path: String, deletionTimestamp: Int64?, dataChange: Bool, deletionVector: DeletionVector? = nil
    ) throws(DeltaError) {
        location = try DeltaPath.decode(path)
        self.path = path
        self.deletionTimestamp = deletionTimestamp
        self.dataChange = dataChange
        self.deletionVector = deletionVector
    }

    package var key: DeltaFileKey { DeltaFileKey(path: location, vector: deletionVector?.uniqueID) }
}

/// A file with the rows that a version changed; readers of a table's state have no use for it (protocol, "Add CDC
/// File").
package struct DeltaChangeFile: Sendable, Equatable {
    package var path: String
    package var partitionValues: [String: String?]
    package var size: Int64
    package var tags: [String: String]?
}

/// One part of a checkpoint's file actions (protocol, "Sidecar File Information").
package struct DeltaSidecar: Sendable, Equatable {
    /// A URI: a name in `_delta_log/_sidecars`.
    package var path: String
    package var sizeInBytes: Int64
    package var modificationTime: Int64

    /// The path from the table's root.
    package func location() throws(DeltaError) -> String {
        let name = try DeltaPath.decode(path)
        guard let last = name.split(separator: "/").last else {
            throw DeltaError(.corruptLog, "a sidecar of the checkpoint has the path \"\(path)\"")
        }
        return try DeltaPath.inside("\(DeltaLogName.folder)/_sidecars/" + DeltaPath.encode(String(last)))
    }
}
