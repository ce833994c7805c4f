// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Jobs and CronJobs.
extension SemanticCheck {
    /// Most completions and pods at a time of an indexed Job with a limit per index.
    private static let completionsLimit = 100_000
    private static let parallelismLimit = 10_000
    private static let maxRules = 20
    private static let maxExitCodes = 255
    private static let maxSucceededIndexesBytes = 64 * 1024

    mutating func job() {
        let name = object["metadata"]["name"].string ?? ""
        if spec["completionMode"] == "Indexed", let completions = spec["completions"].int, completions > 0 {
            let hostname = "\(name)-\(completions - 1)"
            if !NameRules.dns1123Label(hostname).isEmpty {
                errors.invalid(
                    "metadata.name", .string(name),
                    "will not able to create pod with invalid DNS label: \(hostname)")
            }
        }
        jobSpec("spec", spec)
        generatedSelector()
        guard let old else { return }
        let oldSpec = old["spec"]
        let isElastic = spec["completionMode"] == "Indexed" && spec["completions"] == spec["parallelism"]
        if !isElastic { errors.immutable("spec.completions", spec["completions"], oldSpec["completions"]) }
        for field in [
            "selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy",
        ] {
            errors.immutable(FieldPath("spec")[field], spec[field], oldSpec[field])
        }
        // While a job is suspended, its pods' placement may still change.
        var template = spec["template"]
        if oldSpec["suspend"] == true, old["status"]["startTime"].isNull {
            let oldTemplate = oldSpec["template"]
            template["metadata"]["labels"] = oldTemplate["metadata"]["labels"]
            template["metadata"]["annotations"] = oldTemplate["metadata"]["annotations"]
            for field in ["nodeSelector", "tolerations", "affinity", "schedulingGates"] {
                template["spec"][field] = oldTemplate["spec"][field]
            }
        }
        if template != oldSpec["template"] {
            errors.invalid("spec.template", spec["template"], "field is immutable")
        }
    }

    /// The selector: given with `manualSelector`, else made by the server, and matching the template.
    private mutating func generatedSelector() {
        let selector = spec["selector"]
        guard !selector.isNull else {
            if spec["manualSelector"] == true { errors.required("spec.selector") }
            return
        }
        errors.labelSelector("spec.selector", selector)
        if spec["manualSelector"] != true, let uid = object["metadata"]["uid"].string,
            selector["matchLabels"]["batch.kubernetes.io/controller-uid"].string != uid,
            selector["matchLabels"]["controller-uid"].string != uid
        {
            errors.invalid("spec.selector", selector, "`selector` not auto-generated")
        }
        matchTemplate(selector, spec["template"])
    }

    mutating func jobSpec(_ path: FieldPath, _ spec: JSONValue) {
        for field in [
            "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
            "backoffLimitPerIndex", "maxFailedIndexes",
        ] {
            errors.notNegative(path[field], spec[field])
        }
        if !spec["managedBy"].isNull {
            let manager = spec["managedBy"].string ?? ""
            errors.all(path["managedBy"], .string(manager), NameRules.domainPrefixedPath(manager))
            if manager.utf8.count > 63 { errors.tooLong(path["managedBy"], 63) }
        }
        let mode = spec["completionMode"]
        if !mode.isNull { errors.oneOf(path["completionMode"], mode, ["Indexed", "NonIndexed"]) }
        if mode == "Indexed" { indexed(path, spec) } else { notIndexed(path, spec) }
        replacement(path, spec)
        if !spec["podFailurePolicy"].isNull { failurePolicy(path, spec) }
        if !spec["successPolicy"].isNull { successPolicy(path, spec) }
        template(path["template"], spec["template"], restartPolicies: ["OnFailure", "Never"])
    }

    private mutating func indexed(_ path: FieldPath, _ spec: JSONValue) {
        guard let completions = spec["completions"].int else {
            return errors.required(path["completions"], "when completion mode is Indexed")
        }
        let parallelism = spec["parallelism"].int ?? 0
        if parallelism > Self.completionsLimit {
            errors.invalid(
                path["parallelism"], spec["parallelism"],
                "must be less than or equal to \(Self.completionsLimit) when completion mode is Indexed")
        }
        let most = spec["maxFailedIndexes"]
        if let most = most.int {
            if most > completions {
                errors.invalid(
                    path["maxFailedIndexes"], spec["maxFailedIndexes"], "must be less than or equal to completions")
            } else if most > Self.completionsLimit {
                errors.invalid(
                    path["maxFailedIndexes"], spec["maxFailedIndexes"],
                    "must be less than or equal to \(Self.completionsLimit)")
            }
            if spec["backoffLimitPerIndex"].isNull {
                errors.required(path["backoffLimitPerIndex"], "when maxFailedIndexes is specified")
            }
        }
        guard !spec["backoffLimitPerIndex"].isNull, completions > Self.completionsLimit else { return }
        let reason = "when completions are above \(Self.completionsLimit) and used with backoff limit per index"
        if parallelism > Self.parallelismLimit {
            errors.invalid(
                path["parallelism"], spec["parallelism"],
                "must be less than or equal to \(Self.parallelismLimit) \(reason)")
        }
        if most.isNull {
            errors.required(
                path["maxFailedIndexes"], "must be specified when completions is above \(Self.completionsLimit)")
        } else if most.int ?? 0 > Self.parallelismLimit {
            errors.invalid(
                path["maxFailedIndexes"], most, "must be less than or equal to \(Self.parallelismLimit) \(reason)")
        }
    }

    private mutating func notIndexed(_ path: FieldPath, _ spec: JSONValue) {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] where !spec[field].isNull {
            errors.invalid(path[field], spec[field], "requires indexed completion mode")
        }
    }

    private mutating func replacement(_ path: FieldPath, _ spec: JSONValue) {
        let policy = spec["podReplacementPolicy"]
        guard !policy.isNull else { return }
        let isConfined = !spec["podFailurePolicy"].isNull
        errors.oneOf(
            path["podReplacementPolicy"], policy, isConfined ? ["Failed"] : ["Failed", "TerminatingOrFailed"])
    }

    // MARK: Policies

    private mutating func failurePolicy(_ path: FieldPath, _ spec: JSONValue) {
        let podSpec = spec["template"]["spec"]
        if podSpec["restartPolicy"] != "Never" {
            errors.invalid(
                path["template"]["spec"]["restartPolicy"], podSpec["restartPolicy"],
                "only \"Never\" is supported when podFailurePolicy is specified")
        }
        let path = path["podFailurePolicy"]["rules"]
        let rules = spec["podFailurePolicy"]["rules"].elements
        if rules.count > Self.maxRules { return errors.tooMany(path, rules.count, Self.maxRules) }
        let containers = (podSpec["containers"].elements + podSpec["initContainers"].elements).map { $0["name"] }
        for (index, rule) in rules.enumerated() {
            failureRule(path[index], rule, containers: containers, hasLimit: !spec["backoffLimitPerIndex"].isNull)
        }
    }

    private mutating func failureRule(
        _ path: FieldPath, _ rule: JSONValue, containers: [JSONValue], hasLimit: Bool
    ) {
        let action = rule["action"].string ?? ""
        let actions = ["Count", "FailIndex", "FailJob", "Ignore"]
        if action.isEmpty {
            errors.required(path["action"], "valid values: \(actions.map { "\"\($0)\"" }.joined(separator: ", "))")
        } else if action == "FailIndex", !hasLimit {
            errors.invalid(path["action"], rule["action"], "requires the backoffLimitPerIndex to be set")
        } else {
            errors.oneOf(path["action"], rule["action"], actions)
        }
        let codes = rule["onExitCodes"]
        if !codes.isNull { exitCodes(path["onExitCodes"], codes, containers: containers) }
        let patterns = rule["onPodConditions"].elements
        if patterns.count > Self.maxRules {
            errors.tooMany(path["onPodConditions"], patterns.count, Self.maxRules)
        }
        for (index, pattern) in patterns.prefix(Self.maxRules).enumerated() {
            let path = path["onPodConditions"][index]
            errors.all(path["type"], pattern["type"], NameRules.qualifiedName(pattern["type"].string ?? ""))
            if pattern["status"].isNull {
                errors.required(path["status"], "valid values: \"False\", \"True\", \"Unknown\"")
            } else {
                errors.oneOf(path["status"], pattern["status"], ["False", "True", "Unknown"])
            }
        }
        if !codes.isNull, !patterns.isEmpty {
            errors.invalid(path, rule, "specifying both OnExitCodes and OnPodConditions is not supported")
        }
        if codes.isNull, patterns.isEmpty {
            errors.invalid(path, rule, "specifying one of OnExitCodes and OnPodConditions is required")
        }
    }

    private mutating func exitCodes(_ path: FieldPath, _ codes: JSONValue, containers: [JSONValue]) {
        let isIn = codes["operator"] == "In"
        if (codes["operator"].string ?? "").isEmpty {
            errors.required(path["operator"], "valid values: \"In\", \"NotIn\"")
        } else {
            errors.oneOf(path["operator"], codes["operator"], ["In", "NotIn"])
        }
        if !codes["containerName"].isNull, !containers.contains(codes["containerName"]) {
            errors.invalid(
                path["containerName"], codes["containerName"],
                "must be one of the container or initContainer names in the pod template")
        }
        let values = codes["values"].elements
        if values.isEmpty {
            errors.invalid(path["values"], .array([]), "at least one value is required")
        } else if values.count > Self.maxExitCodes {
            return errors.tooMany(path["values"], values.count, Self.maxExitCodes)
        }
        var seen: Set<Int> = []
        var isOrdered = true
        var last = Int.min
        for (index, value) in values.enumerated() {
            let number = value.int ?? 0
            if isIn, number == 0 {
                errors.invalid(path["values"][index], value, "must not be 0 for the In operator")
            }
            if !seen.insert(number).inserted { errors.duplicate(path["values"][index], value) }
            if number < last { isOrdered = false }
            last = number
        }
        if !isOrdered { errors.invalid(path["values"], codes["values"], "must be ordered") }
    }

    private mutating func successPolicy(_ path: FieldPath, _ spec: JSONValue) {
        let path = path["successPolicy"]
        guard spec["completionMode"] == "Indexed" else {
            return errors.invalid(path, spec["successPolicy"], "requires indexed completion mode")
        }
        let rules = spec["successPolicy"]["rules"].elements
        if rules.isEmpty {
            return errors.required(
                path["rules"], "at least one rules must be specified when the successPolicy is specified")
        }
        if rules.count > Self.maxRules { return errors.tooMany(path["rules"], rules.count, Self.maxRules) }
        let completions = spec["completions"].int ?? 0
        for (index, rule) in rules.enumerated() { successRule(path["rules"][index], rule, completions: completions) }
    }

    private mutating func successRule(_ path: FieldPath, _ rule: JSONValue, completions: Int) {
        let indexes = rule["succeededIndexes"]
        let count = rule["succeededCount"]
        if indexes.isNull, count.isNull {
            errors.required(path, "at least one of succeededCount or succeededIndexes must be specified")
        }
        var total = completions
        if let text = indexes.string {
            if text.utf8.count > Self.maxSucceededIndexesBytes {
                errors.tooLong(path["succeededIndexes"], Self.maxSucceededIndexesBytes)
            } else {
                do {
                    total = try Self.countIndexes(text, completions: completions)
                } catch {
                    errors.invalid(
                        path["succeededIndexes"], indexes, "error parsing succeededIndexes: \(error.description)")
                }
            }
        }
        guard let wanted = count.int else { return }
        errors.notNegative(path["succeededCount"], count)
        if wanted > completions {
            errors.invalid(
                path["succeededCount"], count,
                "must be less than or equal to \(completions) (the number of specified completions)")
        } else if wanted > total {
            errors.invalid(
                path["succeededCount"], count,
                "must be less than or equal to \(total) (the number of indexes in the specified succeededIndexes field)"
            )
        }
    }

    private struct IndexFailure: Error { var description: String }

    /// How many indexes a text such as `1,3-5` has; they must be in order and below `completions`.
    private static func countIndexes(_ text: String, completions: Int) throws(IndexFailure) -> Int {
        var total = 0
        var previous = -1
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count <= 2 else {
                throw IndexFailure(
                    description:
                        "the fragment \"\(part)\" violates the requirement that an index interval can have at most two parts separated by '-'"
                )
            }
            var numbers: [Int] = []
            for end in ends {
                guard let number = Int(end) else {
                    throw IndexFailure(description: "cannot convert string to integer for index: \"\(end)\"")
                }
                guard number < completions else {
                    throw IndexFailure(description: "too large index: \"\(end)\"")
                }
                numbers.append(number)
            }
            guard let first = numbers.first, let last = numbers.last else { continue }
            guard first > previous else {
                throw IndexFailure(description: "non-increasing order, previous: \(previous), current: \(first)")
            }
            guard numbers.count == 1 || last > first else {
                throw IndexFailure(description: "non-increasing order, previous: \(first), current: \(last)")
            }
            total += last - first + 1
            previous = last
        }
        return total
    }

    // MARK: CronJobs

    mutating func cronJob() {
        let name = object["metadata"]["name"].string ?? ""
        if name.utf8.count > 52 {
            errors.invalid("metadata.name", .string(name), "must be no more than 52 characters")
        }
        schedule()
        if (spec["concurrencyPolicy"].string ?? "").isEmpty {
            errors.required("spec.concurrencyPolicy")
        } else {
            errors.oneOf("spec.concurrencyPolicy", spec["concurrencyPolicy"], ["Allow", "Forbid", "Replace"])
        }
        for field in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
            errors.notNegative(FieldPath("spec")[field], spec[field])
        }
        let path: FieldPath = "spec.jobTemplate.spec"
        let jobSpec = spec["jobTemplate"]["spec"]
        self.jobSpec(path, jobSpec)
        if !jobSpec["selector"].isNull {
            errors.invalid(path["selector"], jobSpec["selector"], "`selector` will be auto-generated")
        }
        if jobSpec["manualSelector"] == true {
            errors.notSupported(path["manualSelector"], jobSpec["manualSelector"], ["nil", "false"])
        }
    }

    private mutating func schedule() {
        let schedule = spec["schedule"].string ?? ""
        let zone = spec["timeZone"]
        if schedule.isEmpty {
            errors.required("spec.schedule")
        } else {
            do {
                _ = try CronSchedule(parsing: schedule)
            } catch {
                errors.invalid("spec.schedule", .string(schedule), error.description)
            }
            if schedule.contains("TZ") {
                if !zone.isNull {
                    errors.invalid(
                        "spec.schedule", .string(schedule),
                        "cannot use both timeZone field and TZ or CRON_TZ in schedule")
                } else if old?["spec"]["schedule"].string != schedule {
                    errors.invalid(
                        "spec.schedule", .string(schedule),
                        "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
                }
            }
        }
        guard let name = zone.string else { return }
        if name.isEmpty {
            errors.invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")
        } else if name.lowercased() == "local" {
            errors.invalid(
                "spec.timeZone", zone,
                "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")
        } else if SystemTimeZones.rules(name) == nil, old?["spec"]["timeZone"] != zone {
            errors.invalid("spec.timeZone", zone, "unknown time zone \(name)")
        }
    }
}
