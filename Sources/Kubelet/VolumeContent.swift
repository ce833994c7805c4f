// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// What the files of a volume are: configMap, secret, downwardAPI and projected volumes as values.
package struct VolumeContent: Sendable {
    /// Permission bits of files for which the volume says nothing.
    private static let defaultMode = 0o644

    /// Where the values come from.
    package var environment: ContainerEnvironment
    /// Tokens of `serviceAccountToken` sources by their path.
    package var tokens: [String: String]

    package init(environment: ContainerEnvironment, tokens: [String: String] = [:]) {
        self.environment = environment
        self.tokens = tokens
    }

    /// Whether the content of a volume is made by the node agent.
    package static func isMade(_ volume: JSONValue) -> Bool {
        ["configMap", "secret", "downwardAPI", "projected"].contains { !volume[$0].isNull }
    }

    /// The files of one volume (core/v1 Volume), by relative path.
    /// - Throws: ``VolumeError`` when an object or key that is not optional is missing.
    package func files(of volume: JSONValue) throws -> [String: VolumeFile] {
        if !volume["projected"].isNull {
            let mode = volume["projected"]["defaultMode"].int ?? Self.defaultMode
            var files: [String: VolumeFile] = [:]
            for source in volume["projected"]["sources"].elements {
                files.merge(try self.files(ofSource: source, mode: mode)) { _, new in new }
            }
            return files
        }
        let kinds = ["configMap", "secret", "downwardAPI"]
        let mode = kinds.lazy.compactMap { volume[$0]["defaultMode"].int }.first ?? Self.defaultMode
        return try files(ofSource: volume, mode: mode)
    }

    private func files(ofSource source: JSONValue, mode: Int) throws -> [String: VolumeFile] {
        if !source["configMap"].isNull {
            let reference = source["configMap"]
            let name = reference["name"].string ?? ""
            let entries = environment.objects.configMaps[name].map(ReferencedObjects.entries(ofConfigMap:))
            return try select(entries, reference, "configmap \"\(name)\"", mode)
        }
        if !source["secret"].isNull {
            let reference = source["secret"]
            let name = reference["secretName"].string ?? reference["name"].string ?? ""
            let entries = environment.objects.secrets[name].map(ReferencedObjects.entries(ofSecret:))
            return try select(entries, reference, "secret \"\(name)\"", mode)
        }
        if !source["serviceAccountToken"].isNull {
            let path = source["serviceAccountToken"]["path"].string ?? "token"
            guard let token = tokens[path] else { throw VolumeError("no service account token for \"\(path)\"") }
            return [path: VolumeFile(bytes: Array(token.utf8), mode: mode)]
        }
        var files: [String: VolumeFile] = [:]
        for item in source["downwardAPI"]["items"].elements {
            guard let path = item["path"].string else { continue }
            let text =
                item["fieldRef"].isNull
                ? try environment.resource(item["resourceFieldRef"], containers: [])
                : try environment.field(item["fieldRef"]["fieldPath"].string ?? "")
            files[path] = VolumeFile(bytes: Array(text.utf8), mode: item["mode"].int ?? mode)
        }
        return files
    }

    private func select(
        _ entries: [String: [UInt8]]?, _ reference: JSONValue, _ what: String, _ mode: Int
    ) throws -> [String: VolumeFile] {
        // A secret volume says `optional` beside `secretName`, all others beside `name`.
        let isOptional = reference["optional"].bool == true
        guard let entries else {
            if isOptional { return [:] }
            throw VolumeError("\(what) not found")
        }
        let items = reference["items"].elements
        if items.isEmpty { return entries.mapValues { VolumeFile(bytes: $0, mode: mode) } }
        var files: [String: VolumeFile] = [:]
        for item in items {
            let key = item["key"].string ?? ""
            guard let bytes = entries[key] else {
                if isOptional { continue }
                throw VolumeError("references non-existent key \"\(key)\" of \(what)")
            }
            files[item["path"].string ?? key] = VolumeFile(bytes: bytes, mode: item["mode"].int ?? mode)
        }
        return files
    }
}
