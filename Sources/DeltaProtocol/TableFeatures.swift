// SPDX-License-Identifier: Apache-2.0

/// Which tables can be read and written here; all others are refused by the feature's name (protocol, "Table
/// Features").
package enum DeltaFeatures {
    /// Features of readers that are known. Types that were widened ask only that older files' values are converted,
    /// which every read does.
    package static let readable: Set<String> = [
        "columnMapping", "deletionVectors", "timestampNtz", "typeWidening", "typeWidening-preview", "v2Checkpoint",
        "vacuumProtocolCheck",
    ]
    /// Features of writers that are kept when they are listed; some only until they are in use, see `checkWrite`.
    package static let writable: Set<String> = [
        "appendOnly", "invariants", "checkConstraints", "generatedColumns", "changeDataFeed", "identityColumns",
        "allowColumnDefaults", "columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint",
        "vacuumProtocolCheck", "domainMetadata", "inCommitTimestamp",
    ]
    /// What the writer versions before 7 ask for.
    private static let byWriterVersion: [Int: [String]] = [
        2: ["appendOnly", "invariants"], 3: ["checkConstraints"], 4: ["changeDataFeed", "generatedColumns"],
        5: ["columnMapping"], 6: ["identityColumns"],
    ]

    /// - Throws: `unsupportedReaderFeature` with what is not known; `corruptLog` when lists and versions differ.
    package static func checkRead(_ versions: DeltaProtocolVersions) throws(DeltaError) {
        guard (1...3).contains(versions.minReaderVersion) else {
            throw DeltaError(
                .unsupportedReaderFeature,
                "the table asks for readers of version \(versions.minReaderVersion); known are 1 to 3")
        }
        if versions.minReaderVersion == 3 {
            guard let features = versions.readerFeatures else {
                throw DeltaError(.corruptLog, "the table asks for readers of version 3 and lists no readerFeatures")
            }
            try refuse(features.subtracting(readable), .unsupportedReaderFeature, "readers")
        } else if let features = versions.readerFeatures, !features.isEmpty {
            throw DeltaError(
                .corruptLog, "the table lists readerFeatures with reader version \(versions.minReaderVersion), not 3")
        }
    }

    /// The features that the table has, by list or by version.
    package static func writerFeatures(_ versions: DeltaProtocolVersions) -> Set<String> {
        if versions.minWriterVersion >= 7 { return versions.writerFeatures ?? [] }
        return Set(byWriterVersion.filter { $0.key <= versions.minWriterVersion }.flatMap(\.value))
    }

    /// - Throws: `unsupportedReaderFeature`, `unsupportedWriterFeature` with the feature, column or property at fault.
    package static func checkWrite(
        _ versions: DeltaProtocolVersions, _ metadata: DeltaMetadata, _ schema: DeltaSchema
    ) throws(DeltaError) {
        try checkRead(versions)
        guard (1...7).contains(versions.minWriterVersion) else {
            throw DeltaError(
                .unsupportedWriterFeature,
                "the table asks for writers of version \(versions.minWriterVersion); known are 1 to 7")
        }
        if versions.minWriterVersion == 7, versions.writerFeatures == nil {
            throw DeltaError(.corruptLog, "the table asks for writers of version 7 and lists no writerFeatures")
        }
        let features = writerFeatures(versions)
        try refuse(features.subtracting(writable), .unsupportedWriterFeature, "writers")
        try DeltaProperties.check(metadata.configuration)
        if features.contains("columnMapping"), let mode = metadata.configuration["delta.columnMapping.mode"],
            mode != "none"
        {
            throw DeltaError(
                .unsupportedWriterFeature, "columnMapping (mode \(mode)): tables that map columns are read, not written"
            )
        }
        let refused = [
            ("delta.invariants", "invariants"), ("delta.generationExpression", "generatedColumns"),
            ("delta.identity.start", "identityColumns"), ("CURRENT_DEFAULT", "allowColumnDefaults"),
        ]
        for field in schema.allFields {
            for (key, feature) in refused where field.metadata[key] != nil && features.contains(feature) {
                throw DeltaError(
                    .unsupportedWriterFeature,
                    "\(feature): column \(field.name) has \(key), which is not enforced here, so nothing is written")
            }
        }
        if features.contains("checkConstraints"),
            let key = metadata.configuration.keys.sorted().first(where: { $0.hasPrefix("delta.constraints.") })
        {
            throw DeltaError(
                .unsupportedWriterFeature, "checkConstraints: \(key) is not enforced here, so nothing is written")
        }
        if schema.fields.contains(where: { $0.type.contains { $0 == .timestampNtz } }),
            !features.contains("timestampNtz")
        {
            throw DeltaError(
                .unsupportedWriterFeature,
                "timestampNtz: a column has this type, but the table's protocol does not list it")
        }
    }

    private static func refuse(
        _ unknown: Set<String>, _ code: DeltaError.Code, _ whom: String
    ) throws(DeltaError) {
        guard !unknown.isEmpty else { return }
        let names = unknown.sorted().prefix(16).map { String($0.prefix(64)) }.joined(separator: ", ")
        throw DeltaError(code, "the table asks \(whom) for features that are not known here: \(names)")
    }

    /// The protocol of a new table with these columns.
    package static func forNewTable(_ schema: DeltaSchema, _ configuration: [String: String]) -> DeltaProtocolVersions {
        var writers: Set<String> = []
        var readers: Set<String> = []
        if schema.fields.contains(where: { $0.type.contains { $0 == .timestampNtz } }) {
            readers.insert("timestampNtz")
            writers.insert("timestampNtz")
        }
        if configuration["delta.enableInCommitTimestamps"] == "true" { writers.insert("inCommitTimestamp") }
        guard !writers.isEmpty else { return DeltaProtocolVersions() }
        writers.formUnion(["appendOnly", "invariants"])
        return DeltaProtocolVersions(
            minReaderVersion: readers.isEmpty ? 1 : 3, minWriterVersion: 7,
            readerFeatures: readers.isEmpty ? nil : readers, writerFeatures: writers)
    }
}
