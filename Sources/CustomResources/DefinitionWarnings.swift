// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What a client is warned of when it writes a CustomResourceDefinition that is accepted.
///
/// Source: the warnings of apiextensions-apiserver.
package enum DefinitionWarnings {
    /// Members of a schema that are schemas themselves, or lists or maps of them.
    private static let single = ["items", "additionalProperties", "additionalItems", "not"]
    private static let lists = ["items", "allOf", "anyOf", "oneOf"]
    private static let maps = ["properties", "patternProperties", "definitions", "dependencies"]

    /// The warnings of what is new in a definition; of all that is in it where there was none.
    package static func warnings(_ definition: KubeObject, old: KubeObject?) -> [String] {
        let present = all(in: definition)
        guard let old else { return present }
        let known = Set(all(in: old))
        return present.filter { !known.contains($0) }
    }

    /// Formats first, in the order of the schemas; each once.
    private static func all(in definition: KubeObject) -> [String] {
        var formats: [String] = []
        var sets: Set<String> = []
        for version in definition.spec["versions"].elements {
            visit(version["schema"]["openAPIV3Schema"]) { schema in
                if let format = schema["format"].string, !isKnown(format, type: schema["type"].string ?? "") {
                    formats.append("unrecognized format \"\(format)\"")
                }
                let type = schema["items"]["type"].string ?? ""
                if schema["x-kubernetes-list-type"] == "set", type == "object" || type == "array" {
                    sets.insert(
                        "x-kubernetes-list-type: set for items of type \"\(type)\" is not supported by server-side "
                            + "apply or CEL validation rules")
                }
            }
        }
        var seen: Set<String> = []
        return formats.filter { seen.insert($0).inserted } + sets.sorted()
    }

    private static func isKnown(_ format: String, type: String) -> Bool {
        switch type {
        case "", "string": format.isEmpty || SchemaFormat(name: format) != nil
        case "integer": ["", "int32", "int64"].contains(format)
        case "number": ["", "float", "double"].contains(format)
        default: format.isEmpty
        }
    }

    private static func visit(_ schema: JSONValue, _ body: (JSONValue) -> Void) {
        guard case .object(let members) = schema else { return }
        body(schema)
        for name in single { if let member = members[name] { visit(member, body) } }
        for name in lists { for member in members[name]?.elements ?? [] { visit(member, body) } }
        for name in maps {
            for (_, member) in (members[name]?.members ?? [:]).sorted(by: { $0.key < $1.key }) { visit(member, body) }
        }
    }
}
