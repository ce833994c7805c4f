// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// One change of a table's state: a line of a commit, or a row of a checkpoint.
package enum DeltaAction: Sendable, Equatable {
    case commitInfo(DeltaCommitInfo)
    case protocolVersions(DeltaProtocolVersions)
    case metadata(DeltaMetadata)
    case add(DeltaAddFile)
    case remove(DeltaRemoveFile)
    case change(DeltaChangeFile)
    case transaction(DeltaAppTransaction)
    case domain(DeltaDomain)
    /// The version of a checkpoint of the second kind.
    case checkpointMetadata(Int64)
    case sidecar(DeltaSidecar)
    /// Not known here; readers ignore such ("Protocol Evolution").
    case unknown(String)
}

extension DeltaAction {
    private static let names: Set<String> = [
        "commitInfo", "protocol", "metaData", "add", "remove", "cdc", "txn", "domainMetadata", "checkpointMetadata",
        "sidecar",
    ]

    /// Reads one object with one member that is not null.
    /// - Throws: `corruptLog` with what is missing or of another type.
    package init(json: JSONValue) throws(DeltaError) {
        guard let members = json.object else {
            throw DeltaError(.corruptLog, "an action must be a JSON object, not \(json.typeName)")
        }
        let present = members.filter { !$0.value.isNull }
        // Members that are not known may stand beside one that is ("Protocol Evolution").
        let known = present.filter { Self.names.contains($0.key) }
        guard known.count <= 1, let (name, content) = known.first ?? present.first else {
            throw DeltaError(
                .corruptLog, "an action must have one member, not \(known.keys.sorted())")
        }
        if name == "commitInfo" {
            self = .commitInfo(DeltaCommitInfo(content))
        } else {
            try self.init(JSONFields(action: name, content: content))
        }
    }

    /// Reads the members of an action of the kind `fields.action`.
    /// - Throws: `corruptLog` with what is missing or of another type.
    package init(_ fields: some ActionFields) throws(DeltaError) {
        switch fields.action {
        case "protocol": self = .protocolVersions(try DeltaProtocolVersions(fields))
        case "metaData": self = .metadata(try DeltaMetadata(fields))
        case "add": self = .add(try DeltaAddFile(fields))
        case "remove": self = .remove(try DeltaRemoveFile(fields))
        case "cdc":
            self = .change(
                DeltaChangeFile(
                    path: try fields.string(.path),
                    partitionValues: try fields.nullableStrings(.partitionValues) ?? [:],
                    size: try fields.integer(.size), tags: try fields.optionalStrings(.tags)))
        case "txn":
            self = .transaction(
                DeltaAppTransaction(
                    appID: try fields.string(.appId), version: try fields.integer(.version),
                    lastUpdated: try fields.optionalInteger(.lastUpdated)))
        case "domainMetadata":
            self = .domain(
                DeltaDomain(
                    domain: try fields.string(.domain), configuration: try fields.string(.configuration),
                    removed: try fields.optionalBool(.removed) ?? false))
        case "checkpointMetadata": self = .checkpointMetadata(try fields.integer(.version))
        case "sidecar":
            self = .sidecar(
                DeltaSidecar(
                    path: try fields.string(.path), sizeInBytes: try fields.integer(.sizeInBytes),
                    modificationTime: try fields.optionalInteger(.modificationTime) ?? 0))
        default: self = .unknown(fields.action)
        }
    }

    /// The action as a line of a commit has it; nil for one that is not known.
    package var json: JSONValue? {
        switch self {
        case .commitInfo(let info): ["commitInfo": info.content.isNull ? .object([:]) : info.content]
        case .protocolVersions(let versions): ["protocol": versions.json]
        case .metadata(let metadata): ["metaData": metadata.json]
        case .add(let file): ["add": file.json]
        case .remove(let file): ["remove": file.json]
        case .change(let file):
            [
                "cdc": [
                    "path": .string(file.path), "partitionValues": JSONFields.json(file.partitionValues),
                    "size": .int(file.size), "dataChange": false, "tags": JSONFields.json(file.tags),
                ]
            ]
        case .transaction(let transaction):
            [
                "txn": [
                    "appId": .string(transaction.appID), "version": .int(transaction.version),
                    "lastUpdated": JSONFields.json(transaction.lastUpdated),
                ]
            ]
        case .domain(let domain):
            [
                "domainMetadata": [
                    "domain": .string(domain.domain), "configuration": .string(domain.configuration),
                    "removed": .bool(domain.removed),
                ]
            ]
        case .checkpointMetadata(let version): ["checkpointMetadata": ["version": .int(version)]]
        case .sidecar(let sidecar):
            [
                "sidecar": [
                    "path": .string(sidecar.path), "sizeInBytes": .int(sidecar.sizeInBytes),
                    "modificationTime": .int(sidecar.modificationTime),
                ]
            ]
        case .unknown: nil
        }
    }
}
