// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    private static let bootstrapIDLength = 6
    private static let bootstrapSecretLength = 16

    /// The user of a bootstrap token `ID.SECRET`: what a new node joins the cluster with.
    ///
    /// Source: Kubernetes "Authenticating with Bootstrap Tokens".
    func bootstrapUser(_ token: String, _ audiences: [String]) -> TokenUser? {
        let bytes = token.utf8
        guard bytes.count == Self.bootstrapIDLength + 1 + Self.bootstrapSecretLength,
            token.firstIndex(of: ".") == token.utf8.index(token.startIndex, offsetBy: Self.bootstrapIDLength),
            token.allSatisfy({ $0 == "." || ("a"..."z").contains($0) || ("0"..."9").contains($0) })
        else { return nil }
        let id = String(token.prefix(Self.bootstrapIDLength))
        let key = StoreKey(resource: "secrets", namespace: "kube-system", name: "bootstrap-token-\(id)")
        guard let stored = store.get(key), let json = try? JSONParser.parse(stored.bytes) else { return nil }
        let secret = KubeObject(json)
        func data(_ name: String) -> String {
            (try? Base64.decode(secret["data"][name].string ?? "").get()).map { String(decoding: $0, as: UTF8.self) }
                ?? ""
        }
        guard secret["type"] == "bootstrap.kubernetes.io/token", !secret.isBeingDeleted, data("token-id") == id,
            Authenticator.isEqual(data("token-secret"), String(token.suffix(Self.bootstrapSecretLength))),
            data("usage-bootstrap-authentication") == "true"
        else { return nil }
        let end = data("expiration")
        let expires = end.isEmpty ? now() + .seconds(3600) : Timestamp(rfc3339: end)
        // A date that cannot be read is one that has passed.
        guard let expires, expires > now() else { return nil }
        var groups = ["system:bootstrappers"]
        for group in data("auth-extra-groups").split(separator: ",") {
            let name = group.drop { $0 == " " }
            guard Self.isBootstrapGroup(name) else { return nil }
            groups.append(String(name))
        }
        let user = UserInfo(name: "system:bootstrap:\(id)", groups: groups + ["system:authenticated"])
        return TokenUser(user: user, audiences: audiences, expires: expires)
    }

    /// `system:bootstrappers:` and letters, digits, `:` and `-`, not `:` or `-` at the end.
    private static func isBootstrapGroup(_ name: Substring) -> Bool {
        let prefix = "system:bootstrappers:"
        guard name.hasPrefix(prefix), name.utf8.count <= prefix.utf8.count + 256 else { return false }
        let rest = name.dropFirst(prefix.count)
        guard let last = rest.last, last != ":", last != "-" else { return false }
        return rest.allSatisfy { $0 == ":" || $0 == "-" || ("a"..."z").contains($0) || ("0"..."9").contains($0) }
    }
}
