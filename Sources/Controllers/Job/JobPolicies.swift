// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a Job's `podFailurePolicy` says about a failed pod.
///
/// Source: Kubernetes "Jobs", "Pod failure policy".
struct JobFailurePolicy: Sendable {
    /// What the first rule that matches makes of a failure.
    struct Verdict: Equatable, Sendable {
        /// `FailJob`, `FailIndex`, `Ignore` or `Count`; nil when no rule matches.
        var action: String?
        /// Whether the failure counts towards the limits.
        var isCounted = true
        /// Why the Job fails; nil when it goes on.
        var message: String?
    }

    private let rules: [JSONValue]

    init(_ policy: JSONValue) { rules = policy["rules"].elements }

    func judge(_ pod: KubeObject) -> Verdict {
        for (index, rule) in rules.enumerated() {
            let action = rule["action"].string ?? ""
            let cause: String
            if !rule["onExitCodes"].isNull {
                guard let exit = Self.exit(of: pod, matching: rule["onExitCodes"]) else { continue }
                cause = "Container \(exit.name) for pod \(pod.key) failed with exit code \(exit.code)"
            } else {
                let patterns = rule["onPodConditions"].elements
                let match = pod.status["conditions"].elements.first { condition in
                    patterns.contains {
                        $0["type"] == condition["type"] && ($0["status"].string ?? "True") == condition["status"].string
                    }
                }
                guard let match else { continue }
                cause = "Pod \(pod.key) has condition \(match["type"].string ?? "")"
            }
            return Verdict(
                action: action, isCounted: action != "Ignore",
                message: action == "FailJob" ? "\(cause) matching \(action) rule at index \(index)" : nil)
        }
        return Verdict()
    }

    private static func exit(of pod: KubeObject, matching rule: JSONValue) -> (name: String, code: Int)? {
        let statuses = pod.status["containerStatuses"].elements + pod.status["initContainerStatuses"].elements
        let values = Set(rule["values"].elements.compactMap(\.int))
        let isIn = rule["operator"].string == "In"
        for status in statuses {
            let name = status["name"].string ?? ""
            if let wanted = rule["containerName"].string, wanted != name { continue }
            guard let code = status["state"]["terminated"]["exitCode"].int, code != 0 else { continue }
            if values.contains(code) == isIn { return (name, code) }
        }
        return nil
    }
}

/// Whether a Job's `successPolicy` is met.
///
/// Source: Kubernetes "Jobs", "Success policy".
enum JobSuccessPolicy {
    /// The message of the first rule that is met; nil when none is.
    static func match(_ policy: JSONValue, completions: Int, succeeded: CompletionIndexes) -> String? {
        let rules = policy["rules"].elements
        let index = rules.firstIndex { rule in
            guard let text = rule["succeededIndexes"].string else {
                return rule["succeededCount"].int.map { succeeded.values.count >= $0 } ?? false
            }
            let required = CompletionIndexes(text: text, limit: completions).values
            if let count = rule["succeededCount"].int { return required.intersection(succeeded.values).count >= count }
            return required.isSubset(of: succeeded.values)
        }
        return index.map { "Matched rules at index \($0)" }
    }
}
