// SPDX-License-Identifier: Apache-2.0
internal import ApusCore

/// Where a tracking server is, and as who it is asked.
package struct TrackingClientConfiguration: Sendable {
    /// How the client says who it is.
    package enum Credentials: Sendable, Hashable, CustomStringConvertible {
        case basic(user: String, password: String)
        case token(String)

        package var description: String {
            switch self {
            case .basic(let user, _): "basic authentication as \(user)"
            case .token: "a token"
            }
        }
    }

    /// `http://127.0.0.1:5000`, also with a path that a proxy puts in front.
    package var address: String
    package var credentials: Credentials?
    package var retries = TrackingRetries()
    package var connectTimeout: Duration = .seconds(5)
    /// How long a connection may say nothing.
    package var idleTimeout: Duration = .seconds(60)
    /// Bytes of an answer that is JSON, at most.
    package var answerLimit = 256 << 20

    package init(address: String, credentials: Credentials? = nil) {
        self.address = address
        self.credentials = credentials
    }

    /// Where `apus serve tracking` and MLflow listen when nothing else is said.
    package static let standardAddress = "http://127.0.0.1:5000"

    /// As the variables say that MLflow's own clients read: `MLFLOW_TRACKING_URI`, `MLFLOW_TRACKING_USERNAME` with
    /// `MLFLOW_TRACKING_PASSWORD`, else `MLFLOW_TRACKING_TOKEN`.
    package init(environment: [String: String], address: String? = nil) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        self.init(address: address ?? value("MLFLOW_TRACKING_URI") ?? Self.standardAddress)
        if let user = value("MLFLOW_TRACKING_USERNAME"), let password = value("MLFLOW_TRACKING_PASSWORD") {
            credentials = .basic(user: user, password: password)
        } else if let token = value("MLFLOW_TRACKING_TOKEN") {
            credentials = .token(token)
        }
    }

    /// The address without a slash at its end.
    /// - Throws: `invalid` where it is not http or https with a host.
    func base() throws(TrackingClientError) -> String {
        var text = address
        while text.hasSuffix("/") { text.removeLast() }
        let lower = text.lowercased()
        let scheme = lower.hasPrefix("http://") ? 7 : lower.hasPrefix("https://") ? 8 : 0
        let rest = text.dropFirst(scheme)
        guard scheme > 0, let first = rest.first, !"/?#:@".contains(first),
            !rest.contains(where: { "?# \t\n\r".contains($0) || !$0.isASCII })
        else {
            throw TrackingClientError(
                .invalid,
                "the tracking server's address is '\(address)', expected http://HOST:PORT or https://HOST:PORT")
        }
        return text
    }

    /// The header `Authorization`.
    var authorization: String? {
        switch credentials {
        case .basic(let user, let password): "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
        case .token(let token): "Bearer " + token
        case nil: nil
        }
    }
}

/// RFC 4648, for one header.
enum Base64 {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let padded = Array(group) + [0, 0]
            let word = Int(padded[0]) << 16 | Int(padded[1]) << 8 | Int(padded[2])
            for place in 0..<4 {
                text.append(place <= group.count ? letters[word >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
