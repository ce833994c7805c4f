// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension [Tag] {
    /// One tag of each key: the last value, in the place of the first.
    package var lastOfKeys: [Tag] {
        var places: [String: Int] = [:]
        var result: [Tag] = []
        for tag in self {
            if let place = places[tag.key] {
                result[place] = tag
            } else {
                places[tag.key] = result.count
                result.append(tag)
            }
        }
        return result
    }
}

/// A model of the registry; prompts are such with a tag.
package struct RegisteredModel: Sendable, Hashable {
    package struct Alias: Sendable, Hashable {
        package let alias: String
        package let version: Int64

        package init(_ alias: String, _ version: Int64) {
            self.alias = alias
            self.version = version
        }
    }

    package var name: String
    /// Milliseconds since 1970.
    package var created: Int64
    package var updated: Int64
    package var description: String?
    package var tags: [Tag]
    package var aliases: [Alias]
    /// The newest version of each stage.
    package var latestVersions: [ModelVersion]

    package init(
        name: String, created: Int64, updated: Int64, description: String?, tags: [Tag] = [],
        aliases: [Alias] = [], latestVersions: [ModelVersion] = []
    ) {
        self.name = name
        self.created = created
        self.updated = updated
        self.description = description
        self.tags = tags
        self.aliases = aliases
        self.latestVersions = latestVersions
    }

    /// The wire form (MLflow, RegisteredModel).
    package var json: JSONValue {
        var members: [String: JSONValue] = ["name": .string(name), "creation_timestamp": .int(created)]
        if updated != 0 { members["last_updated_timestamp"] = .int(updated) }
        if let description, !description.isEmpty { members["description"] = .string(description) }
        if !latestVersions.isEmpty { members["latest_versions"] = .array(latestVersions.map(\.json)) }
        if !tags.isEmpty { members["tags"] = .array(tags.map(\.json)) }
        if !aliases.isEmpty {
            members["aliases"] = .array(
                aliases.map { ["alias": .string($0.alias), "version": .string(String($0.version))] })
        }
        return .object(members)
    }
}

/// A version of a registered model.
package struct ModelVersion: Sendable, Hashable {
    package var name: String
    package var version: Int64
    /// Milliseconds since 1970.
    package var created: Int64
    package var updated: Int64
    package var description: String?
    package var stage: String
    package var source: String
    package var runID: String?
    package var runLink: String?
    package var tags: [Tag]
    package var aliases: [String]

    package init(
        name: String, version: Int64, created: Int64, updated: Int64, description: String?, stage: String,
        source: String, runID: String?, runLink: String?, tags: [Tag] = [], aliases: [String] = []
    ) {
        self.name = name
        self.version = version
        self.created = created
        self.updated = updated
        self.description = description
        self.stage = stage
        self.source = source
        self.runID = runID
        self.runLink = runLink
        self.tags = tags
        self.aliases = aliases
    }

    /// The wire form (MLflow, ModelVersion).
    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "name": .string(name), "version": .string(String(version)), "creation_timestamp": .int(created),
            "last_updated_timestamp": .int(updated), "current_stage": .string(stage), "source": .string(source),
            "status": "READY",
        ]
        if let description { members["description"] = .string(description) }
        if let runID { members["run_id"] = .string(runID) }
        if let runLink { members["run_link"] = .string(runLink) }
        if !tags.isEmpty { members["tags"] = .array(tags.map(\.json)) }
        if !aliases.isEmpty { members["aliases"] = .array(aliases.map(JSONValue.string)) }
        return .object(members)
    }
}
