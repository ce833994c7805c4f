// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    mutating func accessControl(_ kind: GroupVersionKind) {
        for (index, rule) in object["rules"].elements.enumerated() {
            let path = FieldPath("rules")[index]
            if rule["verbs"].isEmpty { errors.required(path["verbs"], "verbs must contain at least one value") }
            if !rule["nonResourceURLs"].isEmpty {
                if kind.kind == "Role" {
                    errors.invalid(
                        path["nonResourceURLs"], rule["nonResourceURLs"],
                        "namespaced rules cannot apply to non-resource URLs")
                }
                if !rule["apiGroups"].isEmpty || !rule["resources"].isEmpty {
                    errors.invalid(
                        path["nonResourceURLs"], rule["nonResourceURLs"],
                        "rules cannot apply to both regular resources and non-resource URLs")
                }
                continue
            }
            if rule["apiGroups"].isEmpty {
                errors.required(path["apiGroups"], "resource rules must supply at least one api group")
            }
            if rule["resources"].isEmpty {
                errors.required(path["resources"], "resource rules must supply at least one resource")
            }
        }
        guard kind.kind.hasSuffix("Binding") else { return }
        let role = object["roleRef"]
        errors.oneOf("roleRef.apiGroup", role["apiGroup"], [kind.group])
        errors.oneOf(
            "roleRef.kind", role["kind"], kind.kind == "RoleBinding" ? ["Role", "ClusterRole"] : ["ClusterRole"])
        if (role["name"].string ?? "").isEmpty { errors.required("roleRef.name") }
        for (index, subject) in object["subjects"].elements.enumerated() {
            let path = FieldPath("subjects")[index]
            if (subject["name"].string ?? "").isEmpty { errors.required(path["name"]) }
            errors.oneOf(path["kind"], subject["kind"], ["ServiceAccount", "User", "Group"])
            if subject["kind"] == "ServiceAccount", (subject["namespace"].string ?? "").isEmpty {
                errors.required(path["namespace"])
            }
        }
        if let old, role != old["roleRef"] { errors.invalid("roleRef", role, "cannot change roleRef") }
    }
}
