// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// What of a pod may change once it is there.
extension SemanticCheck {
    mutating func podUpdate(_ old: JSONValue) {
        for list in ["containers", "initContainers"] where spec[list].elements.count != old[list].elements.count {
            return errors.forbidden(FieldPath("spec")[list], "pod updates may not add or remove containers")
        }
        guard deadlineIsShortened(old) else { return }
        tolerationsAreAdded(old)
        gatesAreRemoved(old)
        // What may change is made equal; if a difference is left, something else was changed.
        var allowed = spec
        for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates", "ephemeralContainers"] {
            allowed[field] = old[field]
        }
        if old["terminationGracePeriodSeconds"].int ?? 0 < 0, spec["terminationGracePeriodSeconds"] == 1 {
            allowed["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
        }
        if old["nodeName"].isNull, !spec["nodeName"].isNull { allowed["nodeName"] = nil }
        for list in ["containers", "initContainers"] {
            var index = 0
            allowed[list].forEachElement { container in
                container["image"] = old[list][index]["image"]
                index += 1
            }
        }
        if !old["schedulingGates"].isEmpty { placementIsNarrowed(&allowed, old) }
        if allowed != old {
            errors.forbidden(
                "spec",
                """
                pod updates may not change fields other than `spec.containers[*].image`,\
                `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
                existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                previously negative)
                """)
        }
    }

    /// Returns whether the rest has to be looked at.
    private mutating func deadlineIsShortened(_ old: JSONValue) -> Bool {
        let path: FieldPath = "spec.activeDeadlineSeconds"
        let before = old["activeDeadlineSeconds"].int
        if let after = spec["activeDeadlineSeconds"].int {
            guard let before, before < after else { return true }
            errors.invalid(path, spec["activeDeadlineSeconds"], "must be less than or equal to previous value")
            return false
        }
        if before != nil {
            errors.invalid(path, .null, "must not update from a positive integer to nil value")
        }
        return true
    }

    private mutating func tolerationsAreAdded(_ old: JSONValue) {
        let kept = Set(
            spec["tolerations"].elements.map { toleration in
                var toleration = toleration
                toleration["tolerationSeconds"] = nil
                return toleration
            })
        for toleration in old["tolerations"].elements {
            var toleration = toleration
            toleration["tolerationSeconds"] = nil
            if !kept.contains(toleration) {
                return errors.forbidden(
                    "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
            }
        }
    }

    private mutating func gatesAreRemoved(_ old: JSONValue) {
        let before = Set(old["schedulingGates"].elements.compactMap { $0["name"].string })
        for (index, gate) in spec["schedulingGates"].elements.enumerated() {
            guard let name = gate["name"].string, !before.contains(name) else { continue }
            errors.forbidden(
                FieldPath("spec.schedulingGates")[index]["name"],
                "only deletion is allowed, but found new scheduling gate '\(name)'")
        }
    }

    /// While gates hold a pod back, where it may run may be narrowed.
    private mutating func placementIsNarrowed(_ allowed: inout JSONValue, _ old: JSONValue) {
        for (key, value) in old["nodeSelector"].members.sorted(by: { $0.key < $1.key })
        where spec["nodeSelector"][key] != value {
            errors.invalid(
                "spec.nodeSelector", spec["nodeSelector"].isNull ? [:] : spec["nodeSelector"],
                "only additions to spec.nodeSelector are allowed (no mutations or deletions)")
            break
        }
        allowed["nodeSelector"] = old["nodeSelector"]
        let required = "requiredDuringSchedulingIgnoredDuringExecution"
        let before = old["affinity"]["nodeAffinity"][required]["nodeSelectorTerms"].elements
        let after = spec["affinity"]["nodeAffinity"][required]["nodeSelectorTerms"].elements
        let path = FieldPath("spec.affinity.nodeAffinity")[required]["nodeSelectorTerms"]
        if !before.isEmpty {
            if before.count != after.count {
                errors.invalid(
                    path, .array(after), "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
            } else {
                for (index, term) in before.enumerated() {
                    for field in ["matchExpressions", "matchFields"]
                    where !Set(after[index][field].elements).isSuperset(of: term[field].elements) {
                        errors.invalid(
                            path[index], after[index],
                            "only additions are allowed (no mutations or deletions)")
                    }
                }
            }
        }
        if allowed["affinity"].isNull, !old["affinity"]["nodeAffinity"].isNull || !allowed["affinity"].isNull {
            allowed["affinity"] = [:]
        }
        allowed["affinity"]["nodeAffinity"] = old["affinity"]["nodeAffinity"]
        if allowed["affinity"].isEmpty, old["affinity"].isNull { allowed["affinity"] = nil }
    }
}
