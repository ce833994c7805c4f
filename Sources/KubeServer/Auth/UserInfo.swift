// SPDX-License-Identifier: Apache-2.0

import AccessControl

/// Who sent a request (authentication.k8s.io/v1 UserInfo).
package struct UserInfo: Hashable, Sendable {
    package var name: String
    package var uid: String
    package var groups: [String]
    /// What else the authenticator knows, by key.
    package var extra: [String: [String]]
    /// Whether somebody else acts as this user.
    package var isImpersonated = false

    package init(name: String, uid: String = "", groups: [String] = [], extra: [String: [String]] = [:]) {
        self.name = name
        self.uid = uid
        self.groups = groups
        self.extra = extra
    }

    /// A request without credentials.
    package static let anonymous = UserInfo(name: "system:anonymous", groups: ["system:unauthenticated"])

    /// The administrator: what the generated kubeconfig authenticates as.
    package static let admin = UserInfo(name: "apus-admin", groups: ["system:masters", "system:authenticated"])

    /// A component of the control plane in this process, with the name and rights that it has upstream.
    ///
    /// Controllers have accounts in `kube-system`; a component that is not known there may do everything.
    package static func component(_ name: String) -> UserInfo {
        switch name {
        case "kube-scheduler", "kube-proxy":
            return UserInfo(name: "system:\(name)", groups: ["system:authenticated"])
        case "shared-informers":
            return UserInfo(name: "system:kube-controller-manager", groups: ["system:authenticated"])
        case _ where name.hasPrefix("node:"):
            return UserInfo(name: "system:\(name)", groups: ["system:nodes", "system:authenticated"])
        default:
            let controller = name == "persistentvolume-binder" ? "persistent-volume-binder" : name
            if DefaultAccess.controllerNames.contains(controller) {
                return .serviceAccount(namespace: "kube-system", name: controller)
            }
            return UserInfo(name: "system:\(name)", groups: ["system:masters", "system:authenticated"])
        }
    }

    /// A service account.
    package static func serviceAccount(namespace: String, name: String, uid: String = "") -> UserInfo {
        UserInfo(
            name: "system:serviceaccount:\(namespace):\(name)", uid: uid,
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"])
    }

    /// Whether the request had valid credentials.
    package var isAuthenticated: Bool { groups.contains("system:authenticated") }
}
