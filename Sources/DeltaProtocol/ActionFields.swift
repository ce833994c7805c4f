// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Members that actions have in commits and checkpoints. Named as they are there.
package enum ActionMember: Int, Sendable, CaseIterable {
    // Files.
    case path, partitionValues, size, modificationTime, dataChange, stats, tags, deletionVector, baseRowId
    case defaultRowCommitVersion, clusteringProvider, deletionTimestamp, extendedFileMetadata, sizeInBytes
    // Deletion vectors.
    case storageType, pathOrInlineDv, offset, cardinality
    // Metadata.
    case id, name, description, format, schemaString, partitionColumns, configuration, createdTime, provider, options
    // The protocol, transactions, domains, the version of a checkpoint.
    case minReaderVersion, minWriterVersion, readerFeatures, writerFeatures, appId, version, lastUpdated, domain
    case removed

    private static let names = allCases.map { "\($0)" }

    /// As it stands in JSON.
    package var text: String { Self.names[rawValue] }

    /// Nil for a name that is not known.
    package init?(text: String) {
        guard let index = Self.names.firstIndex(of: text) else { return nil }
        self = Self.allCases[index]
    }
}

/// The members of an action, by type. Null and missing are the same; members that are not asked for are ignored.
///
/// An action is read in one way, whether it is a line of JSON or a row of typed columns.
package protocol ActionFields {
    /// For messages: the action's kind.
    var action: String { get }
    /// - Throws: `corruptLog` for a member of another type; so do the others.
    func optionalString(_ member: ActionMember) throws(DeltaError) -> String?
    func optionalInteger(_ member: ActionMember) throws(DeltaError) -> Int64?
    func optionalBool(_ member: ActionMember) throws(DeltaError) -> Bool?
    func optionalArray(_ member: ActionMember) throws(DeltaError) -> [String]?
    func nullableStrings(_ member: ActionMember) throws(DeltaError) -> [String: String?]?
    /// The members of a member.
    func optionalFields(_ member: ActionMember) throws(DeltaError) -> Self?
}

extension ActionFields {
    func missing(_ member: ActionMember) -> DeltaError {
        DeltaError(.corruptLog, "an action \"\(action.prefix(64))\" has no \"\(member.text)\"")
    }

    /// What to throw for a member of another type.
    package func wrong(_ member: ActionMember, _ expected: String, _ actual: String) -> DeltaError {
        DeltaError(
            .corruptLog,
            "\"\(member.text)\" of an action \"\(action.prefix(64))\" must be \(expected), not \(actual)")
    }

    func string(_ member: ActionMember) throws(DeltaError) -> String {
        guard let text = try optionalString(member) else { throw missing(member) }
        return text
    }

    func integer(_ member: ActionMember) throws(DeltaError) -> Int64 {
        guard let number = try optionalInteger(member) else { throw missing(member) }
        return number
    }

    func bool(_ member: ActionMember) throws(DeltaError) -> Bool {
        guard let flag = try optionalBool(member) else { throw missing(member) }
        return flag
    }

    /// Members that are null are left out.
    func optionalStrings(_ member: ActionMember) throws(DeltaError) -> [String: String]? {
        try nullableStrings(member)?.compactMapValues { $0 }
    }

    func optionalVector(_ member: ActionMember) throws(DeltaError) -> DeletionVector? {
        guard let fields = try optionalFields(member) else { return nil }
        return try DeletionVector(fields)
    }
}

/// Members of an object of JSON.
struct JSONFields: ActionFields {
    let action: String
    let content: JSONValue

    func optionalString(_ member: ActionMember) throws(DeltaError) -> String? {
        let value = content[member.text]
        if value.isNull { return nil }
        guard let text = value.string else { throw wrong(member, "a string", value.typeName) }
        return text
    }

    func optionalInteger(_ member: ActionMember) throws(DeltaError) -> Int64? {
        let value = content[member.text]
        if value.isNull { return nil }
        guard let number = value.int else { throw wrong(member, "an integer", value.typeName) }
        return Int64(number)
    }

    func optionalBool(_ member: ActionMember) throws(DeltaError) -> Bool? {
        let value = content[member.text]
        if value.isNull { return nil }
        guard let flag = value.bool else { throw wrong(member, "true or false", value.typeName) }
        return flag
    }

    func optionalArray(_ member: ActionMember) throws(DeltaError) -> [String]? {
        let value = content[member.text]
        if value.isNull { return nil }
        guard let elements = value.array else { throw wrong(member, "an array of strings", value.typeName) }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string else { throw wrong(member, "an array of strings", element.typeName) }
            texts.append(text)
        }
        return texts
    }

    func nullableStrings(_ member: ActionMember) throws(DeltaError) -> [String: String?]? {
        let value = content[member.text]
        if value.isNull { return nil }
        guard let members = value.object else { throw wrong(member, "an object of strings", value.typeName) }
        var texts: [String: String?] = [:]
        for (key, value) in members {
            guard value.isNull || value.string != nil else {
                throw wrong(member, "an object of strings", value.typeName)
            }
            texts.updateValue(value.string, forKey: key)
        }
        return texts
    }

    func optionalFields(_ member: ActionMember) throws(DeltaError) -> JSONFields? {
        let value = content[member.text]
        return value.isNull ? nil : JSONFields(action: "\(action).\(member.text)", content: value)
    }

    static func json(_ value: Int64?) -> JSONValue { value.map { .int($0) } ?? .null }
    static func json(_ value: [String: String]?) -> JSONValue { value.map { JSONValue($0) } ?? .null }
    /// Nulls stay.
    static func json(_ value: [String: String?]?) -> JSONValue {
        value.map { .object($0.mapValues { JSONValue($0) }) } ?? .null
    }
}

extension DeltaProtocolVersions {
    init(_ fields: some ActionFields) throws(DeltaError) {
        minReaderVersion = Int(clamping: try fields.integer(.minReaderVersion))
        minWriterVersion = Int(clamping: try fields.integer(.minWriterVersion))
        readerFeatures = try fields.optionalArray(.readerFeatures).map(Set.init)
        writerFeatures = try fields.optionalArray(.writerFeatures).map(Set.init)
    }

    var json: JSONValue {
        [
            "minReaderVersion": JSONValue(minReaderVersion), "minWriterVersion": JSONValue(minWriterVersion),
            "readerFeatures": readerFeatures.map { JSONValue($0.sorted()) } ?? .null,
            "writerFeatures": writerFeatures.map { JSONValue($0.sorted()) } ?? .null,
        ]
    }
}

extension DeltaMetadata {
    init(_ fields: some ActionFields) throws(DeltaError) {
        let format = try fields.optionalFields(.format)
        self.init(
            id: try fields.string(.id), name: try fields.optionalString(.name),
            description: try fields.optionalString(.description), schemaString: try fields.string(.schemaString),
            partitionColumns: try fields.optionalArray(.partitionColumns) ?? [],
            configuration: try fields.optionalStrings(.configuration) ?? [:],
            createdTime: try fields.optionalInteger(.createdTime))
        provider = try format?.optionalString(.provider) ?? "parquet"
        formatOptions = try format?.optionalStrings(.options) ?? [:]
    }

    var json: JSONValue {
        [
            "id": .string(id), "name": JSONValue(name), "description": JSONValue(description),
            "format": ["provider": .string(provider), "options": JSONValue(formatOptions)],
            "schemaString": .string(schemaString), "partitionColumns": JSONValue(partitionColumns),
            "configuration": JSONValue(configuration), "createdTime": JSONFields.json(createdTime),
        ]
    }
}

extension DeltaAddFile {
    init(_ fields: some ActionFields) throws(DeltaError) {
        try self.init(
            path: try fields.string(.path), partitionValues: try fields.nullableStrings(.partitionValues) ?? [:],
            size: try fields.integer(.size), modificationTime: try fields.integer(.modificationTime),
            dataChange: try fields.bool(.dataChange), stats: try fields.optionalString(.stats),
            deletionVector: try fields.optionalVector(.deletionVector))
        tags = try fields.optionalStrings(.tags)
        baseRowID = try fields.optionalInteger(.baseRowId)
        defaultRowCommitVersion = try fields.optionalInteger(.defaultRowCommitVersion)
        clusteringProvider = try fields.optionalString(.clusteringProvider)
    }

    var json: JSONValue {
        [
            "path": .string(path), "partitionValues": JSONFields.json(partitionValues), "size": .int(size),
            "modificationTime": .int(modificationTime), "dataChange": .bool(dataChange), "stats": JSONValue(stats),
            "tags": JSONFields.json(tags), "deletionVector": deletionVector?.json ?? .null,
            "baseRowId": JSONFields.json(baseRowID),
            "defaultRowCommitVersion": JSONFields.json(defaultRowCommitVersion),
            "clusteringProvider": JSONValue(clusteringProvider),
        ]
    }
}

extension DeltaRemoveFile {
    init(_ fields: some ActionFields) throws(DeltaError) {
        try self.init(
            path: try fields.string(.path), deletionTimestamp: try fields.optionalInteger(.deletionTimestamp),
            dataChange: try fields.bool(.dataChange), deletionVector: try fields.optionalVector(.deletionVector))
        extendedFileMetadata = try fields.optionalBool(.extendedFileMetadata)
        partitionValues = try fields.nullableStrings(.partitionValues)
        size = try fields.optionalInteger(.size)
        stats = try fields.optionalString(.stats)
        tags = try fields.optionalStrings(.tags)
        baseRowID = try fields.optionalInteger(.baseRowId)
        defaultRowCommitVersion = try fields.optionalInteger(.defaultRowCommitVersion)
    }

    var json: JSONValue {
        [
            "path": .string(path), "deletionTimestamp": JSONFields.json(deletionTimestamp),
            "dataChange": .bool(dataChange), "extendedFileMetadata": extendedFileMetadata.map { .bool($0) } ?? .null,
            "partitionValues": JSONFields.json(partitionValues), "size": JSONFields.json(size),
            "stats": JSONValue(stats), "tags": JSONFields.json(tags), "deletionVector": deletionVector?.json ?? .null,
            "baseRowId": JSONFields.json(baseRowID),
            "defaultRowCommitVersion": JSONFields.json(defaultRowCommitVersion),
        ]
    }
}
