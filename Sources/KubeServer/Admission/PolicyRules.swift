// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CEL
import KubeAPI

/// What is wrong with policies and their bindings.
///
/// Source: the API reference of admissionregistration.k8s.io/v1; messages are upstream's.
struct PolicyRules {
    private static let maxConditions = 64
    private static let maxAuditAnnotations = 20
    private static let maxMessageBytes = 5 * 1024
    private static let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"]

    private let object: KubeObject
    private var errors = FieldErrors()
    private var scope = PolicyExpressions.Scope()
    private let isMutating: Bool
    /// The expressions that an update does not change, which are not refused again.
    private let known: Set<String>

    private init(_ object: KubeObject, old: KubeObject?) {
        self.object = object
        isMutating = object.kind.hasPrefix("Mutating")
        known = old.map { Self.expressions($0.spec) } ?? []
    }

    static func faults(of policy: KubeObject, old: KubeObject?) -> [StatusCause] {
        var rules = PolicyRules(policy, old: old)
        rules.policy()
        return rules.errors.causes
    }

    static func faults(ofBinding binding: KubeObject) -> [StatusCause] {
        var rules = PolicyRules(binding, old: nil)
        rules.binding()
        return rules.errors.causes
    }

    /// Every string of a spec that may be an expression.
    private static func expressions(_ json: JSONValue) -> Set<String> {
        switch json {
        case .string(let text): [text]
        case .array(let elements): elements.reduce(into: []) { $0.formUnion(expressions($1)) }
        case .object(let members): members.values.reduce(into: []) { $0.formUnion(expressions($1)) }
        default: []
        }
    }

    // MARK: Policies

    private mutating func policy() {
        let spec = object.spec
        let path: FieldPath = "spec"
        if !["Fail", "Ignore"].contains(spec["failurePolicy"].string ?? "") {
            if spec["failurePolicy"].isNull {
                errors.required(path["failurePolicy"])
            } else {
                errors.notSupported(path["failurePolicy"], spec["failurePolicy"], ["Fail", "Ignore"])
            }
        }
        if spec["paramKind"].object != nil { parameterKind(path["paramKind"], spec["paramKind"]) }
        if spec["matchConstraints"].object == nil {
            errors.required(path["matchConstraints"])
        } else {
            if spec["matchConstraints"]["resourceRules"].isEmpty {
                errors.required(path["matchConstraints"]["resourceRules"])
            }
            match(path["matchConstraints"], spec["matchConstraints"])
        }
        scope.hasParameters = spec["paramKind"].object != nil
        scope.variables = nil
        conditions(path["matchConditions"], spec["matchConditions"].elements)
        scope.isMutation = isMutating
        variables(path["variables"], spec["variables"].elements)
        if isMutating { mutations(path) } else { validations(path) }
    }

    private mutating func parameterKind(_ path: FieldPath, _ kind: JSONValue) {
        let version = kind["apiVersion"].string ?? ""
        if version.isEmpty {
            errors.required(path["apiVersion"])
        } else if version.split(separator: "/", omittingEmptySubsequences: false).count > 2 {
            errors.invalid(path["apiVersion"], kind["apiVersion"], "unexpected GroupVersion string: \(version)")
        }
        if (kind["kind"].string ?? "").isEmpty { errors.required(path["kind"]) }
    }

    private mutating func conditions(_ path: FieldPath, _ conditions: [JSONValue]) {
        if conditions.count > Self.maxConditions { errors.tooMany(path, conditions.count, Self.maxConditions) }
        var names: Set<String> = []
        let environment = PolicyExpressions.environment(scope)
        for (index, condition) in conditions.prefix(Self.maxConditions).enumerated() {
            let path = path[index]
            expression(path["expression"], condition["expression"], environment, [.bool])
            let name = condition["name"].string ?? ""
            if name.isEmpty {
                errors.required(path["name"])
            } else {
                errors.all(path["name"], condition["name"], NameRules.qualifiedName(name))
                if !names.insert(name).inserted { errors.duplicate(path["name"], condition["name"]) }
            }
        }
    }

    private mutating func variables(_ path: FieldPath, _ variables: [JSONValue]) {
        var types: [String: CELType] = [:]
        for (index, variable) in variables.enumerated() {
            let path = path[index]
            scope.variables = types
            let name = variable["name"].string ?? ""
            if name.isEmpty {
                errors.required(path["name"], "name is not specified")
            } else if !Self.isIdentifier(name) {
                errors.invalid(path["name"], variable["name"], "name is not a valid CEL identifier")
            } else if types[name] != nil {
                errors.duplicate(path["name"], variable["name"])
            }
            types[name] =
                expression(path["expression"], variable["expression"], PolicyExpressions.environment(scope), []) ?? .dyn
        }
        scope.variables = types
    }

    private static func isIdentifier(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
        }
    }

    private mutating func validations(_ path: FieldPath) {
        let validations = object.spec["validations"].elements
        let annotations = object.spec["auditAnnotations"].elements
        if validations.isEmpty, annotations.isEmpty {
            errors.required(path["validations"], "validations or auditAnnotations must be non-empty")
            errors.required(path["auditAnnotations"], "validations or auditAnnotations must be non-empty")
        }
        let environment = PolicyExpressions.environment(scope)
        var messages = scope
        messages.hasAuthorizer = false
        let messageEnvironment = PolicyExpressions.environment(messages)
        for (index, validation) in validations.enumerated() {
            self.validation(path["validations"][index], validation, environment, messageEnvironment)
        }
        if annotations.count > Self.maxAuditAnnotations {
            errors.invalid(
                path["auditAnnotations"], JSONValue(annotations.count),
                "must not have more than \(Self.maxAuditAnnotations) auditAnnotations")
        }
        var keys: Set<String> = []
        for (index, annotation) in annotations.enumerated() {
            let path = path["auditAnnotations"][index]
            let key = annotation["key"].string ?? ""
            errors.all(path["key"], annotation["key"], NameRules.qualifiedName("\(object.name)/\(key)"))
            if !keys.insert(key).inserted { errors.duplicate(path["key"], annotation["key"]) }
            expression(path["valueExpression"], annotation["valueExpression"], environment, [.string, .null])
        }
    }

    private mutating func validation(
        _ path: FieldPath, _ validation: JSONValue, _ environment: CELEnvironment, _ messages: CELEnvironment
    ) {
        let source = (validation["expression"].string ?? "").trimmingSpace
        expression(path["expression"], validation["expression"], environment, [.bool])
        let message = validation["message"].string ?? ""
        if !message.isEmpty {
            if message.trimmingSpace.isEmpty {
                errors.invalid(path["message"], validation["message"], "message must be non-empty if specified")
            } else if message.trimmingSpace.utf8.contains(UInt8(ascii: "\n")) {
                errors.invalid(path["message"], validation["message"], "message must not contain line breaks")
            } else if message.utf8.count > Self.maxMessageBytes {
                errors.tooLong(path["message"], Self.maxMessageBytes)
            }
        } else if source.utf8.contains(UInt8(ascii: "\n")) {
            errors.required(path["message"], "message must be specified if expression contains line breaks")
        }
        if let text = validation["messageExpression"].string, !text.isEmpty {
            if text.trimmingSpace.isEmpty {
                errors.invalid(
                    path["messageExpression"], validation["messageExpression"],
                    "messageExpression must be non-empty if specified")
            } else {
                expression(path["messageExpression"], validation["messageExpression"], messages, [.string])
            }
        }
        if let reason = validation["reason"].string, !reason.isEmpty, !Self.reasons.contains(reason) {
            errors.notSupported(path["reason"], validation["reason"], Self.reasons)
        }
    }

    private mutating func mutations(_ path: FieldPath) {
        let reinvocation = object.spec["reinvocationPolicy"]
        if (reinvocation.string ?? "").isEmpty {
            errors.required(path["reinvocationPolicy"])
        } else if !["Never", "IfNeeded"].contains(reinvocation.string) {
            errors.notSupported(path["reinvocationPolicy"], reinvocation, ["IfNeeded", "Never"])
        }
        let mutations = object.spec["mutations"].elements
        if mutations.isEmpty { errors.required(path["mutations"], "mutations must contain at least one item") }
        let environment = PolicyExpressions.environment(scope)
        for (index, mutation) in mutations.enumerated() {
            let path = path["mutations"][index]
            let members = [("ApplyConfiguration", "applyConfiguration"), ("JSONPatch", "jsonPatch")]
            guard let (kind, member) = members.first(where: { $0.0 == mutation["patchType"].string }) else {
                if mutation["patchType"].isEmpty || mutation["patchType"] == "" {
                    errors.required(path["patchType"])
                } else {
                    errors.notSupported(path["patchType"], mutation["patchType"], members.map(\.0))
                }
                continue
            }
            for (otherKind, other) in members where otherKind != kind && mutation[other].object != nil {
                errors.invalid(path[other], mutation[other], "must not be set when patchType is \(kind)")
            }
            if mutation[member].object == nil {
                errors.required(path[member], "must be specified when patchType is \(kind)")
            } else {
                let wanted: [CELType] =
                    kind == "JSONPatch"
                    ? [PolicyPatchTypes.type("JSONPatch").map { .list(.object($0)) } ?? .dyn]
                    : [PolicyPatchTypes.type("Object").map { .object($0) } ?? .dyn]
                expression(path[member]["expression"], mutation[member]["expression"], environment, wanted)
            }
        }
    }

    /// Checks an expression; its type where it is one.
    @discardableResult
    private mutating func expression(
        _ path: FieldPath, _ json: JSONValue, _ environment: CELEnvironment, _ wanted: [CELType]
    ) -> CELType? {
        let source = json.string ?? ""
        guard !source.trimmingSpace.isEmpty else {
            errors.required(path, "expression is not specified")
            return nil
        }
        do throws(CELCompileError) {
            let type = try CELProgram(compiling: source, environment: environment).resultType
            if !wanted.isEmpty, type != .dyn, !wanted.contains(type), !known.contains(source) {
                let text = wanted.map(\.description)
                let list =
                    text.count == 1
                    ? "evaluate to \(text[0])" : "evaluate to one of the types: [\(text.joined(separator: " "))]"
                errors.invalid(path, json, "must \(list)")
            }
            return type
        } catch {
            if !known.contains(source) { errors.invalid(path, json, "compilation failed: \(error)") }
            return nil
        }
    }

    // MARK: Matching

    private mutating func match(_ path: FieldPath, _ match: JSONValue) {
        let policy = match["matchPolicy"]
        if policy.isNull {
            errors.required(path["matchPolicy"])
        } else if !["Exact", "Equivalent"].contains(policy.string) {
            errors.notSupported(path["matchPolicy"], policy, ["Equivalent", "Exact"])
        }
        for member in ["namespaceSelector", "objectSelector"] {
            if match[member].isNull {
                errors.required(path[member])
            } else {
                errors.labelSelector(path[member], match[member])
            }
        }
        for member in ["resourceRules", "excludeResourceRules"] {
            for (index, rule) in match[member].elements.enumerated() { self.rule(path[member][index], rule) }
        }
    }

    private mutating func rule(_ path: FieldPath, _ rule: JSONValue) {
        var names: Set<String> = []
        for (index, name) in rule["resourceNames"].elements.enumerated() {
            let text = name.string ?? ""
            errors.all(path["resourceNames"][index], name, NameRules.pathSegment(text))
            if !names.insert(text).inserted { errors.duplicate(path["resourceNames"][index], name) }
        }
        let supported = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]
        list(path, rule, "operations", "operations")
        for (index, operation) in rule["operations"].elements.enumerated()
        where !supported.contains(operation.string ?? "") {
            errors.notSupported(path["operations"][index], operation, supported)
        }
        list(path, rule, "apiGroups", "API groups")
        list(path, rule, "apiVersions", "API versions")
        for (index, version) in rule["apiVersions"].elements.enumerated() where version == "" {
            errors.required(path["apiVersions"][index])
        }
        if rule["resources"].isEmpty { errors.required(path["resources"]) }
        for (index, resource) in rule["resources"].elements.enumerated() where resource == "" {
            errors.required(path["resources"][index])
        }
        if let scope = rule["scope"].string, !["*", "Cluster", "Namespaced"].contains(scope) {
            errors.notSupported(path["scope"], rule["scope"], ["*", "Cluster", "Namespaced"])
        }
    }

    private mutating func list(_ path: FieldPath, _ rule: JSONValue, _ member: String, _ words: String) {
        let values = rule[member].elements
        if values.isEmpty { return errors.required(path[member]) }
        if values.count > 1, values.contains("*") {
            errors.invalid(
                path[member], rule[member], "if '*' is present, must not specify other \(words)")
        }
    }

    // MARK: Bindings

    private mutating func binding() {
        let spec = object.spec
        let path: FieldPath = "spec"
        let name = spec["policyName"].string ?? ""
        if name.isEmpty {
            errors.required(path["policyName"])
        } else {
            errors.all(path["policyName"], spec["policyName"], NameRules.dns1123Subdomain(name))
        }
        if spec["paramRef"].object != nil { parameterReference(path["paramRef"], spec["paramRef"]) }
        if spec["matchResources"].object != nil { match(path["matchResources"], spec["matchResources"]) }
        if !isMutating { actions(path["validationActions"], spec["validationActions"].elements) }
    }

    private mutating func parameterReference(_ path: FieldPath, _ reference: JSONValue) {
        let name = reference["name"].string ?? ""
        let hasSelector = reference["selector"].object != nil
        if !name.isEmpty {
            errors.all(path["name"], reference["name"], NameRules.pathSegment(name))
            if hasSelector {
                errors.forbidden(path["name"], "name and selector are mutually exclusive")
            }
        } else if hasSelector {
            errors.labelSelector(path["selector"], reference["selector"])
        } else {
            errors.required(path, "one of name or selector must be specified")
        }
        let action = reference["parameterNotFoundAction"]
        if (action.string ?? "").isEmpty {
            errors.required(path["parameterNotFoundAction"])
        } else if !["Allow", "Deny"].contains(action.string) {
            errors.notSupported(path["parameterNotFoundAction"], action, ["Allow", "Deny"])
        }
    }

    private mutating func actions(_ path: FieldPath, _ actions: [JSONValue]) {
        let supported = ["Audit", "Deny", "Warn"]
        if actions.isEmpty { return errors.required(path) }
        var seen: Set<String> = []
        for (index, action) in actions.enumerated() {
            let text = action.string ?? ""
            if !supported.contains(text) { errors.notSupported(path[index], action, supported) }
            if !seen.insert(text).inserted { errors.duplicate(path[index], action) }
        }
        if seen.isSuperset(of: ["Deny", "Warn"]) {
            errors.invalid(
                path, .array(actions),
                "must not contain both Deny and Warn (repeating the same validation failure information in the API "
                    + "response and headers serves no purpose)")
        }
    }
}
