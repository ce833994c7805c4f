// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore
import Synchronization

/// Finds out who sent a request.
package final class Authenticator: Sendable {
    private struct Known: Sendable {
        var found: APIServer.TokenUser
        var until: Timestamp
    }

    /// How long the signature of a token that was found valid is not checked again; as upstream. Whether its objects
    /// are still there is looked up each time.
    private static let cacheTime: Duration = .seconds(10)
    private static let cacheSize = 1024

    private let server: APIServer
    private let staticTokens: [String: UserInfo]
    private let known = Mutex<[String: Known]>([:])

    /// - Parameters:
    ///   - server: knows the service accounts.
    ///   - staticTokens: users by token, besides those of service accounts.
    package init(server: APIServer, staticTokens: [String: UserInfo] = [:]) {
        self.server = server
        self.staticTokens = staticTokens
    }

    /// Finds the user of a request.
    ///
    /// - Parameters:
    ///   - certificateUser: the user of the verified client certificate.
    ///   - authorization: the `Authorization` header.
    /// - Returns: the user; nil when the credentials are not valid.
    package func user(certificateUser: UserInfo?, authorization: String?) async -> UserInfo? {
        if let certificateUser { return certificateUser }
        guard let authorization, !authorization.isEmpty else { return .anonymous }
        guard let end = authorization.utf8.firstIndex(of: UInt8(ascii: " ")),
            authorization[..<end].lowercased() == "bearer", authorization.utf8.count <= TokenIssuer.maximumBytes
        else { return nil }
        let token = String(authorization[end...].drop { $0 == " " })
        guard !token.isEmpty else { return nil }
        for (candidate, user) in staticTokens where Self.isEqual(candidate, token) { return user }
        let now = server.now()
        if let entry = known.withLock({ $0[token] }), entry.until > now {
            return isLive(entry.found) ? entry.found.user : nil
        }
        guard let found = await server.authenticate(token: token, audiences: server.apiAudiences) else { return nil }
        // What hangs on no object may be taken back at any time.
        guard !found.anchors.isEmpty else { return found.user }
        known.withLock { known in
            if known.count >= Self.cacheSize { known = known.filter { $0.value.until > now } }
            guard known.count < Self.cacheSize else { return }
            known[token] = Known(found: found, until: min(now + Self.cacheTime, found.expires))
        }
        return found.user
    }

    private func isLive(_ found: APIServer.TokenUser) -> Bool {
        found.anchors.allSatisfy { server.store.get($0.key)?.createRevision == $0.createRevision }
    }

    /// Compares in time that does not depend on where texts differ.
    static func isEqual(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return zip(left.utf8, right.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
