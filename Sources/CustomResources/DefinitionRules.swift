// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What a CustomResourceDefinition must look like.
///
/// Source: Kubernetes API reference, CustomResourceDefinition v1, and the messages of apiextensions-apiserver. What all
/// versions have alike is blamed once, in `spec.validation`, `spec.subresources` and `spec.additionalPrinterColumns`:
/// upstream checks its internal form, in which it stands there.
package enum DefinitionRules {
    /// The finalizer under which a definition waits for its objects to go.
    package static let cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io"
    /// The most selectable fields of a version.
    static let mostSelectableFields = 8
    /// The annotation without which groups of Kubernetes itself are refused.
    static let approvalAnnotation = "api-approved.kubernetes.io"

    /// What is wrong with a definition whose types are right and whose defaults are set.
    package static func check(_ object: KubeObject, old: KubeObject?) -> [StatusCause] {
        var check = DefinitionCheck(object)
        check.run(old)
        return check.causes
    }
}

private struct DefinitionCheck {
    private let object: KubeObject
    private let spec: JSONValue
    private var errors = FieldErrors()
    /// Faults of schemas, which come with their paths.
    private var schemaCauses: [StatusCause] = []

    init(_ object: KubeObject) {
        self.object = object
        spec = object.spec
    }

    var causes: [StatusCause] { Array((errors.causes + schemaCauses).prefix(100)) }

    mutating func run(_ old: KubeObject?) {
        let plural = spec["names"]["plural"].string ?? ""
        let group = spec["group"].string ?? ""
        if old == nil, object.name != "\(plural).\(group)" {
            errors.invalid(
                "metadata.name", .string(object.name), "must be spec.names.plural+\".\"+spec.group")
        }
        checkGroup(group)
        if (spec["scope"].string ?? "").isEmpty {
            errors.required("spec.scope")
        } else {
            errors.oneOf("spec.scope", spec["scope"], ["Cluster", "Namespaced"])
        }
        checkVersions()
        checkNames()
        checkConversion()
        if spec["preserveUnknownFields"] == true {
            errors.invalid(
                "spec.preserveUnknownFields", true,
                "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema "
                    + "instead")
        }
        if let old { checkChange(old) }
        checkStored()
        checkApproval(group, old)
    }

    private mutating func checkGroup(_ group: String) {
        if group.isEmpty { return errors.required("spec.group") }
        let faults = NameRules.dns1123Subdomain(group)
        if !faults.isEmpty {
            errors.invalid("spec.group", .string(group), faults.joined(separator: ","))
        } else if !group.contains(".") {
            errors.invalid("spec.group", .string(group), "should be a domain with at least one dot")
        }
    }

    // MARK: Versions

    private mutating func checkVersions() {
        let path: FieldPath = "spec.versions"
        let versions = spec["versions"].elements
        var names: Set<String> = []
        for (index, version) in versions.enumerated() {
            if version["schema"]["openAPIV3Schema"].isNull {
                errors.required(path[index]["schema"]["openAPIV3Schema"])
            }
            let name = version["name"].string ?? ""
            names.insert(name)
            let faults = NameRules.dns1035Label(name)
            if !faults.isEmpty {
                errors.invalid(path[index]["name"], .string(name), faults.joined(separator: ","))
            }
            checkDeprecation(version, path[index])
        }
        func isShared(_ name: String) -> Bool {
            versions.dropFirst().allSatisfy { $0[name] == versions[0][name] }
        }
        guard let first = versions.first else {
            errors.invalid(
                path, spec["versions"], "must have exactly one version marked as storage version")
            return
        }
        if isShared("schema") {
            let hasStatus = versions.contains { !$0["subresources"]["status"].isNull }
            checkSchema(first["schema"], "spec.validation", hasStatus: hasStatus)
        } else {
            for (index, version) in versions.enumerated() {
                checkSchema(
                    version["schema"], path[index]["schema"], hasStatus: !version["subresources"]["status"].isNull)
            }
        }
        for (name, check) in Self.parts {
            if isShared(name) {
                check(&self, first, FieldPath("spec.\(name)"))
            } else {
                for (index, version) in versions.enumerated() { check(&self, version, path[index][name]) }
            }
        }
        if names.count < versions.count {
            errors.invalid(path, spec["versions"], "must contain unique version names")
        }
        if versions.count(where: { $0["storage"] == true }) != 1 {
            errors.invalid(
                path, spec["versions"], "must have exactly one version marked as storage version")
        }
    }

    private static let parts: [(String, @Sendable (inout DefinitionCheck, JSONValue, FieldPath) -> Void)] = [
        ("subresources", { $0.checkScale($1["subresources"]["scale"], $2) }),
        ("additionalPrinterColumns", { $0.checkColumns($1["additionalPrinterColumns"], $2) }),
        ("selectableFields", { $0.checkSelectable($1, $2) }),
    ]

    private mutating func checkDeprecation(_ version: JSONValue, _ path: FieldPath) {
        guard let warning = version["deprecationWarning"].string else { return }
        let path = path["deprecationWarning"]
        if version["deprecated"] != true {
            return errors.invalid(path, .string(warning), "can only be set for deprecated versions")
        }
        if warning.utf8.count > 256 { errors.invalid(path, .string(warning), "must be <= 256 characters long") }
        if warning.isEmpty { errors.invalid(path, .string(warning), "must not be an empty string") }
        if let index = warning.utf8.firstIndex(where: { $0 < 0x20 || $0 == 0x7F }) {
            let offset = warning.utf8.distance(from: warning.utf8.startIndex, to: index)
            errors.invalid(
                path, .string(warning),
                "must only contain printable UTF-8 characters; non-printable character found at index \(offset)")
        }
    }

    private mutating func checkSchema(_ validation: JSONValue, _ path: FieldPath, hasStatus: Bool) {
        let json = validation["openAPIV3Schema"]
        guard json.object != nil else { return }
        let path = path["openAPIV3Schema"]
        let faults = SchemaRules.check(json, path: path, hasStatus: hasStatus)
        guard faults.isEmpty else {
            schemaCauses += faults
            return
        }
        do throws(SchemaError) {
            let schema = try StructuralSchema.read(json, path: path)
            let faults = DefaultRules.check(schema, path: path)
            schemaCauses += faults
            guard faults.isEmpty else { return }
            let rules = RuleTree.compile(schema, json: json, path: path)
            schemaCauses += rules.faults
            if rules.faults.isEmpty, let tree = rules.tree {
                schemaCauses += DefaultRules.check(tree, path: path)
            }
        } catch {
            schemaCauses.append(error.cause)
        }
    }

    private mutating func checkScale(_ scale: JSONValue, _ path: FieldPath) {
        guard scale.object != nil else { return }
        func check(_ name: String, isRequired: Bool, _ prefixes: [String], _ detail: String) {
            let field = FieldPath("\(path).scale.\(name)")
            let text = scale[name].string ?? ""
            if text.isEmpty {
                if isRequired { errors.required(field) }
            } else if text.first != "." {
                errors.invalid(field, .string(text), "must be a simple json path starting with .")
            } else if !prefixes.contains(where: text.hasPrefix) {
                errors.invalid(field, .string(text), detail)
            }
        }
        check("specReplicasPath", isRequired: true, [".spec."], "should be a json path under .spec")
        check("statusReplicasPath", isRequired: true, [".status."], "should be a json path under .status")
        check(
            "labelSelectorPath", isRequired: false, [".spec.", ".status."],
            "should be a json path under either .spec or .status")
    }

    private static let columnTypes = ["boolean", "date", "integer", "number", "string"]
    private static let columnFormats = [
        "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
    ]

    private mutating func checkColumns(_ columns: JSONValue, _ path: FieldPath) {
        for (index, column) in columns.elements.enumerated() {
            let path = path[index]
            if (column["name"].string ?? "").isEmpty { errors.required(path["name"]) }
            let type = column["type"].string ?? ""
            let detail = "must be one of \(Self.columnTypes.joined(separator: ","))"
            if type.isEmpty {
                errors.required(path["type"], detail)
            } else if !Self.columnTypes.contains(type) {
                errors.invalid(path["type"], .string(type), detail)
            }
            if let format = column["format"].string, !format.isEmpty, !Self.columnFormats.contains(format) {
                errors.invalid(
                    path["format"], .string(format), "must be one of \(Self.columnFormats.joined(separator: ","))")
            }
            let jsonPath = column["jsonPath"].string ?? ""
            if jsonPath.isEmpty {
                errors.required(path["JSONPath"])
            } else if jsonPath.first != "." {
                errors.invalid(
                    path["JSONPath"], .string(jsonPath), "must be a simple json path starting with .")
            }
        }
    }

    private mutating func checkSelectable(_ version: JSONValue, _ path: FieldPath) {
        let fields = version["selectableFields"].elements
        var seen: Set<String> = []
        for (index, field) in fields.enumerated() {
            let path = path[index]["jsonPath"]
            let text = field["jsonPath"].string ?? ""
            if text.isEmpty {
                errors.required(path)
                continue
            }
            if text.contains("[") {
                errors.invalid(path, .string(text), "is an invalid path: array notation is not allowed")
                continue
            }
            var schema = version["schema"]["openAPIV3Schema"]
            let names = text.split(separator: ".").map(String.init)
            for name in names { schema = schema["properties"][name] }
            if text.first != "." || names.isEmpty || schema.isNull {
                errors.invalid(path, .string(text), "is an invalid path: does not refer to a valid field")
                continue
            }
            if names.first == "metadata" {
                errors.invalid(path, .string(text), "must not point to fields in metadata")
            }
            if !["string", "boolean", "integer"].contains(schema["type"].string ?? "") {
                errors.invalid(
                    path, .string(text),
                    "must point to a field of type string, boolean or integer. Enum string fields and strings with "
                        + "formats are allowed.")
            }
            if !seen.insert(text).inserted { errors.duplicate(path, .string(text)) }
        }
        if seen.count > DefinitionRules.mostSelectableFields {
            errors.tooMany(path, seen.count, DefinitionRules.mostSelectableFields)
        }
    }

    // MARK: Names

    private mutating func checkNames() {
        let names = spec["names"]
        let path: FieldPath = "spec.names"
        for name in ["plural", "singular", "kind", "listKind"] where (names[name].string ?? "").isEmpty {
            errors.required(path[name])
        }
        for name in ["plural", "singular"] { check(names[name], path[name], isCased: false) }
        for name in ["kind", "listKind"] { check(names[name], path[name], isCased: true) }
        for (index, name) in names["shortNames"].elements.enumerated() {
            check(name, path["shortNames"][index], isCased: false, mayBeEmpty: false)
        }
        if let kind = names["kind"].string, !kind.isEmpty, names["listKind"].string == kind {
            errors.invalid(path["listKind"], .string(kind), "kind and listKind may not be the same")
        }
        for (index, name) in names["categories"].elements.enumerated() {
            check(name, path["categories"][index], isCased: false, mayBeEmpty: false)
        }
    }

    private mutating func check(_ value: JSONValue, _ path: FieldPath, isCased: Bool, mayBeEmpty: Bool = true) {
        let text = value.string ?? ""
        if text.isEmpty, mayBeEmpty { return }
        let faults = NameRules.dns1035Label(isCased ? text.lowercased() : text)
        guard !faults.isEmpty else { return }
        let prefix = isCased ? "may have mixed case, but should otherwise match: " : ""
        errors.invalid(path, .string(text), prefix + faults.joined(separator: ","))
    }

    // MARK: The rest

    private mutating func checkConversion() {
        let conversion = spec["conversion"]
        guard conversion.object != nil else { return }
        let path: FieldPath = "spec.conversion"
        let strategy = conversion["strategy"].string ?? ""
        if strategy.isEmpty {
            errors.required(path["strategy"])
        } else {
            errors.oneOf(path["strategy"], conversion["strategy"], ["None", "Webhook"])
        }
        let webhook = conversion["webhook"]
        if strategy == "Webhook" {
            let config = webhook["clientConfig"]
            if config.isNull {
                errors.required(path["webhookClientConfig"], "required when strategy is set to Webhook")
            } else if config["url"].isNull == config["service"].isNull {
                errors.required(path["webhookClientConfig"], "exactly one of url or service is required")
            }
            let versions = webhook["conversionReviewVersions"].elements.compactMap(\.string)
            if versions.isEmpty {
                errors.required(path["conversionReviewVersions"])
            } else if !versions.contains(where: { $0 == "v1" || $0 == "v1beta1" }) {
                errors.invalid(
                    path["conversionReviewVersions"], webhook["conversionReviewVersions"],
                    "must include at least one of v1, v1beta1")
            }
        } else if !webhook["clientConfig"].isNull {
            errors.forbidden(
                path["webhookClientConfig"], "should not be set when strategy is not set to Webhook")
        }
    }

    private mutating func checkChange(_ old: KubeObject) {
        if Conditions.isTrue("Established", in: old.status) {
            errors.immutable("spec.scope", spec["scope"], old.spec["scope"])
            errors.immutable("spec.names.kind", spec["names"]["kind"], old.spec["names"]["kind"])
        }
        errors.immutable("spec.group", spec["group"], old.spec["group"])
        errors.immutable("spec.names.plural", spec["names"]["plural"], old.spec["names"]["plural"])
    }

    private mutating func checkStored() {
        let path: FieldPath = "status.storedVersions"
        let stored = object.status["storedVersions"].elements.compactMap(\.string)
        if stored.isEmpty {
            return errors.invalid(path, .array([]), "must have at least one stored version")
        }
        let versions = spec["versions"].elements
        for version in versions where version["storage"] == true {
            let name = version["name"].string ?? ""
            if !stored.contains(name) {
                errors.invalid(path, JSONValue(stored), "must have the storage version \(name)")
            }
        }
        for (index, name) in stored.enumerated() where !versions.contains(where: { $0["name"].string == name }) {
            errors.invalid(
                path[index], .string(name),
                "missing from spec.versions; \(name) was previously a storage version, and must remain in "
                    + "spec.versions until a storage migration ensures no data remains persisted in \(name) and "
                    + "removes \(name) from status.storedVersions")
        }
    }

    private mutating func checkApproval(_ group: String, _ old: KubeObject?) {
        let isProtected =
            group == "k8s.io" || group.hasSuffix(".k8s.io") || group == "kubernetes.io"
            || group.hasSuffix(".kubernetes.io")
        guard isProtected else { return }
        let name = DefinitionRules.approvalAnnotation
        let value = object.annotations[name] ?? ""
        if let old, old.annotations[name] ?? "" == value { return }
        let path = FieldPath("metadata.annotations").key(name)
        let help = "see https://github.com/kubernetes/enhancements/pull/1111"
        if value.isEmpty {
            errors.required(path, "protected groups must have approval annotation \"\(name)\", \(help)")
        } else if !value.hasPrefix("unapproved"), !value.hasPrefix("https://"), !value.hasPrefix("http://") {
            errors.invalid(
                path, .string(value),
                "protected groups must have approval annotation \"\(name)\" with either a URL or a reason starting "
                    + "with \"unapproved\", \(help)")
        }
    }
}
