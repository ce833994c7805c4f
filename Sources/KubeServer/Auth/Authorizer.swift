// SPDX-License-Identifier: Apache-2.0

/// What a user wants to do (authorization.k8s.io/v1 SubjectAccessReview).
package struct AccessAttributes: Hashable, Sendable {
    package var user: UserInfo
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    package var verb: String
    package var group = ""
    package var resource = ""
    package var subresource = ""
    package var namespace = ""
    package var name = ""
    /// The path of a request that is not for a resource.
    package var path = ""
}

/// Decides whether a user may do something.
package protocol Authorizer: Sendable {
    /// Returns nil when allowed, and otherwise the reason why not (may be empty).
    func denial(_ attributes: AccessAttributes) async -> String?
}

/// Lets every authenticated user do everything.
package struct AuthenticatedAuthorizer: Authorizer {
    /// Paths that need no credentials.
    static let publicPaths: Set<String> = ["/healthz", "/livez", "/readyz", "/version"]

    package init() {}

    package func denial(_ attributes: AccessAttributes) async -> String? {
        attributes.user.isAuthenticated || Self.publicPaths.contains(attributes.path) ? nil : ""
    }
}
