// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Strategic merge patch: a merge patch that merges the lists which the types say are merged.
///
/// Source: Kubernetes "Strategic Merge Patch" (community, sig-api-machinery). Directives: `$patch`
/// (`replace|merge|delete`), `$retainKeys`, `$setElementOrder/LIST`, `$deleteFromPrimitiveList/LIST`.
package struct StrategicMergePatch: Sendable {
    /// The media type of such patches.
    package static let mediaType = "application/strategic-merge-patch+json"

    static let patchDirective = "$patch"
    static let retainKeysDirective = "$retainKeys"
    static let setElementOrderPrefix = "$setElementOrder/"
    static let deletePrefix = "$deleteFromPrimitiveList/"

    private let schema: Schema

    /// Applies a patch to an object of a built-in kind.
    package static func apply(
        _ patch: JSONValue, to original: JSONValue, type: SchemaMessage, schema: Schema = .builtIn
    ) throws(PatchError) -> JSONValue {
        guard case .object(let changes) = patch else {
            throw PatchError(.malformed, "a strategic merge patch must be an object, not \(patch.typeName)")
        }
        return .object(try Self(schema: schema).merge(original.members, changes, type))
    }

    private func merge(
        _ original: [String: JSONValue], _ patch: [String: JSONValue], _ type: SchemaMessage?
    ) throws(PatchError) -> [String: JSONValue] {
        var original = original
        var patch = patch
        if let directive = patch.removeValue(forKey: Self.patchDirective) {
            switch directive {
            case "replace": return Self.withoutDirectives(patch)
            case "delete": return [:]
            case "merge": break
            default:
                throw PatchError(.malformed, "unknown patch type: \(directive.text) found in a map")
            }
        }
        try retainKeys(&original, &patch)
        try setElementOrders(&original, &patch, type)
        for (key, change) in patch {
            if key.hasPrefix(Self.deletePrefix) {
                let name = String(key.dropFirst(Self.deletePrefix.count))
                guard case .array(let deleted) = change else {
                    throw PatchError(.malformed, "\(key) must be a list of primitive values")
                }
                guard case .array(let elements)? = original[name] else { continue }
                let set = Set(deleted)
                original[name] = .array(elements.filter { !set.contains($0) })
                continue
            }
            let field = type?.field(key)
            switch (original[key], change) {
            case (_, .null): original[key] = nil
            case (.object(let old)?, .object(let new)):
                original[key] =
                    field?.patchStrategies.contains("replace") == true
                    ? change : .object(try merge(old, new, field.flatMap { self.type(below: $0.type) }))
            case (.array(let old)?, .array(let new)):
                original[key] = .array(try mergeLists(old, new, field))
            default: original[key] = Self.withoutDirectives(change)
            }
        }
        return original
    }

    /// The type of a struct's members or of a list's elements; maps have keys that are data.
    private func type(below type: SchemaType) -> SchemaMessage? {
        switch type {
        case .message(let index): schema.messages[index]
        case .list(let element): self.type(below: element)
        default: nil
        }
    }

    private func retainKeys(_ original: inout [String: JSONValue], _ patch: inout [String: JSONValue])
        throws(PatchError)
    {
        guard let directive = patch.removeValue(forKey: Self.retainKeysDirective) else { return }
        guard case .array(let list) = directive, list.allSatisfy({ $0.string != nil }) else {
            throw PatchError(.malformed, "invalid patch format of retainKeys: it must be a list of strings")
        }
        let keys = Set(list.compactMap(\.string))
        for (key, value) in patch where !key.hasPrefix("$") && !value.isNull && !keys.contains(key) {
            throw PatchError(
                .malformed, "patch contains fields not in the retainKeys list: \(key.prefix(64))")
        }
        original = original.filter { keys.contains($0.key) }
    }

    // MARK: Lists

    func mergeLists(_ old: [JSONValue], _ new: [JSONValue], _ field: SchemaField?) throws(PatchError) -> [JSONValue] {
        guard let field, field.patchStrategies.contains("merge") else {
            return new.map(Self.withoutDirectives)
        }
        guard case .object? = new.first ?? old.first else {
            var seen: Set<JSONValue> = []
            return (old + new).filter { seen.insert($0).inserted }
        }
        guard let mergeKey = field.mergeKey else {
            throw PatchError(.malformed, "cannot merge lists without merge key for \(field.name)")
        }
        return try merge(old, new, by: mergeKey, type(below: field.type))
    }

    private func merge(
        _ old: [JSONValue], _ new: [JSONValue], by mergeKey: String, _ type: SchemaMessage?
    ) throws(PatchError) -> [JSONValue] {
        var replaces = false
        var deleted: Set<JSONValue> = []
        var changes: [[String: JSONValue]] = []
        for element in new {
            guard case .object(var members) = element else {
                throw PatchError(.malformed, "an element of a list of objects is \(element.typeName)")
            }
            switch members.removeValue(forKey: Self.patchDirective) {
            case nil: changes.append(members)
            case "replace": replaces = true
            case "delete":
                guard let key = members[mergeKey] else { throw Self.noMergeKey(mergeKey) }
                deleted.insert(key)
            case "merge":
                throw PatchError(.malformed, "merging lists cannot yet be specified in the patch")
            case let directive?:
                throw PatchError(.malformed, "unknown patch type: \(directive.text) found in a list")
            }
        }
        if replaces { return changes.map { .object(Self.withoutDirectives($0)) } }
        var result = deleted.isEmpty ? old : old.filter { !deleted.contains($0[mergeKey]) }
        var positions: [JSONValue: Int] = [:]
        for (index, element) in result.enumerated() where positions[element[mergeKey]] == nil {
            positions[element[mergeKey]] = index
        }
        for change in changes {
            guard let key = change[mergeKey], !key.isNull else { throw Self.noMergeKey(mergeKey) }
            if let index = positions[key] {
                result[index] = .object(try merge(result[index].members, change, type))
            } else {
                positions[key] = result.count
                result.append(.object(Self.withoutDirectives(change)))
            }
        }
        return result
    }

    static func noMergeKey(_ key: String) -> PatchError {
        PatchError(.malformed, "map does not contain declared merge key: \(key)")
    }

    /// A value as it is when there is nothing to merge it with: directives and nulls are dropped.
    static func withoutDirectives(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members): .object(withoutDirectives(members))
        case .array(let elements): .array(elements.filter { $0[patchDirective].isNull }.map(withoutDirectives))
        default: value
        }
    }

    static func withoutDirectives(_ members: [String: JSONValue]) -> [String: JSONValue] {
        var result: [String: JSONValue] = [:]
        for (key, value) in members where !value.isNull {
            if key == patchDirective || key == retainKeysDirective || key.hasPrefix(setElementOrderPrefix)
                || key.hasPrefix(deletePrefix)
            {
                continue
            }
            result[key] = withoutDirectives(value)
        }
        return result
    }
}
