// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The OpenAPI documents that clients read: which fields there are, how lists merge, which parameters requests take.
///
/// Source: OpenAPI 3.0.0 and 2.0 with Kubernetes' `x-kubernetes-…` extensions. The documents of the built-in types
/// have no descriptions. Building one takes milliseconds: keep what you built.
package struct OpenAPI: Sendable {
    /// A resource that the server serves.
    package struct Resource: Sendable {
        package var resource: KubeResource
        /// For example `status` and `scale`.
        package var subresources: [String]
        /// The type of a kind that is not built in.
        package var custom: CustomKind?
        /// Whether its objects can only be read.
        package var isReadOnly: Bool

        package init(
            _ resource: KubeResource, subresources: [String] = [], custom: CustomKind? = nil, isReadOnly: Bool = false
        ) {
            self.resource = resource
            self.subresources = subresources
            self.custom = custom
            self.isReadOnly = isReadOnly
        }
    }

    /// The type of a kind that the built-in schema does not have.
    package struct CustomKind: Sendable {
        /// The name under which it is published.
        package var typeName: String
        package var listKind: String
        /// The definition: (version of OpenAPI, reference to meta/v1 ObjectMeta).
        package var definition: @Sendable (Version, String) -> JSONValue

        package init(
            typeName: String, listKind: String, definition: @escaping @Sendable (Version, String) -> JSONValue
        ) {
            self.typeName = typeName
            self.listKind = listKind
            self.definition = definition
        }
    }

    /// Which version of OpenAPI is written.
    package enum Version: Sendable { case v2, v3 }

    let schema: Schema
    let version: Version
    /// `v1.36.0`.
    let serverVersion: String

    /// The index at `/openapi/v3`: relative URLs of the documents by path (`apis/apps/v1`), with hashes so that
    /// clients may cache them.
    package static func v3Index(_ hashes: [String: String]) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for (path, hash) in hashes {
            paths[path] = ["serverRelativeURL": .string("/openapi/v3/\(path)?hash=\(hash)")]
        }
        return ["paths": .object(paths)]
    }

    /// The document of one group version, at `/openapi/v3/apis/GROUP/VERSION` or `/openapi/v3/api/v1`.
    ///
    /// - Parameters:
    ///   - resources: the resources of that group version.
    ///   - serverVersion: as `/version` says (`v1.36.0`).
    ///   - schema: where the types are.
    /// - Returns: the document as JSON.
    package static func v3Document(_ resources: [Resource], serverVersion: String, schema: Schema = .builtIn)
        -> JSONValue
    {
        let writer = OpenAPI(schema: schema, version: .v3, serverVersion: serverVersion)
        let securitySchemes: JSONValue = [
            "BearerToken": [
                "description": "Bearer Token authentication", "type": "apiKey", "name": "authorization", "in": "header",
            ]
        ]
        return [
            "openapi": "3.0.0", "info": writer.info, "paths": writer.paths(resources),
            "components": [
                "schemas": .object(writer.definitions(of: resources)), "securitySchemes": securitySchemes,
            ],
        ]
    }

    /// The document of all group versions, at `/openapi/v2`.
    package static func v2Document(_ resources: [Resource], serverVersion: String, schema: Schema = .builtIn)
        -> JSONValue
    {
        let writer = OpenAPI(schema: schema, version: .v2, serverVersion: serverVersion)
        return [
            "swagger": "2.0", "info": writer.info, "paths": writer.paths(resources),
            "definitions": .object(writer.definitions(of: resources)),
        ]
    }

    /// The name under which a type is published: `core.v1.Pod` is `io.k8s.api.core.v1.Pod`.
    package static func publishedName(_ name: String) -> String {
        name.hasPrefix("meta.") ? "io.k8s.apimachinery.pkg.apis.\(name)" : "io.k8s.api.\(name)"
    }

    private var info: JSONValue { ["title": "Kubernetes", "version": .string(serverVersion)] }

    /// A reference to a published type.
    func reference(_ publishedName: String) -> String {
        (version == .v3 ? "#/components/schemas/" : "#/definitions/") + publishedName
    }

    // MARK: Paths

    private func paths(_ resources: [Resource]) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for served in resources {
            let resource = served.resource
            let kind = GroupVersionKind(group: resource.group, version: resource.version, kind: resource.kind)
            let typeName: String
            let listName: String
            if let custom = served.custom {
                typeName = custom.typeName
                listName = custom.listName
            } else if let type = schema.type(kind) {
                typeName = Self.publishedName(type.name)
                listName = schema.type(named: type.name + "List") == nil ? typeName : typeName + "List"
            } else {
                continue
            }
            let scope = resource.isNamespaced ? "/namespaces/{namespace}" : ""
            let collection = "\(resource.apiPath)\(scope)/\(resource.plural)"
            let pathParameters = resource.isNamespaced ? ["namespace"] : []
            var collectionItem = pathItem(pathParameters)
            collectionItem["get"] = operation("list", kind, answer: listName)
            if !served.isReadOnly {
                collectionItem["post"] = operation("post", kind, answer: typeName, body: typeName)
                collectionItem["delete"] = operation("deletecollection", kind, answer: Self.statusName)
            }
            paths[collection] = collectionItem
            if resource.isNamespaced {
                var everywhere = pathItem([])
                everywhere["get"] = operation("list", kind, answer: listName)
                paths["\(resource.apiPath)/\(resource.plural)"] = everywhere
            }
            let isCustom = served.custom != nil
            var item = itemPath(kind, typeName, pathParameters + ["name"], isCustom: isCustom)
            if served.isReadOnly {
                item["put"] = .null
                item["patch"] = .null
                paths["\(collection)/{name}"] = item
                continue
            }
            item["delete"] = operation("delete", kind, answer: Self.statusName, body: Self.deleteOptionsName)
            paths["\(collection)/{name}"] = item
            for subresource in served.subresources where subresource == "status" || subresource == "scale" {
                let scale = GroupVersionKind(group: "autoscaling", version: "v1", kind: "Scale")
                let isScale = subresource == "scale"
                paths["\(collection)/{name}/\(subresource)"] = itemPath(
                    isScale ? scale : kind, isScale ? Self.publishedName("autoscaling.v1.Scale") : typeName,
                    pathParameters + ["name"], isCustom: isCustom)
            }
        }
        return .object(paths)
    }

    private func itemPath(
        _ kind: GroupVersionKind, _ typeName: String, _ parameters: [String], isCustom: Bool
    ) -> JSONValue {
        var item = pathItem(parameters)
        item["get"] = operation("get", kind, answer: typeName)
        item["put"] = operation("put", kind, answer: typeName, body: typeName)
        let mediaTypes = isCustom ? Self.customPatchMediaTypes : Self.patchMediaTypes
        item["patch"] = operation("patch", kind, answer: typeName, body: Self.patchName, mediaTypes: mediaTypes)
        return item
    }

    private func pathItem(_ names: [String]) -> JSONValue {
        let parameters = names.map { parameter($0, "string", place: "path") } + [parameter("pretty", "string")]
        return ["parameters": .array(parameters)]
    }

    private func parameter(_ name: String, _ type: String, place: String = "query") -> JSONValue {
        var parameter: JSONValue = ["name": .string(name), "in": .string(place), "uniqueItems": true]
        if place == "path" { parameter["required"] = true }
        if version == .v3 {
            parameter["schema"] = ["type": .string(type), "uniqueItems": true]
        } else {
            parameter["type"] = .string(type)
        }
        return parameter
    }

    private static let listParameters = [
        ("allowWatchBookmarks", "boolean"), ("continue", "string"), ("fieldSelector", "string"),
        ("labelSelector", "string"), ("limit", "integer"), ("resourceVersion", "string"),
        ("resourceVersionMatch", "string"), ("sendInitialEvents", "boolean"), ("timeoutSeconds", "integer"),
        ("watch", "boolean"),
    ]
    private static let writeParameters = [
        ("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"),
    ]
    private static let deleteParameters = [
        ("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("orphanDependents", "boolean"),
        ("propagationPolicy", "string"),
    ]
    private static let patchMediaTypes = [
        JSONPatch.mediaType, MergePatch.mediaType, StrategicMergePatch.mediaType, "application/apply-patch+yaml",
    ]
    /// kubectl sends what is published here, and custom kinds have no strategic merge.
    private static let customPatchMediaTypes = patchMediaTypes.filter { $0 != StrategicMergePatch.mediaType }

    private func operation(
        _ action: String, _ kind: GroupVersionKind, answer: String, body: String? = nil,
        mediaTypes: [String] = ["application/json"]
    ) -> JSONValue {
        var parameters: [(String, String)] =
            switch action {
            case "list": Self.listParameters
            case "post", "put": Self.writeParameters
            case "patch": Self.writeParameters + [("force", "boolean")]
            case "delete": Self.deleteParameters
            case "deletecollection": Self.deleteParameters + Self.listParameters
            default: []
            }
        parameters.sort { $0.0 < $1.0 }
        var all = parameters.map { parameter($0.0, $0.1) }
        var operation: JSONValue = [
            "x-kubernetes-action": .string(action), "x-kubernetes-group-version-kind": Self.extensionValue(kind),
        ]
        let answerSchema: JSONValue = ["$ref": .string(reference(answer))]
        switch version {
        case .v3:
            operation["responses"] = [
                "200": ["description": "OK", "content": ["application/json": ["schema": answerSchema]]]
            ]
            if let body {
                var content: JSONValue = [:]
                for mediaType in mediaTypes { content[mediaType] = ["schema": ["$ref": .string(reference(body))]] }
                operation["requestBody"] = ["content": content]
            }
        case .v2:
            operation["responses"] = ["200": ["description": "OK", "schema": answerSchema]]
            operation["produces"] = ["application/json"]
            if let body {
                operation["consumes"] = JSONValue(mediaTypes)
                all.append(["name": "body", "in": "body", "schema": ["$ref": .string(reference(body))]])
            }
        }
        if !all.isEmpty { operation["parameters"] = .array(all) }
        return operation
    }

    static let statusName = publishedName("meta.v1.Status")
    static let deleteOptionsName = publishedName("meta.v1.DeleteOptions")
    static let patchName = publishedName("meta.v1.Patch")

    static func extensionValue(_ kind: GroupVersionKind) -> JSONValue {
        ["group": .string(kind.group), "version": .string(kind.version), "kind": .string(kind.kind)]
    }
}
