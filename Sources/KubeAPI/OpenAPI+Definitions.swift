// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension OpenAPI {
    /// The published types that the resources' types are made of.
    func definitions(of resources: [Resource]) -> [String: JSONValue] {
        var kinds: [String: [GroupVersionKind]] = [:]
        for (kind, index) in schema.kinds { kinds[schema.messages[index].name, default: []].append(kind) }
        var pending: [SchemaMessage] = []
        for served in resources {
            let resource = served.resource
            let versions = [resource.kind, resource.kind + "List"]
            for kind in versions {
                if let type = schema.type(group: resource.group, version: resource.version, kind: kind) {
                    pending.append(type)
                }
            }
            for name in ["meta.v1.DeleteOptions", "meta.v1.Status"] {
                let kind = String(name.dropFirst(8))
                kinds[name, default: []].append(
                    GroupVersionKind(group: resource.group, version: resource.version, kind: kind))
                if let type = schema.type(named: name) { pending.append(type) }
            }
            if served.subresources.contains("scale"), let scale = schema.type(named: "autoscaling.v1.Scale") {
                pending.append(scale)
            }
        }
        var definitions = specialDefinitions
        for served in resources {
            guard let custom = served.custom else { continue }
            add(custom, of: served.resource, to: &definitions)
            for name in ["meta.v1.ObjectMeta", "meta.v1.ListMeta"] {
                if let type = schema.type(named: name) { pending.append(type) }
            }
        }
        while let type = pending.popLast() {
            let name = Self.publishedName(type.name)
            guard definitions[name] == nil else { continue }
            definitions[name] = definition(type, kinds[type.name] ?? [])
            for field in type.jsonFields { collectMessages(field.type, into: &pending) }
        }
        return definitions
    }

    /// Adds the type of a custom kind and that of its lists.
    private func add(_ custom: CustomKind, of resource: KubeResource, to definitions: inout [String: JSONValue]) {
        func kind(_ name: String) -> JSONValue {
            [Self.extensionValue(GroupVersionKind(group: resource.group, version: resource.version, kind: name))]
        }
        var definition = custom.definition(version, reference(Self.publishedName("meta.v1.ObjectMeta")))
        definition["x-kubernetes-group-version-kind"] = kind(resource.kind)
        definitions[custom.typeName] = definition
        definitions[custom.listName] = [
            "type": "object", "description": .string("\(custom.listKind) is a list of \(resource.kind)"),
            "required": ["items"],
            "properties": [
                "apiVersion": ["type": "string"], "kind": ["type": "string"],
                "items": ["type": "array", "items": ["$ref": .string(reference(custom.typeName))]],
                "metadata": ["$ref": .string(reference(Self.publishedName("meta.v1.ListMeta")))],
            ],
            "x-kubernetes-group-version-kind": kind(custom.listKind),
        ]
    }

    private func collectMessages(_ type: SchemaType, into pending: inout [SchemaMessage]) {
        switch type {
        case .message(let index): pending.append(schema.messages[index])
        case .list(let element), .map(let element): collectMessages(element, into: &pending)
        default: break
        }
    }

    private static let quantityName = "io.k8s.apimachinery.pkg.api.resource.Quantity"
    private static let intOrStringName = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    private static let rawExtensionName = "io.k8s.apimachinery.pkg.runtime.RawExtension"

    private var specialDefinitions: [String: JSONValue] {
        let time: JSONValue = ["type": "string", "format": "date-time"]
        return [
            Self.quantityName: version == .v3
                ? ["oneOf": [["type": "string"], ["type": "number"]]] : ["type": "string"],
            Self.intOrStringName: version == .v3
                ? ["format": "int-or-string", "oneOf": [["type": "integer"], ["type": "string"]]]
                : ["type": "string", "format": "int-or-string"],
            Self.rawExtensionName: ["type": "object"],
            Self.publishedName("meta.v1.FieldsV1"): ["type": "object"],
            Self.publishedName("meta.v1.Time"): time,
            Self.publishedName("meta.v1.MicroTime"): time,
            Self.patchName: ["type": "object"],
        ]
    }

    private func definition(_ type: SchemaMessage, _ kinds: [GroupVersionKind]) -> JSONValue {
        var properties: [String: JSONValue] = [:]
        for field in type.jsonFields { properties[field.name] = property(field) }
        let required = type.jsonFields.filter(\.isRequired).map(\.name).sorted()
        var definition: JSONValue = ["type": "object"]
        if !properties.isEmpty { definition["properties"] = .object(properties) }
        if !required.isEmpty { definition["required"] = JSONValue(required) }
        if type.isAtomic { definition["x-kubernetes-map-type"] = "atomic" }
        if !kinds.isEmpty {
            let sorted = Set(kinds).sorted { ($0.group, $0.version, $0.kind) < ($1.group, $1.version, $1.kind) }
            definition["x-kubernetes-group-version-kind"] = .array(sorted.map(Self.extensionValue))
        }
        return definition
    }

    private func property(_ field: SchemaField) -> JSONValue {
        var extras: JSONValue = [:]
        if !field.patchStrategies.isEmpty {
            extras["x-kubernetes-patch-strategy"] = .string(field.patchStrategies.joined(separator: ","))
        }
        if let key = field.mergeKey { extras["x-kubernetes-patch-merge-key"] = .string(key) }
        if let listType = field.listType, case .list = field.type {
            extras["x-kubernetes-list-type"] = .string(listType)
            if !field.listMapKeys.isEmpty { extras["x-kubernetes-list-map-keys"] = JSONValue(field.listMapKeys) }
        }
        if let mapType = field.mapType { extras["x-kubernetes-map-type"] = .string(mapType) }
        if let value = field.defaultValue {
            extras["default"] = value
        } else if !field.isPointer, let zero = zero(field.type, isRequired: !field.omitsEmpty) {
            extras["default"] = zero
        }
        return value(field.type, extras)
    }

    /// The default that upstream publishes for fields without a pointer.
    private func zero(_ type: SchemaType, isRequired: Bool) -> JSONValue? {
        switch type {
        case .message: return [:]
        case .string where isRequired: return ""
        case .bool where isRequired: return false
        case .int32 where isRequired, .int64 where isRequired: return 0
        default: return nil
        }
    }

    private func value(_ type: SchemaType, _ extras: JSONValue) -> JSONValue {
        var result = extras
        switch type {
        case .string(let name):
            result["type"] = "string"
            if let name, let values = schema.enumerations[name], !values.isEmpty { result["enum"] = JSONValue(values) }
        case .bool: result["type"] = "boolean"
        case .int32: result.setType("integer", format: "int32")
        case .int64: result.setType("integer", format: "int64")
        case .double: result.setType("number", format: "double")
        case .bytes: result.setType("string", format: "byte")
        case .list(let element):
            result["type"] = "array"
            result["items"] = self.element(element)
        case .wrappedStrings:
            result["type"] = "array"
            result["items"] = element(.string(name: nil))
        case .map(let element):
            result["type"] = "object"
            result["additionalProperties"] = self.element(element)
        case .quantity: refer(Self.quantityName, &result)
        case .intOrString: refer(Self.intOrStringName, &result)
        case .rawExtension: refer(Self.rawExtensionName, &result)
        case .fieldsV1: refer(Self.publishedName("meta.v1.FieldsV1"), &result)
        case .time: refer(Self.publishedName("meta.v1.Time"), &result)
        case .microTime: refer(Self.publishedName("meta.v1.MicroTime"), &result)
        case .message(let index): refer(Self.publishedName(schema.messages[index].name), &result)
        }
        return result
    }

    private func element(_ type: SchemaType) -> JSONValue {
        let extras: JSONValue = zero(type, isRequired: true).map { ["default": $0] } ?? [:]
        return value(type, extras)
    }

    /// In OpenAPI 3 nothing may stand beside a `$ref`, so that one with company is wrapped.
    private func refer(_ name: String, _ result: inout JSONValue) {
        let target: JSONValue = .string(reference(name))
        if version == .v3, !result.isEmpty {
            result["allOf"] = [["$ref": target]]
        } else {
            result["$ref"] = target
        }
    }
}

extension OpenAPI.CustomKind {
    /// The name under which lists are published.
    var listName: String {
        typeName.split(separator: ".").dropLast().joined(separator: ".") + ".\(listKind)"
    }
}

extension JSONValue {
    fileprivate mutating func setType(_ type: String, format: String) {
        self["type"] = .string(type)
        self["format"] = .string(format)
    }
}
