// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
package import KubeAPI

/// The user as whom a request wants to act (`kubectl --as`).
///
/// Source: Kubernetes "Authenticating", "User impersonation".
package struct Impersonation: Equatable, Sendable {
    package var user: String
    package var uid = ""
    package var groups: [String] = []
    /// By key: lower case, decoded.
    package var extra: [String: [String]] = [:]

    private static let extraPrefix = "impersonate-extra-"

    /// Reads the headers of a request; nil when none of them impersonates.
    ///
    /// - Parameter headers: names in any case.
    /// - Throws: 500, as upstream, when something but no user is impersonated.
    package init?(headers: some Sequence<(name: String, value: String)>) throws(StatusError) {
        user = ""
        for (name, value) in headers {
            guard let first = name.utf8.first, first | 0x20 == UInt8(ascii: "i") else { continue }
            let name = name.lowercased()
            guard name.hasPrefix("impersonate-") else { continue }
            switch name {
            case "impersonate-user": user = value
            case "impersonate-group": groups.append(value)
            case "impersonate-uid": uid = value
            case _ where name.hasPrefix(Self.extraPrefix):
                let key = String(name.dropFirst(Self.extraPrefix.count))
                extra[PercentEncoding.decode(key) ?? key, default: []].append(value)
            default: break
            }
        }
        guard user.isEmpty else { return }
        if groups.isEmpty, uid.isEmpty, extra.isEmpty { return nil }
        let what = !groups.isEmpty ? "groups" : !uid.isEmpty ? "a uid" : "extra"
        throw .internalError("requested \(what) without impersonating a user")
    }
}

extension APIServer {
    private static let authentication = "authentication.k8s.io"

    /// The user as whom `user` acts.
    /// - Throws: 403 when `user` may not act as that user, with those groups or that extra.
    package func impersonate(_ wanted: Impersonation, by user: UserInfo) throws(StatusError) -> UserInfo {
        var acting = UserInfo(name: wanted.user, uid: wanted.uid, groups: wanted.groups, extra: wanted.extra)
        acting.isImpersonated = true
        let account = Self.account(wanted.user)
        if let account {
            try authorize(
                user,
                AccessQuery(
                    verb: "impersonate", resource: "serviceaccounts", namespace: account.namespace, name: account.name))
            if wanted.groups.isEmpty {
                acting.groups = UserInfo.serviceAccount(namespace: account.namespace, name: account.name).groups
            }
        } else {
            try authorize(user, AccessQuery(verb: "impersonate", resource: "users", name: wanted.user))
        }
        for group in wanted.groups {
            try authorize(user, AccessQuery(verb: "impersonate", resource: "groups", name: group))
        }
        if !wanted.uid.isEmpty {
            try authorize(
                user, AccessQuery(verb: "impersonate", group: Self.authentication, resource: "uids", name: wanted.uid))
        }
        for (key, values) in wanted.extra.sorted(by: { $0.key < $1.key }) {
            for value in values {
                try authorize(
                    user,
                    AccessQuery(
                        verb: "impersonate", group: Self.authentication, resource: "userextras", subresource: key,
                        name: value))
            }
        }
        let isAnonymous = wanted.user == UserInfo.anonymous.name
        let group = isAnonymous ? "system:unauthenticated" : "system:authenticated"
        if !acting.groups.contains("system:authenticated"), !acting.groups.contains("system:unauthenticated") {
            acting.groups.append(group)
        }
        return acting
    }

    /// The account in `system:serviceaccount:NAMESPACE:NAME`.
    private static func account(_ user: String) -> ObjectKey? {
        let parts = user.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount", !parts[2].isEmpty, !parts[3].isEmpty
        else { return nil }
        return ObjectKey(namespace: String(parts[2]), name: String(parts[3]))
    }
}
