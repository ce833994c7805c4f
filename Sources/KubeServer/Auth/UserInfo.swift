// SPDX-License-Identifier: Apache-2.0

/// Who sent a request (authentication.k8s.io/v1 UserInfo).
package struct UserInfo: Hashable, Sendable {
    package var name: String
    package var uid: String
    package var groups: [String]

    package init(name: String, uid: String = "", groups: [String] = []) {
        self.name = name
        self.uid = uid
        self.groups = groups
    }

    /// A request without credentials.
    package static let anonymous = UserInfo(name: "system:anonymous", groups: ["system:unauthenticated"])

    /// The administrator: what the generated kubeconfig authenticates as.
    package static let admin = UserInfo(name: "apus-admin", groups: ["system:masters", "system:authenticated"])

    /// A component of the control plane in this process, such as `system:kube-scheduler`.
    package static func component(_ name: String) -> UserInfo {
        UserInfo(name: "system:\(name)", groups: ["system:masters", "system:authenticated"])
    }

    /// Whether the request had valid credentials.
    package var isAuthenticated: Bool { groups.contains("system:authenticated") }
}
