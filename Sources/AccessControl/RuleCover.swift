// SPDX-License-Identifier: Apache-2.0

/// Whether rules that somebody has include rules that they want to grant.
///
/// Source: Kubernetes "Using RBAC Authorization", "Privilege escalation prevention and bootstrapping".
package enum RuleCover {
    /// The most single permissions into which wanted rules are split; lists of a large role multiply.
    private static let limit = 20_000

    /// What is wanted and not held.
    package enum Result: Equatable, Sendable {
        case covered
        /// Single permissions that are missing, joined again by resource.
        case missing([PolicyRule])
        /// The wanted rules stand for more permissions than are checked.
        case tooMany(Int)
    }

    /// Compares rules.
    package static func compare(held: [PolicyRule], wanted: [PolicyRule]) -> Result {
        var missing: [PolicyRule] = []
        var count = 0
        for rule in Set(wanted) where !held.contains(where: { covers($0, rule) }) {
            let parts = partCount(rule)
            count = count.addingReportingOverflow(parts).overflow ? .max : count + parts
            guard count <= limit else { return .tooMany(limit) }
            missing += split(rule).filter { part in !held.contains { covers($0, part) } }
        }
        return missing.isEmpty ? .covered : .missing(compact(missing))
    }

    /// Whether one rule grants all of another.
    static func covers(_ held: PolicyRule, _ wanted: PolicyRule) -> Bool {
        hasAll(held.verbs, wanted.verbs) && hasAll(held.groups, wanted.groups)
            && coversResources(held.resources, wanted.resources)
            && wanted.paths.allSatisfy { path in held.paths.contains { PolicyRule.covers(path: $0, path) } }
            && (held.names.isEmpty || (!wanted.names.isEmpty && wanted.names.allSatisfy(held.names.contains)))
    }

    private static func hasAll(_ held: [String], _ wanted: [String]) -> Bool {
        held.contains("*") || wanted.allSatisfy(held.contains)
    }

    private static func coversResources(_ held: [String], _ wanted: [String]) -> Bool {
        if held.contains("*") { return true }
        return wanted.allSatisfy { resource in
            if held.contains(resource) { return true }
            guard let slash = resource.firstIndex(of: "/") else { return false }
            return held.contains("*\(resource[slash...])")
        }
    }

    private static func partCount(_ rule: PolicyRule) -> Int {
        var count = 1
        for list in [rule.groups, rule.resources, rule.names.isEmpty ? [""] : rule.names] {
            let (product, overflow) = count.multipliedReportingOverflow(by: list.count)
            guard !overflow, product <= limit else { return limit + 1 }
            count = product
        }
        let (product, overflow) = (count + rule.paths.count).multipliedReportingOverflow(by: rule.verbs.count)
        return overflow ? limit + 1 : product
    }

    /// A rule as rules of one verb, group, resource and name, or of one verb and path.
    static func split(_ rule: PolicyRule) -> [PolicyRule] {
        var parts: [PolicyRule] = []
        for group in rule.groups {
            for resource in rule.resources {
                for verb in rule.verbs {
                    let one = PolicyRule(verbs: [verb], groups: [group], resources: [resource])
                    if rule.names.isEmpty { parts.append(one) }
                    for name in rule.names {
                        var named = one
                        named.names = [name]
                        parts.append(named)
                    }
                }
            }
        }
        for path in rule.paths {
            for verb in rule.verbs { parts.append(PolicyRule(verbs: [verb], paths: [path])) }
        }
        return parts
    }

    /// Joins the verbs of rules that are about the same single resource.
    static func compact(_ rules: [PolicyRule]) -> [PolicyRule] {
        var compacted: [PolicyRule] = []
        var places: [PolicyRule: Int] = [:]
        for rule in rules {
            guard rule.groups.count == 1, rule.resources.count == 1, rule.names.count <= 1, rule.paths.isEmpty else {
                compacted.append(rule)
                continue
            }
            var key = rule
            key.verbs = []
            if let place = places[key] {
                compacted[place].verbs += rule.verbs.filter { !compacted[place].verbs.contains($0) }
            } else {
                places[key] = compacted.count
                compacted.append(rule)
            }
        }
        return compacted
    }

    /// What a refusal says about rules that are missing; at most ten kilobytes of it.
    package static func describe(_ rules: [PolicyRule]) -> String {
        var text = ""
        for line in Set(rules.map(describe)).sorted() {
            guard text.utf8.count + line.utf8.count < 10_240 else { return text + "\n..." }
            text += text.isEmpty ? line : "\n\(line)"
        }
        return text
    }

    private static func describe(_ rule: PolicyRule) -> String {
        let parts = [
            ("APIGroups", rule.groups), ("Resources", rule.resources), ("NonResourceURLs", rule.paths),
            ("ResourceNames", rule.names), ("Verbs", rule.verbs),
        ]
        return "{\(parts.filter { !$0.1.isEmpty }.map { "\($0.0):\(quoted($0.1))" }.joined(separator: ", "))}"
    }

    /// `["a" "b"]`.
    package static func quoted(_ texts: [String]) -> String {
        "[\(texts.map { "\"\($0)\"" }.joined(separator: " "))]"
    }
}
