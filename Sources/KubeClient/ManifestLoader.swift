// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
package import KubeAPI
import YAMLFormat

/// Why manifests cannot be read.
package struct ManifestError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
}

/// Reads objects from YAML or JSON files, folders, and simple kustomizations.
package enum ManifestLoader {
    private static let extensions = [".yaml", ".yml", ".json"]

    /// Objects of a file, or of all manifests in a folder in the order of their names.
    package static func objects(at path: String) throws(ManifestError) -> [KubeObject] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ManifestError(description: "the path \"\(path)\" does not exist")
        }
        guard isFolder.boolValue else {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw ManifestError(description: "\(path) cannot be read")
            }
            return try objects(in: String(decoding: data, as: UTF8.self), source: path)
        }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
        var found: [KubeObject] = []
        for name in names where extensions.contains(where: name.hasSuffix) && name != "kustomization.yaml" {
            found += try objects(at: "\(path)/\(name)")
        }
        return found
    }

    /// Objects in a text; `List`s are opened.
    package static func objects(in text: String, source: String) throws(ManifestError) -> [KubeObject] {
        let documents: [JSONValue]
        do {
            documents = try YAMLDocuments.parse(text)
        } catch {
            throw ManifestError(description: "error parsing \(source): \(error)")
        }
        var objects: [KubeObject] = []
        for document in documents {
            for json in document["kind"].string == "List" ? document["items"].elements : [document] {
                guard let kind = json["kind"].string, let version = json["apiVersion"].string, !kind.isEmpty,
                    !version.isEmpty
                else {
                    throw ManifestError(description: "error validating \(source): apiVersion or kind is not set")
                }
                objects.append(KubeObject(json))
            }
        }
        return objects
    }

    /// Objects of a folder with a `kustomization.yaml` that has only `resources` and `namespace`.
    ///
    /// Anything else in it is refused by name: `kubectl apply -k` does the whole of Kustomize.
    package static func kustomization(at folder: String) throws(ManifestError) -> [KubeObject] {
        let file = "\(folder)/kustomization.yaml"
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ManifestError(description: "no kustomization.yaml in \(folder)")
        }
        let text = String(decoding: data, as: UTF8.self)
        let content: JSONValue
        do {
            content = try YAMLDocuments.parse(text).first ?? .null
        } catch {
            throw ManifestError(description: "error parsing \(file): \(error)")
        }
        let known: Set = ["apiVersion", "kind", "resources", "namespace"]
        if let other = content.members.keys.sorted().first(where: { !known.contains($0) }) {
            throw ManifestError(
                description: "\(file): '\(other)' is not supported here: use 'kubectl apply -k \(folder)'")
        }
        var objects: [KubeObject] = []
        for resource in content["resources"].elements.compactMap(\.string) {
            let path = "\(folder)/\(resource)"
            let isKustomization = FileManager.default.fileExists(atPath: "\(path)/kustomization.yaml")
            objects += try isKustomization ? kustomization(at: path) : self.objects(at: path)
        }
        guard let namespace = content["namespace"].string else { return objects }
        return objects.map { object in
            var object = object
            if object.kind != "Namespace" { object.namespace = namespace }
            return object
        }
    }
}
