// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What is written to the audit log about which requests (audit.k8s.io/v1 Policy).
///
/// Source: Kubernetes "Auditing", "Audit policy"; API reference of audit.k8s.io/v1.
package struct AuditPolicy: Equatable, Sendable {
    /// How much is written about a request.
    package enum Level: String, CaseIterable, Comparable, Sendable {
        case none = "None"
        /// Who did what when, and how it ended.
        case metadata = "Metadata"
        /// Also the body of the request.
        case request = "Request"
        /// Also the body of the answer.
        case requestResponse = "RequestResponse"

        private var rank: Int {
            switch self {
            case .none: 0
            case .metadata: 1
            case .request: 2
            case .requestResponse: 3
            }
        }

        package static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
    }

    /// When something is written.
    package enum Stage: String, CaseIterable, Sendable {
        case requestReceived = "RequestReceived"
        /// The answer has begun and goes on, as that of a watch.
        case responseStarted = "ResponseStarted"
        case responseComplete = "ResponseComplete"
        case panic = "Panic"
    }

    /// What the first rule that matches says.
    package struct Decision: Equatable, Sendable {
        package var level = Level.none
        package var omittedStages: Set<Stage> = []
        package var omitsManagedFields = false
    }

    private struct Resources: Equatable, Sendable {
        var group: String
        /// Empty for all of the group.
        var resources: [String]
        var names: [String]
    }

    private struct Rule: Equatable, Sendable {
        var decision: Decision
        var users: [String]
        var groups: [String]
        var verbs: [String]
        var resources: [Resources]
        var namespaces: [String]
        var paths: [String]
    }

    /// Why a policy cannot be used: one sentence.
    package struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
        package let description: String

        package init(_ description: String) { self.description = description }
    }

    /// The most rules of a policy; every request is compared with each.
    package static let maximumRules = 1_000

    private let rules: [Rule]

    /// Reads a policy.
    package init(json: JSONValue) throws(Problem) {
        guard json["apiVersion"] == "audit.k8s.io/v1", json["kind"] == "Policy" else {
            throw Problem("it is not an object of apiVersion audit.k8s.io/v1 and kind Policy")
        }
        let known: Set = ["apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"]
        if let unknown = json.members.keys.sorted().first(where: { !known.contains($0) }) {
            throw Problem("unknown field \"\(unknown)\"")
        }
        let given = json["rules"].elements
        guard !given.isEmpty else { throw Problem("rules: Required value: at least one rule") }
        guard given.count <= Self.maximumRules else {
            throw Problem("rules: Too many: \(given.count): must have at most \(Self.maximumRules) items")
        }
        let stages = try Self.stages(json["omitStages"], "omitStages")
        var rules: [Rule] = []
        for (index, rule) in given.enumerated() {
            rules.append(
                try Self.rule(
                    rule, "rules[\(index)]", stages, omitsManagedFields: json["omitManagedFields"].bool ?? false))
        }
        self.rules = rules
    }

    private static func rule(
        _ json: JSONValue, _ path: String, _ stages: Set<Stage>, omitsManagedFields: Bool
    ) throws(Problem) -> Rule {
        let known: Set = [
            "level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages",
            "omitManagedFields",
        ]
        if let unknown = json.members.keys.sorted().first(where: { !known.contains($0) }) {
            throw Problem("unknown field \"\(path).\(unknown)\"")
        }
        guard let level = Level(rawValue: json["level"].string ?? "") else {
            let supported = Level.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw Problem(
                "\(path).level: Unsupported value: \(json["level"].text): supported values: \(supported)")
        }
        func texts(_ member: String) -> [String] { json[member].elements.compactMap(\.string) }
        let paths = texts("nonResourceURLs")
        if !paths.isEmpty, !json["resources"].isEmpty || !json["namespaces"].isEmpty {
            throw Problem(
                "\(path).nonResourceURLs: Invalid value: rules cannot apply to both regular resources and "
                    + "non-resource URLs")
        }
        for text in paths where text != "*" {
            guard text.hasPrefix("/") else {
                throw Problem(
                    "\(path).nonResourceURLs: Invalid value: \"\(text)\": non-resource URL rules must "
                        + "begin with a '/' character")
            }
            guard !text.dropLast().contains("*") else {
                throw Problem(
                    "\(path).nonResourceURLs: Invalid value: \"\(text)\": non-resource URL wildcards '*' "
                        + "must be the final character of the rule")
            }
        }
        var resources: [Resources] = []
        for entry in json["resources"].elements {
            func list(_ member: String) -> [String] { entry[member].elements.compactMap(\.string) }
            let one = Resources(
                group: entry["group"].string ?? "", resources: list("resources"), names: list("resourceNames"))
            guard one.names.isEmpty || !one.resources.isEmpty else {
                throw Problem(
                    "\(path).resources.resourceNames: Invalid value: using resourceNames requires at "
                        + "least one resource")
            }
            resources.append(one)
        }
        let decision = Decision(
            level: level, omittedStages: stages.union(try Self.stages(json["omitStages"], "\(path).omitStages")),
            omitsManagedFields: json["omitManagedFields"].bool ?? omitsManagedFields)
        return Rule(
            decision: decision, users: texts("users"), groups: texts("userGroups"), verbs: texts("verbs"),
            resources: resources, namespaces: texts("namespaces"), paths: paths)
    }

    private static func stages(_ json: JSONValue, _ path: String) throws(Problem) -> Set<Stage> {
        var stages: Set<Stage> = []
        for element in json.elements {
            guard let stage = Stage(rawValue: element.string ?? "") else {
                let known = Stage.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
                throw Problem(
                    "\(path): Unsupported value: \(element.text): supported values: \(known)")
            }
            stages.insert(stage)
        }
        return stages
    }

    // MARK: Deciding

    /// What is to be written about a request.
    package func decision(user: String, groups: [String], _ query: AccessQuery) -> Decision {
        rules.first { Self.matches($0, user, groups, query) }?.decision ?? Decision()
    }

    private static func matches(_ rule: Rule, _ user: String, _ groups: [String], _ query: AccessQuery) -> Bool {
        if !rule.users.isEmpty, !rule.users.contains(user) { return false }
        if !rule.groups.isEmpty, !rule.groups.contains(where: groups.contains) { return false }
        if !rule.verbs.isEmpty, !rule.verbs.contains(query.verb) { return false }
        if !rule.namespaces.isEmpty || !rule.resources.isEmpty {
            guard query.isResource else { return false }
            if !rule.namespaces.isEmpty, !rule.namespaces.contains(query.namespace) { return false }
            return rule.resources.isEmpty || rule.resources.contains { matches($0, query) }
        }
        guard !rule.paths.isEmpty else { return true }
        return !query.isResource && rule.paths.contains { PolicyRule.covers(path: $0, query.path) }
    }

    private static func matches(_ wanted: Resources, _ query: AccessQuery) -> Bool {
        guard wanted.group == query.group else { return false }
        if wanted.resources.isEmpty { return true }
        guard wanted.names.isEmpty || wanted.names.contains(query.name) else { return false }
        return wanted.resources.contains { resource in
            if resource == "*" || resource == query.fullResource { return true }
            if !query.subresource.isEmpty, resource.hasPrefix("*/"), resource.dropFirst(2) == query.subresource {
                return true
            }
            return resource.hasSuffix("/*") && resource.dropLast(2) == query.resource
        }
    }
}
