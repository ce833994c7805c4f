// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The members of an action, by type. Null and missing are the same; members that are not asked for are ignored.
struct ActionFields {
    let action: String
    let content: JSONValue

    init(action: String, content: JSONValue) {
        self.action = action
        self.content = content
    }

    private func wrong(_ name: String, _ expected: String, _ value: JSONValue) -> DeltaError {
        DeltaError(
            .corruptLog,
            value.isNull
                ? "an action \"\(action.prefix(64))\" has no \"\(name)\""
                : "\"\(name)\" of an action \"\(action.prefix(64))\" must be \(expected), not \(value.typeName)")
    }

    func optionalString(_ name: String) throws(DeltaError) -> String? {
        let value = content[name]
        if value.isNull { return nil }
        guard let text = value.string else { throw wrong(name, "a string", value) }
        return text
    }

    func string(_ name: String) throws(DeltaError) -> String {
        guard let text = try optionalString(name) else { throw wrong(name, "a string", .null) }
        return text
    }

    func optionalInteger(_ name: String) throws(DeltaError) -> Int64? {
        let value = content[name]
        if value.isNull { return nil }
        guard let number = value.int else { throw wrong(name, "an integer", value) }
        return Int64(number)
    }

    func integer(_ name: String) throws(DeltaError) -> Int64 {
        guard let number = try optionalInteger(name) else { throw wrong(name, "an integer", .null) }
        return number
    }

    func optionalBool(_ name: String) throws(DeltaError) -> Bool? {
        let value = content[name]
        if value.isNull { return nil }
        guard let flag = value.bool else { throw wrong(name, "true or false", value) }
        return flag
    }

    func bool(_ name: String) throws(DeltaError) -> Bool {
        guard let flag = try optionalBool(name) else { throw wrong(name, "true or false", .null) }
        return flag
    }

    func optionalArray(_ name: String) throws(DeltaError) -> [String]? {
        let value = content[name]
        if value.isNull { return nil }
        guard let elements = value.array else { throw wrong(name, "an array of strings", value) }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string else { throw wrong(name, "an array of strings", element) }
            texts.append(text)
        }
        return texts
    }

    func nullableStrings(_ name: String) throws(DeltaError) -> [String: String?]? {
        let value = content[name]
        if value.isNull { return nil }
        guard let members = value.object else { throw wrong(name, "an object of strings", value) }
        var texts: [String: String?] = [:]
        for (key, member) in members {
            guard member.isNull || member.string != nil else { throw wrong(name, "an object of strings", member) }
            texts.updateValue(member.string, forKey: key)
        }
        return texts
    }

    /// Members that are null are left out.
    func optionalStrings(_ name: String) throws(DeltaError) -> [String: String]? {
        try nullableStrings(name)?.compactMapValues { $0 }
    }

    func optionalVector(_ name: String) throws(DeltaError) -> DeletionVector? {
        let value = content[name]
        return value.isNull ? nil : try DeletionVector(ActionFields(action: "\(action).\(name)", content: value))
    }

    static func json(_ value: Int64?) -> JSONValue { value.map { .int($0) } ?? .null }
    static func json(_ value: [String: String]?) -> JSONValue { value.map { JSONValue($0) } ?? .null }
    /// Nulls stay.
    static func json(_ value: [String: String?]?) -> JSONValue {
        value.map { .object($0.mapValues { JSONValue($0) }) } ?? .null
    }
}

extension DeltaProtocolVersions {
    init(_ fields: ActionFields) throws(DeltaError) {
        minReaderVersion = Int(clamping: try fields.integer("minReaderVersion"))
        minWriterVersion = Int(clamping: try fields.integer("minWriterVersion"))
        readerFeatures = try fields.optionalArray("readerFeatures").map(Set.init)
        writerFeatures = try fields.optionalArray("writerFeatures").map(Set.init)
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
    init(_ fields: ActionFields) throws(DeltaError) {
        let format = ActionFields(action: "metaData.format", content: fields.content["format"])
        self.init(
            id: try fields.string("id"), name: try fields.optionalString("name"),
            description: try fields.optionalString("description"), schemaString: try fields.string("schemaString"),
            partitionColumns: try fields.optionalArray("partitionColumns") ?? [],
            configuration: try fields.optionalStrings("configuration") ?? [:],
            createdTime: try fields.optionalInteger("createdTime"))
        provider = try format.optionalString("provider") ?? "parquet"
        formatOptions = try format.optionalStrings("options") ?? [:]
    }

    var json: JSONValue {
        [
            "id": .string(id), "name": JSONValue(name), "description": JSONValue(description),
            "format": ["provider": .string(provider), "options": JSONValue(formatOptions)],
            "schemaString": .string(schemaString), "partitionColumns": JSONValue(partitionColumns),
            "configuration": JSONValue(configuration), "createdTime": ActionFields.json(createdTime),
        ]
    }
}

extension DeltaAddFile {
    init(_ fields: ActionFields) throws(DeltaError) {
        try self.init(
            path: try fields.string("path"), partitionValues: try fields.nullableStrings("partitionValues") ?? [:],
            size: try fields.integer("size"), modificationTime: try fields.integer("modificationTime"),
            dataChange: try fields.bool("dataChange"), stats: try fields.optionalString("stats"),
            deletionVector: try fields.optionalVector("deletionVector"))
        tags = try fields.optionalStrings("tags")
        baseRowID = try fields.optionalInteger("baseRowId")
        defaultRowCommitVersion = try fields.optionalInteger("defaultRowCommitVersion")
        clusteringProvider = try fields.optionalString("clusteringProvider")
    }

    var json: JSONValue {
        [
            "path": .string(path), "partitionValues": ActionFields.json(partitionValues), "size": .int(size),
            "modificationTime": .int(modificationTime), "dataChange": .bool(dataChange), "stats": JSONValue(stats),
            "tags": ActionFields.json(tags), "deletionVector": deletionVector?.json ?? .null,
            "baseRowId": ActionFields.json(baseRowID),
            "defaultRowCommitVersion": ActionFields.json(defaultRowCommitVersion),
            "clusteringProvider": JSONValue(clusteringProvider),
        ]
    }
}

extension DeltaRemoveFile {
    init(_ fields: ActionFields) throws(DeltaError) {
        try self.init(
            path: try fields.string("path"), deletionTimestamp: try fields.optionalInteger("deletionTimestamp"),
            dataChange: try fields.bool("dataChange"), deletionVector: try fields.optionalVector("deletionVector"))
        extendedFileMetadata = try fields.optionalBool("extendedFileMetadata")
        partitionValues = try fields.nullableStrings("partitionValues")
        size = try fields.optionalInteger("size")
        stats = try fields.optionalString("stats")
        tags = try fields.optionalStrings("tags")
        baseRowID = try fields.optionalInteger("baseRowId")
        defaultRowCommitVersion = try fields.optionalInteger("defaultRowCommitVersion")
    }

    var json: JSONValue {
        [
            "path": .string(path), "deletionTimestamp": ActionFields.json(deletionTimestamp),
            "dataChange": .bool(dataChange), "extendedFileMetadata": extendedFileMetadata.map { .bool($0) } ?? .null,
            "partitionValues": ActionFields.json(partitionValues), "size": ActionFields.json(size),
            "stats": JSONValue(stats), "tags": ActionFields.json(tags), "deletionVector": deletionVector?.json ?? .null,
            "baseRowId": ActionFields.json(baseRowID),
            "defaultRowCommitVersion": ActionFields.json(defaultRowCommitVersion),
        ]
    }
}
