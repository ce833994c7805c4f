// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    mutating func deployment() {
        errors.notNegative("spec.replicas", spec["replicas"])
        workload(restartPolicies: ["Always"])
        let strategy = spec["strategy"]
        let path: FieldPath = "spec.strategy"
        switch strategy["type"].string ?? "" {
        case "Recreate":
            if !strategy["rollingUpdate"].isNull {
                errors.forbidden(
                    path["rollingUpdate"], "may not be specified when strategy `type` is 'Recreate'")
            }
        case "RollingUpdate": rollingUpdate(path["rollingUpdate"], strategy["rollingUpdate"])
        default: errors.notSupported(path["type"], strategy["type"], ["Recreate", "RollingUpdate"])
        }
        errors.notNegative("spec.minReadySeconds", spec["minReadySeconds"])
        errors.notNegative("spec.revisionHistoryLimit", spec["revisionHistoryLimit"])
        let deadline = spec["progressDeadlineSeconds"]
        errors.notNegative("spec.progressDeadlineSeconds", deadline)
        if let seconds = deadline.int, seconds <= spec["minReadySeconds"].int ?? 0 {
            errors.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
        }
        if let old { errors.immutable("spec.selector", spec["selector"], old["spec"]["selector"]) }
    }

    mutating func rollingUpdate(_ path: FieldPath, _ update: JSONValue) {
        for field in ["maxUnavailable", "maxSurge"] { amountOrPercent(path[field], update[field]) }
        func isZero(_ value: JSONValue) -> Bool { value == 0 || value == "0%" || value.isNull }
        if isZero(update["maxUnavailable"]), isZero(update["maxSurge"]) {
            errors.invalid(path["maxUnavailable"], update["maxUnavailable"], "may not be 0 when `maxSurge` is 0")
        }
        if let text = update["maxUnavailable"].string, let percent = Int(text.dropLast()), percent > 100 {
            errors.invalid(path["maxUnavailable"], update["maxUnavailable"], "must not be greater than 100%")
        }
    }

    mutating func amountOrPercent(_ path: FieldPath, _ value: JSONValue) {
        errors.notNegative(path, value)
        guard let text = value.string else { return }
        let digits = text.utf8.dropLast()
        if text.last != "%" || digits.isEmpty || !digits.allSatisfy({ (48...57).contains($0) }) {
            errors.invalid(
                path, value,
                """
                a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', \
                regex used for validation is '[0-9]+%')
                """)
        }
    }

    /// What workloads have in common: a selector that matches the template, and the template.
    ///
    /// `kind`: as the errors name it.
    mutating func workload(restartPolicies: [String], _ kind: String = "Deployment") {
        let selector = spec["selector"]
        let template = spec["template"]
        if selector.isNull {
            errors.required("spec.selector")
        } else {
            errors.labelSelector("spec.selector", selector)
            if selector["matchLabels"].isEmpty, selector["matchExpressions"].isEmpty {
                errors.invalid("spec.selector", selector, "empty selector is invalid for \(kind.lowercased())")
            } else {
                matchTemplate(selector, template)
            }
        }
        let owner = kind == "Deployment" ? "ReplicaSet" : kind
        self.template("spec.template", template, restartPolicies: restartPolicies, owner)
    }

    mutating func matchTemplate(_ selector: JSONValue, _ template: JSONValue) {
        let labels = template["metadata"]["labels"]
        guard let parsed = try? LabelSelector(json: selector), !parsed.matches(labels.stringMembers) else { return }
        errors.invalid(
            "spec.template.metadata.labels", labels.isNull ? [:] : labels,
            "`selector` does not match template `labels`")
    }

    /// A pod template; `restartPolicies` are those that its workload allows, nil for all.
    mutating func template(_ path: FieldPath, _ template: JSONValue, restartPolicies: [String]?, _ kind: String = "") {
        // Upstream leaves `metadata` out of these two paths.
        errors.labels(path["labels"], template["metadata"]["labels"])
        for key in template["metadata"]["annotations"].members.keys.sorted() {
            errors.all(path["annotations"], .string(key), NameRules.qualifiedName(key.lowercased()))
        }
        let spec = template["spec"]
        podSpec(path["spec"], spec)
        if !spec["ephemeralContainers"].isEmpty {
            errors.forbidden(path["spec"]["ephemeralContainers"], "ephemeral containers not allowed in pod template")
        }
        guard let restartPolicies else { return }
        let policy = spec["restartPolicy"]
        let isKnown = ["Always", "OnFailure", "Never"].contains(policy.string ?? "")
        if isKnown { errors.oneOf(path["spec"]["restartPolicy"], policy, restartPolicies) }
        if !spec["activeDeadlineSeconds"].isNull, restartPolicies == ["Always"] {
            errors.forbidden(
                path["spec"]["activeDeadlineSeconds"], "activeDeadlineSeconds in \(kind) is not Supported")
        }
    }

    mutating func replicaSet(_ kind: GroupVersionKind) {
        errors.notNegative("spec.replicas", spec["replicas"])
        errors.notNegative("spec.minReadySeconds", spec["minReadySeconds"])
        guard kind.kind == "ReplicationController" else {
            workload(restartPolicies: ["Always"])
            if let old { errors.immutable("spec.selector", spec["selector"], old["spec"]["selector"]) }
            return
        }
        if spec["selector"].isEmpty {
            errors.required("spec.selector")
        } else {
            matchTemplate(["matchLabels": spec["selector"]], spec["template"])
        }
        if spec["template"].isNull {
            errors.required("spec.template")
        } else {
            template("spec.template", spec["template"], restartPolicies: ["Always"], kind.kind)
        }
    }

    mutating func statefulSet() {
        let policy = spec["podManagementPolicy"]
        if !["OrderedReady", "Parallel"].contains(policy.string ?? "") {
            errors.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
        }
        let strategy = spec["updateStrategy"]
        let path: FieldPath = "spec.updateStrategy"
        switch strategy["type"].string ?? "" {
        case "OnDelete":
            if !strategy["rollingUpdate"].isNull {
                errors.invalid(
                    path["rollingUpdate"], strategy["rollingUpdate"],
                    "only allowed for updateStrategy 'RollingUpdate'")
            }
        case "RollingUpdate":
            let update = strategy["rollingUpdate"]
            errors.notNegative(path["rollingUpdate"]["partition"], update["partition"])
            amountOrPercent(path["rollingUpdate"]["maxUnavailable"], update["maxUnavailable"])
            notOverAll(path["rollingUpdate"]["maxUnavailable"], update["maxUnavailable"])
            if update["maxUnavailable"] == 0 || update["maxUnavailable"] == "0%" {
                errors.invalid(path["rollingUpdate"]["maxUnavailable"], update["maxUnavailable"], "cannot be 0")
            }
        default: errors.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")
        }
        let retention = spec["persistentVolumeClaimRetentionPolicy"]
        for field in ["whenDeleted", "whenScaled"] {
            errors.oneOf(
                FieldPath("spec.persistentVolumeClaimRetentionPolicy")[field], retention[field], ["Delete", "Retain"])
        }
        for field in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
            errors.notNegative(FieldPath("spec")[field], spec[field])
        }
        errors.notNegative("spec.ordinals.start", spec["ordinals"]["start"])
        workload(restartPolicies: ["Always"], "StatefulSet")
        guard let old else { return }
        var allowed = spec
        for field in [
            "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
        ] {
            allowed[field] = old["spec"][field]
        }
        if allowed != old["spec"] {
            errors.forbidden(
                "spec",
                """
                updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                'minReadySeconds' are forbidden
                """)
        }
    }

    mutating func daemonSet() {
        workload(restartPolicies: ["Always"], "DaemonSet")
        for field in ["minReadySeconds", "revisionHistoryLimit"] {
            errors.notNegative(FieldPath("spec")[field], spec[field])
        }
        let strategy = spec["updateStrategy"]
        errors.oneOf("spec.updateStrategy.type", strategy["type"], ["RollingUpdate", "OnDelete"])
        if strategy["type"] == "RollingUpdate" {
            let path: FieldPath = "spec.updateStrategy.rollingUpdate"
            let update = strategy["rollingUpdate"]
            for field in ["maxUnavailable", "maxSurge"] {
                amountOrPercent(path[field], update[field])
                notOverAll(path[field], update[field])
            }
            func isZero(_ value: JSONValue) -> Bool { value == 0 || value == "0%" || value.isNull }
            switch (isZero(update["maxUnavailable"]), isZero(update["maxSurge"])) {
            case (false, false):
                errors.invalid(path["maxSurge"], update["maxSurge"], "may not be set when maxUnavailable is non-zero")
            case (true, true): errors.required(path["maxUnavailable"], "cannot be 0 when maxSurge is 0")
            default: break
            }
        }
        if let old { errors.immutable("spec.selector", spec["selector"], old["spec"]["selector"]) }
    }

    /// A percentage of at most 100.
    private mutating func notOverAll(_ path: FieldPath, _ value: JSONValue) {
        guard let text = value.string, text.hasSuffix("%"), let percent = Int(text.dropLast()), percent > 100 else {
            return
        }
        errors.invalid(path, value, "must not be greater than 100%")
    }

    mutating func controllerRevision() {
        if object["data"].isNull { errors.required("data", "data is mandatory") }
        errors.notNegative("revision", object["revision"])
        if let old { errors.immutable("data", object["data"], old["data"]) }
    }

    mutating func disruptionBudget() {
        for field in ["minAvailable", "maxUnavailable"] {
            amountOrPercent(FieldPath("spec")[field], spec[field])
            notOverAll(FieldPath("spec")[field], spec[field])
        }
        if !spec["unhealthyPodEvictionPolicy"].isNull {
            errors.oneOf(
                "spec.unhealthyPodEvictionPolicy", spec["unhealthyPodEvictionPolicy"],
                ["AlwaysAllow", "IfHealthyBudget"])
        }
        if !spec["minAvailable"].isNull, !spec["maxUnavailable"].isNull {
            errors.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
        }
        errors.labelSelector("spec.selector", spec["selector"])
    }
}
