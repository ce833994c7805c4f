// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CEL
import KubeAPI

/// What policies and bindings have when nothing is said, and what their status says of their expressions.
enum PolicyDefaults {
    static func apply(_ object: inout KubeObject) {
        if object.kind.hasSuffix("Binding") {
            if object.spec["matchResources"].object != nil { match(&object.spec["matchResources"]) }
            return
        }
        if object.spec["failurePolicy"].isNull { object.spec["failurePolicy"] = "Fail" }
        if object.spec["matchConstraints"].object != nil { match(&object.spec["matchConstraints"]) }
    }

    private static func match(_ match: inout JSONValue) {
        if match["matchPolicy"].isNull { match["matchPolicy"] = "Equivalent" }
        for member in ["namespaceSelector", "objectSelector"] where match[member].isNull {
            match[member] = .object([:])
        }
        for member in ["resourceRules", "excludeResourceRules"] {
            guard var rules = match[member].array else { continue }
            for index in rules.indices where rules[index]["scope"].isNull { rules[index]["scope"] = "*" }
            match[member] = .array(rules)
        }
    }

    /// Writes down what the check of a policy's expressions against the types of the kinds it is for has found.
    ///
    /// Source: Kubernetes documentation, "Validating Admission Policy: Type checking". Kinds are those of the rules
    /// without wildcards, at most 10, as upstream.
    static func checkTypes(_ policy: inout KubeObject, generation: Int) {
        let warnings = PolicyTypeCheck(policy).warnings
        policy.status["observedGeneration"] = JSONValue(generation)
        policy.status["typeChecking"] =
            warnings.isEmpty
            ? .object([:])
            : [
                "expressionWarnings": .array(
                    warnings.map { ["fieldRef": .string($0.field), "warning": .string($0.text)] })
            ]
    }
}

/// Compiles a policy's expressions with the objects' declared types.
struct PolicyTypeCheck {
    private static let maxKinds = 10
    private(set) var warnings: [(field: String, text: String)] = []

    init(_ policy: KubeObject) {
        let spec = policy.spec
        let kinds = Self.kinds(spec["matchConstraints"]["resourceRules"].elements)
        var fields: [(path: String, source: String)] = []
        for (index, validation) in spec["validations"].elements.enumerated() {
            fields.append(("spec.validations[\(index)].expression", validation["expression"].string ?? ""))
            if let source = validation["messageExpression"].string, !source.isEmpty {
                fields.append(("spec.validations[\(index)].messageExpression", source))
            }
        }
        for (path, source) in fields {
            var texts: [String] = []
            for kind in kinds {
                guard let problem = Self.problem(source, kind, spec) else { continue }
                let group = kind.group.isEmpty ? "" : kind.group
                texts.append("\(group)/\(kind.version), Kind=\(kind.kind): \(problem)\n")
            }
            if !texts.isEmpty { warnings.append((path, texts.joined())) }
        }
    }

    private static func kinds(_ rules: [JSONValue]) -> [GroupVersionKind] {
        var found: [GroupVersionKind] = []
        for rule in rules {
            for group in rule["apiGroups"].elements.compactMap(\.string) {
                for version in rule["apiVersions"].elements.compactMap(\.string) {
                    for plural in rule["resources"].elements.compactMap(\.string) {
                        guard let kind = kind(group, version, plural), !found.contains(kind) else { continue }
                        found.append(kind)
                        if found.count == maxKinds { return found }
                    }
                }
            }
        }
        return found
    }

    private static func kind(_ group: String, _ version: String, _ plural: String) -> GroupVersionKind? {
        let all = Schema.builtIn.kinds.keys
        return all.filter { $0.group == group && $0.version == version && isPlural(plural, of: $0.kind) }
            .min { $0.kind < $1.kind }
    }

    /// Whether a resource's name is the plural of a kind, by the rules that Kubernetes names resources by.
    private static func isPlural(_ plural: String, of kind: String) -> Bool {
        let name = kind.lowercased()
        guard plural.hasPrefix(name.dropLast()) else { return false }
        if name == "endpoints" { return plural == name }
        if name.hasSuffix("s") || name.hasSuffix("x") || name.hasSuffix("ch") { return plural == name + "es" }
        if name.hasSuffix("y"), !name.hasSuffix("ay"), !name.hasSuffix("ey") {
            return plural == name.dropLast() + "ies"
        }
        return plural == name + "s"
    }

    private static func problem(_ source: String, _ kind: GroupVersionKind, _ spec: JSONValue) -> String? {
        guard let schema = CELSchema.builtIn(kind) else { return nil }
        var scope = PolicyExpressions.Scope()
        scope.hasParameters = spec["paramKind"].object != nil
        scope.object = schema
        var types: [String: CELType] = [:]
        for variable in spec["variables"].elements {
            scope.variables = types
            let environment = PolicyExpressions.environment(scope)
            let program = try? CELProgram(compiling: variable["expression"].string ?? "", environment: environment)
            types[variable["name"].string ?? ""] = program?.resultType ?? .dyn
        }
        scope.variables = types
        do throws(CELCompileError) {
            _ = try CELProgram(compiling: source, environment: PolicyExpressions.environment(scope))
            return nil
        } catch {
            return "\(error)"
        }
    }
}
