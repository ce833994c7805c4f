// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// A CustomResourceDefinition (apiextensions.k8s.io/v1) in the form that a server works with.
package struct Definition: Sendable {
    /// How the kind is called.
    package struct Names: Sendable, Hashable {
        package var plural = ""
        package var singular = ""
        package var shortNames: [String] = []
        package var kind = ""
        package var listKind = ""
        package var categories: [String] = []

        package init(json: JSONValue) {
            plural = json["plural"].string ?? ""
            singular = json["singular"].string ?? ""
            shortNames = json["shortNames"].elements.compactMap(\.string)
            kind = json["kind"].string ?? ""
            listKind = json["listKind"].string ?? ""
            categories = json["categories"].elements.compactMap(\.string)
        }

        package var json: JSONValue {
            [
                "plural": .string(plural), "singular": singular.isEmpty ? nil : .string(singular),
                "shortNames": shortNames.isEmpty ? nil : JSONValue(shortNames), "kind": .string(kind),
                "listKind": listKind.isEmpty ? nil : .string(listKind),
                "categories": categories.isEmpty ? nil : JSONValue(categories),
            ]
        }
    }

    /// Where the `scale` subresource finds its numbers.
    package struct Scale: Sendable, Hashable {
        package var specReplicas: [String]
        package var statusReplicas: [String]
        /// Empty where there is no selector.
        package var labelSelector: [String]
    }

    /// One column of a table.
    package struct Column: Sendable, Hashable {
        package var name: String
        /// `integer`, `number`, `string`, `boolean` or `date`.
        package var type: String
        package var format: String
        package var description: String
        package var priority: Int
        package var path: SimplePath
    }

    /// One version.
    package struct Version: Sendable {
        package var name: String
        package var isServed: Bool
        package var isStorage: Bool
        /// What clients of a deprecated version are told; nil for one that is not.
        package var warning: String?
        /// Nil where the definition has none.
        package var schema: StructuralSchema?
        /// Nil where the schema has no rules.
        package var rules: RuleTree?
        package var hasStatus: Bool
        package var scale: Scale?
        package var columns: [Column]
        /// Paths of selectable fields, without the dot at the front.
        package var selectableFields: [String]
    }

    package var group: String
    package var names: Names
    package var isNamespaced: Bool
    package var versions: [Version]
    /// Whether versions are converted by a webhook, which this server cannot call.
    package var needsWebhook: Bool
    package var isTerminating: Bool

    /// The version in which objects are stored.
    package var storageVersion: Version? { versions.first(where: \.isStorage) }

    /// Reads a definition that keeps ``DefinitionRules``.
    /// - Throws: when a schema cannot be read.
    package init(_ object: KubeObject) throws(SchemaError) {
        let spec = object.spec
        group = spec["group"].string ?? ""
        names = Names(json: spec["names"])
        isNamespaced = spec["scope"].string == "Namespaced"
        needsWebhook = spec["conversion"]["strategy"].string == "Webhook"
        isTerminating = object.isBeingDeleted
        versions = []
        for (index, version) in spec["versions"].elements.enumerated() {
            versions.append(try Self.version(version, spec, "spec.versions[\(index)].schema.openAPIV3Schema"))
        }
    }

    private static func version(
        _ json: JSONValue, _ spec: JSONValue, _ path: String
    ) throws(SchemaError) -> Version {
        let name = json["name"].string ?? ""
        let schema = json["schema"]["openAPIV3Schema"]
        var warning: String?
        if json["deprecated"].bool == true {
            let kind = spec["names"]["kind"].string ?? ""
            warning =
                json["deprecationWarning"].string ?? "\(spec["group"].string ?? "")/\(name) \(kind) is deprecated"
        }
        let structure: StructuralSchema? = schema.isNull ? nil : try .read(schema, path: FieldPath(path))
        return Version(
            name: name, isServed: json["served"].bool ?? false, isStorage: json["storage"].bool ?? false,
            warning: warning,
            schema: structure, rules: structure.flatMap { RuleTree.compile($0, json: schema).tree },
            hasStatus: !json["subresources"]["status"].isNull, scale: scale(json["subresources"]["scale"]),
            columns: json["additionalPrinterColumns"].elements.compactMap(column),
            selectableFields: json["selectableFields"].elements.compactMap { field in
                field["jsonPath"].string.map { String($0.drop { $0 == "." }) }
            })
    }

    private static func scale(_ json: JSONValue) -> Scale? {
        func path(_ name: String) -> [String] {
            (json[name].string ?? "").split(separator: ".").map(String.init)
        }
        guard json.object != nil else { return nil }
        return Scale(
            specReplicas: path("specReplicasPath"), statusReplicas: path("statusReplicasPath"),
            labelSelector: path("labelSelectorPath"))
    }

    /// A column whose path cannot be read is left out, as upstream leaves its cells empty.
    private static func column(_ json: JSONValue) -> Column? {
        let text = json["jsonPath"].string ?? ""
        guard let path = try? SimplePath(text) else { return nil }
        return Column(
            name: json["name"].string ?? "", type: json["type"].string ?? "string",
            format: json["format"].string ?? "",
            description: json["description"].string
                ?? "Custom resource definition column (in JSONPath format): \(text)",
            priority: json["priority"].int ?? 0, path: path)
    }
}
