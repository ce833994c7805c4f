// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CEL
import KubeAPI

/// Applies what mutating policies give.
enum PolicyPatch {
    /// The JSON patch that a list of `JSONPatch` is.
    static func document(_ value: CELValue) throws(CELError) -> JSONValue {
        guard case .list = value else { throw CELError("type conversion error: JSONPatch list expected") }
        return try value.json()
    }

    /// Merges a configuration into an object: maps by key, lists by the keys of their type, all else replaced.
    static func apply(
        _ patch: JSONValue, to object: JSONValue, _ kind: GroupVersionKind, _ schema: Schema
    ) throws(PatchError) -> JSONValue {
        guard let type = schema.type(kind) else { return MergePatch.apply(patch, to: object) }
        return try StrategicMergePatch.apply(patch, to: object, type: type, schema: schema)
    }

    /// The object as its kind has it: refused where a type is wrong, unknown fields removed.
    static func typed(
        _ object: JSONValue, _ declaration: ResourceDeclaration, _ kind: GroupVersionKind, _ schema: Schema
    ) throws(PolicyProblem) -> JSONValue {
        if let reading = declaration.reading {
            let result = reading.read(object)
            if let fault = result.fault { throw PolicyProblem(fault) }
            return result.object
        }
        guard let type = schema.type(kind) else { return object }
        let report = ObjectValidation.check(object, type: type, schema: schema)
        if let problem = report.typeErrors.first ?? report.unknownFields.first { throw PolicyProblem(problem) }
        return report.object
    }
}
