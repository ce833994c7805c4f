// SPDX-License-Identifier: Apache-2.0
package import AccessControl

/// What a user wants to do (authorization.k8s.io/v1 SubjectAccessReview).
package struct AccessAttributes: Hashable, Sendable {
    package var user: UserInfo
    package var query: AccessQuery

    package init(user: UserInfo, _ query: AccessQuery) {
        self.user = user
        self.query = query
    }
}

/// What an authorizer says.
package struct AccessDecision: Hashable, Sendable {
    package var isAllowed: Bool
    /// Why; may be empty.
    package var reason: String

    package init(isAllowed: Bool, reason: String = "") {
        self.isAllowed = isAllowed
        self.reason = reason
    }
}

/// Decides whether a user may do something. Quick: it is asked for every request.
package protocol Authorizer: Sendable {
    func decide(_ attributes: AccessAttributes) -> AccessDecision

    /// Every rule that a user has in a namespace, and what kept others from being found.
    func rules(user: UserInfo, namespace: String) -> (rules: [PolicyRule], missing: [String])

    /// The rules of a role; nil when there is none.
    func rules(of role: AccessIndex.RoleReference) -> [PolicyRule]?
}

extension UserInfo {
    /// Whether nothing is refused to the user.
    package var isPrivileged: Bool { groups.contains("system:masters") }
}
