// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Checks of objects of built-in kinds: against their types here, semantically in `ObjectValidation+….swift`.
package enum ObjectValidation {
    /// What decoding an object into its type found.
    package struct Report: Sendable {
        /// In upstream's form: `unknown field "spec.template.foo"`; at most 100.
        package var unknownFields: [String] = []
        /// In upstream's form: `json: cannot unmarshal string into Go struct field …`. Upstream reports the first.
        package var typeErrors: [String] = []
        /// The object as upstream would write it again: no unknown fields, no nulls, canonical quantities, no empty
        /// values that are omitted, and structs and required scalars that upstream always writes.
        package var object: JSONValue = .null
    }

    /// Decodes an object into a type of the schema.
    package static func check(_ object: JSONValue, type: SchemaMessage, schema: Schema = .builtIn) -> Report {
        var reader = TypedReader(schema: schema)
        return reader.read(object, type)
    }
}

/// Decodes JSON into a type as Go's decoder does, and writes it back as Go's encoder does, in one pass.
private struct TypedReader {
    private static let maxErrors = 100

    private let schema: Schema
    private var report = ObjectValidation.Report()
    /// Where we are, with indices (`spec.containers[0]`).
    private var path: [String] = []
    /// Where we are, fields only, as in Go's messages.
    private var fieldPath: [String] = []
    private var structName = ""

    init(schema: Schema) { self.schema = schema }

    mutating func read(_ value: JSONValue, _ type: SchemaMessage) -> ObjectValidation.Report {
        if let members = value.object {
            report.object = object(members, type)
        } else {
            mismatch(value, "v1.\(type.goName)")
        }
        return report
    }

    private mutating func object(_ members: [String: JSONValue], _ type: SchemaMessage) -> JSONValue {
        var result: [String: JSONValue] = [:]
        result.reserveCapacity(members.count)
        var known = 0
        let outerName = structName
        structName = type.goName
        for field in type.jsonFields {
            guard let value = members[field.name] else {
                if let zero = zero(of: field) { result[field.name] = zero }
                continue
            }
            known += 1
            path.append(field.name)
            fieldPath.append(field.name)
            if let kept = self.value(value, field.type), !isLeftOut(kept, field) {
                result[field.name] = kept
            } else if let zero = zero(of: field) {
                result[field.name] = zero
            }
            fieldPath.removeLast()
            path.removeLast()
        }
        structName = outerName
        if known != members.count {
            for key in members.keys.sorted()
            where type.field(key) == nil && report.unknownFields.count < Self.maxErrors {
                report.unknownFields.append("unknown field \"\(pathText(key))\"")
            }
        }
        return .object(result)
    }

    private func pathText(_ key: String) -> String {
        var text = ""
        for part in path + [key] {
            if !text.isEmpty, !part.hasPrefix("[") { text += "." }
            text += part
        }
        return text
    }

    /// What upstream writes for a field that has no value.
    private mutating func zero(of field: SchemaField) -> JSONValue? {
        guard !field.isPointer else { return nil }
        switch field.type {
        case .message(let index) where !field.omitsZero: return object([:], schema.messages[index])
        case .quantity: return "0"
        case .intOrString: return 0
        case .string where !field.omitsEmpty: return ""
        case .bool where !field.omitsEmpty: return false
        case .int32 where !field.omitsEmpty, .int64 where !field.omitsEmpty: return 0
        default: return nil
        }
    }

    private func isLeftOut(_ value: JSONValue, _ field: SchemaField) -> Bool {
        guard !field.isPointer, field.omitsEmpty || field.omitsZero else { return false }
        switch (field.type, value) {
        case (.message, .object(let members)): return field.omitsZero && members.isEmpty
        case (.message, _), (.quantity, _), (.intOrString, _): return false
        default: return value.isEmpty || value == "" || value == 0 || value == false
        }
    }

    private mutating func value(_ value: JSONValue, _ type: SchemaType) -> JSONValue? {
        if value.isNull { return nil }
        switch (type, value) {
        case (.rawExtension, _), (.fieldsV1, _), (.string, .string), (.bool, .bool), (.int64, .int),
            (.double, .int), (.double, .double):
            return value
        case (.int32, .int(let number)):
            if Int32(exactly: number) != nil { return value }
        case (.list(let element), .array(let elements)): return list(elements, element)
        case (.wrappedStrings, .array(let elements)): return list(elements, .string(name: nil))
        case (.map(let element), .object(let members)): return map(members, element)
        case (.message(let index), .object(let members)): return object(members, schema.messages[index])
        case (.bytes, .string(let text)):
            if case .failure(let error) = Base64.decode(text) { return fail("\(error)") }
            return value
        case (.intOrString, .string): return value
        case (.intOrString, .int(let number)) where Int32(exactly: number) != nil: return value
        case (.intOrString, _): return fail("json: cannot unmarshal \(Self.goKind(value)) into Go value of type int32")
        case (.quantity, .string(let text)): return quantity(text)
        case (.quantity, .int), (.quantity, .double): return quantity(value.text)
        case (.quantity, _): return quantity("")
        case (.time, .string(let text)), (.microTime, .string(let text)): return time(text, type)
        default: break
        }
        mismatch(value, goType(type))
        return nil
    }

    private mutating func list(_ elements: [JSONValue], _ type: SchemaType) -> JSONValue {
        var result: [JSONValue] = []
        result.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            path.append("[\(index)]")
            if element.isNull, let zero = zeroElement(type) {
                result.append(zero)
            } else if let kept = value(element, type) {
                result.append(kept)
            }
            path.removeLast()
        }
        return .array(result)
    }

    private mutating func zeroElement(_ type: SchemaType) -> JSONValue? {
        switch type {
        case .message(let index): return object([:], schema.messages[index])
        case .string: return ""
        case .int32, .int64: return 0
        default: return nil
        }
    }

    private mutating func map(_ members: [String: JSONValue], _ type: SchemaType) -> JSONValue {
        var result: [String: JSONValue] = [:]
        result.reserveCapacity(members.count)
        for (key, element) in members {
            path.append(key)
            let kept = element.isNull ? zeroElement(type) : value(element, type)
            if let kept { result[key] = kept }
            path.removeLast()
        }
        return .object(result)
    }

    private mutating func quantity(_ text: String) -> JSONValue? {
        if let canonical = QuantityText.canonical(text) { return .string(canonical) }
        return fail("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    }

    private mutating func time(_ text: String, _ type: SchemaType) -> JSONValue? {
        if let moment = Timestamp(rfc3339: text) {
            return .string(type == .microTime ? moment.rfc3339Micro : moment.rfc3339)
        }
        let layout = type == .microTime ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00"
        return fail(
            "parsing time \"\(text.prefix(64))\" as \"\(layout)\": cannot parse \"\(text.prefix(64))\" as \"2006\"")
    }

    private mutating func fail(_ message: String) -> JSONValue? {
        if report.typeErrors.count < Self.maxErrors { report.typeErrors.append(message) }
        return nil
    }

    private mutating func mismatch(_ value: JSONValue, _ goType: String) {
        let place = fieldPath.isEmpty ? "Go value" : "Go struct field \(structName).\(fieldPath.joined(separator: "."))"
        _ = fail("json: cannot unmarshal \(Self.goKind(value)) into \(place) of type \(goType)")
    }

    private static func goKind(_ value: JSONValue) -> String {
        switch value {
        case .bool: "bool"
        case .int(let number): Int32(exactly: number) == nil ? "number \(number)" : "number"
        case .double: "number \(value.text)"
        default: value.typeName
        }
    }

    private func goType(_ type: SchemaType) -> String {
        switch type {
        case .string(let name):
            name.map { $0.split(separator: ".").dropFirst().joined(separator: ".") } ?? "string"
        case .bool: "bool"
        case .int32: "int32"
        case .int64: "int64"
        case .double: "float64"
        case .bytes: "[]uint8"
        case .list(let element): "[]" + goType(element)
        case .map(let element): "map[string]" + goType(element)
        case .message(let index): schema.messages[index].goQualifiedName
        case .wrappedStrings: "v1.ExtraValue"
        case .time: "v1.Time"
        case .microTime: "v1.MicroTime"
        case .quantity: "resource.Quantity"
        case .intOrString: "intstr.IntOrString"
        case .rawExtension: "runtime.RawExtension"
        case .fieldsV1: "v1.FieldsV1"
        }
    }
}
