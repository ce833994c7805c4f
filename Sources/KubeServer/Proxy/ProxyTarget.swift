// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// What a proxied path names: `[scheme:]name[:port]`.
///
/// Source: Kubernetes "Access Services Running on Clusters", "Manually constructing apiserver proxy URLs".
struct ProxyTarget: Equatable {
    /// `http` or `https`.
    var scheme = "http"
    var name: String
    /// Number or name; empty when none is given.
    var port = ""

    /// Nil for a text of another form.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1: name = parts[0]
        case 2: (name, port) = (parts[0], parts[1])
        case 3:
            guard ["", "http", "https"].contains(parts[0]) else { return nil }
            if !parts[0].isEmpty { scheme = parts[0] }
            (name, port) = (parts[1], parts[2])
        default: return nil
        }
        guard !name.isEmpty else { return nil }
    }
}

/// A request that is passed on to a backend.
package struct BackendRequest: Sendable {
    package var method: String
    /// Scheme, host, port, path and query, encoded.
    package var url: String
    /// End-to-end headers.
    package var headers: [(name: String, value: String)]
    /// The body as it comes; nil for none.
    package var body: ByteStream?
    /// Bytes of the body, where the client said so.
    package var length: Int?
}

/// Sends requests to pods and nodes.
package protocol BackendConnector: Sendable {
    /// - Throws: when there is no answer.
    func send(_ request: BackendRequest) async throws -> KubeResponse
}

/// Which headers pass through a proxy, and how redirects come back. Pure.
///
/// Source: RFC 9110, section 7.6.1 (connection-specific fields).
struct ProxyRules {
    private static let connectionFields: Set = [
        "connection", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    ]
    /// Credentials for this server are none of the backend's business.
    private static let credentials: Set = ["authorization", "content-length"]

    /// The path up to and with `/proxy`.
    let prefix: String
    /// Host and port of the backend.
    let backend: String
    /// The `Host` header of the client.
    let host: String

    /// The headers that a backend gets.
    func request(_ headers: [(name: String, value: String)], path: String) -> [(name: String, value: String)] {
        var result = Self.endToEnd(headers).filter { header in
            let name = header.name.lowercased()
            return !Self.credentials.contains(name) && !name.hasPrefix("impersonate-") && name != "x-forwarded-uri"
        }
        result.append(("X-Forwarded-Uri", prefix + path))
        return result
    }

    /// The headers that a client gets.
    func response(_ headers: [(name: String, value: String)]) -> [(name: String, value: String)] {
        Self.endToEnd(headers).map { header in
            let name = header.name.lowercased()
            return name == "location" || name == "content-location" ? (header.name, location(header.value)) : header
        }
    }

    private static func endToEnd(_ headers: [(name: String, value: String)]) -> [(name: String, value: String)] {
        var dropped = connectionFields
        for header in headers where header.name.lowercased() == "connection" {
            for name in header.value.split(separator: ",") {
                dropped.insert(name.filter { !$0.isWhitespace }.lowercased())
            }
        }
        return headers.filter { !dropped.contains($0.name.lowercased()) }
    }

    /// A reference of the backend as the client has to follow it: below this server's path. References to other hosts
    /// and relative ones stay as they are.
    func location(_ text: String) -> String {
        var path = text[...]
        if let scheme = ["http://", "https://", "//"].first(where: { text.lowercased().hasPrefix($0) }) {
            let rest = text.dropFirst(scheme.count)
            let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
            let authority = rest[..<end]
            guard authority == backend || authority == host else { return text }
            path = rest[end...]
            if path.first != "/" { path = "/" + path }
        }
        guard path.first == "/", path != prefix, !path.hasPrefix(prefix + "/") else { return String(path) }
        return prefix + path
    }
}
