// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Synchronization

extension APIServer {
    /// Answers the paths by which others find the keys of service account tokens; nil for another path.
    ///
    /// Source: Kubernetes "Configure Service Accounts for Pods", "Service account issuer discovery".
    func issuerDocument(_ parts: [String]) -> KubeResponse? {
        guard let tokens else { return nil }
        switch parts {
        case [".well-known", "openid-configuration"]:
            let address = listenAddress.withLock { $0 } ?? configuration.issuer
            return Self.cached(
                "application/json",
                [
                    "issuer": .string(configuration.issuer),
                    "jwks_uri": .string("\(address)/openid/v1/jwks"),
                    "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": JSONValue(tokens.algorithms),
                ])
        case ["openid", "v1", "jwks"]: return Self.cached("application/jwk-set+json", tokens.keySet)
        default: return nil
        }
    }

    private static func cached(_ contentType: String, _ json: JSONValue) -> KubeResponse {
        KubeResponse(
            contentType: contentType, headers: [("Cache-Control", "public, max-age=3600")], body: .bytes(json.encoded))
    }
}
