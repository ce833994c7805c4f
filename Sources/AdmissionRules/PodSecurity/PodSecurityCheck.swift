// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// One control of the Pod Security Standards.
struct PodSecurityCheck: Sendable {
    /// Its name; controls of a level are listed in the order of their names.
    var id: String
    var level: PodSecurityPolicy.Level
    /// The minor version of Kubernetes 1 that brought it.
    var since: Int
    /// The baseline control that it takes the place of.
    var overrides: String?
    var find: @Sendable (_ pod: PodUnderCheck, _ minor: Int) -> PodSecurityViolation?

    init(
        _ id: String, _ level: PodSecurityPolicy.Level, since: Int = 0, overrides: String? = nil,
        find: @escaping @Sendable (_ pod: PodUnderCheck, _ minor: Int) -> PodSecurityViolation?
    ) {
        self.id = id
        self.level = level
        self.since = since
        self.overrides = overrides
        self.find = find
    }
}

/// What a control found: `reason (detail)`.
package struct PodSecurityViolation: Hashable, Sendable {
    package var reason: String
    package var detail: String
}

/// A pod or a pod template, its containers collected.
struct PodUnderCheck: Sendable {
    var spec: JSONValue
    var annotations: [String: String]
    /// Init containers, containers and ephemeral containers, in this order.
    var containers: [JSONValue]

    init(spec: JSONValue, annotations: [String: String]) {
        self.spec = spec
        self.annotations = annotations
        containers = ["initContainers", "containers", "ephemeralContainers"].flatMap { spec[$0].elements }
    }

    var isWindows: Bool { spec["os"]["name"] == "windows" }
    /// Whether its root is nobody's outside of it.
    var hasUserNamespace: Bool { spec["hostUsers"] == false }
    var security: JSONValue { spec["securityContext"] }

    /// The names of the containers for which something holds.
    func containers(where holds: (JSONValue) -> Bool) -> [String] {
        containers.filter(holds).map { $0["name"].string ?? "" }
    }
}

/// How upstream words what it found.
enum Wording {
    static func quoted(_ names: some Sequence<String>) -> String {
        names.map { "\"\($0)\"" }.joined(separator: ", ")
    }

    static func plural(_ one: String, _ many: String, _ count: Int) -> String { count == 1 ? one : many }

    /// `container "a"`, `containers "a", "b"`.
    static func containers(_ names: [String]) -> String {
        "\(plural("container", "containers", names.count)) \(quoted(names))"
    }

    /// `pod and containers "a", "b"`: who has set something; empty for nobody.
    static func setters(pod: Bool, _ containers: [String]) -> String {
        ((pod ? ["pod"] : []) + (containers.isEmpty ? [] : [self.containers(containers)])).joined(separator: " and ")
    }
}
