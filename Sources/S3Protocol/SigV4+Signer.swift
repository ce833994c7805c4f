// SPDX-License-Identifier: Apache-2.0
import Crypto

extension SigV4 {
    /// What a client signs with.
    package struct Credentials: Sendable, Hashable, CustomStringConvertible {
        package var accessKey: String
        package var secret: String
        package var sessionToken: String?

        package init(accessKey: String, secret: String, sessionToken: String? = nil) {
            self.accessKey = accessKey
            self.secret = secret
            self.sessionToken = sessionToken
        }

        /// Without what is secret.
        package var description: String { "credentials of \(accessKey)" }
    }

    /// Signs requests.
    package struct Signer: Sendable {
        package var credentials: Credentials
        package var region: String
        private let keys: SigningKeys

        /// Headers that are changed on the way, or that a library adds after signing.
        private static let unsigned: Set<String> = [
            "authorization", "connection", "content-length", "expect", "transfer-encoding", "user-agent",
            "x-amzn-trace-id",
        ]

        package init(_ credentials: Credentials, region: String, keys: SigningKeys = SigningKeys()) {
            self.credentials = credentials
            self.region = region
            self.keys = keys
        }

        /// Signs a head: adds `x-amz-date`, `x-amz-content-sha256`, a session's token and `authorization`.
        ///
        /// - `head`: its target is percent-encoded; it has a `host`.
        /// - `now`: seconds since 1970.
        /// - Returns: what chunks of a streamed body are signed with.
        @discardableResult
        package func sign(_ head: inout S3RequestHead, payload: PayloadKind, now: Int64) -> ChunkSignatures {
            let timestamp = S3Time.basic(seconds: now)
            let scope = Scope(date: String(timestamp.prefix(8)), region: region)
            head.headers.set("x-amz-date", timestamp)
            head.headers.set("x-amz-content-sha256", payload.text)
            if let token = credentials.sessionToken { head.headers.set("x-amz-security-token", token) }
            let names = Self.names(head.headers)
            let (signature, key) = signature(
                head, names: names, payload: payload.text, timestamp: timestamp, scope: scope)
            let text = Hex.text(signature)
            head.headers.set(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope.text),SignedHeaders="
                    + names.joined(separator: ";") + ",Signature=" + text)
            return ChunkSignatures(key: key, timestamp: timestamp, scope: scope.text, seed: text)
        }

        /// The target of a request with the signature in its query: who has it may send the request until it expires.
        ///
        /// - `head`: its target is percent-encoded; its headers, `host` among them, must be sent as they are.
        /// - `expires`: 1 second to 7 days.
        /// - `now`: seconds since 1970.
        package func presign(_ head: S3RequestHead, expires: Int64, now: Int64) -> String {
            let timestamp = S3Time.basic(seconds: now)
            let scope = Scope(date: String(timestamp.prefix(8)), region: region)
            let names = Self.names(head.headers)
            var head = head
            var items = [
                ("X-Amz-Algorithm", SigV4.algorithm), ("X-Amz-Credential", credentials.accessKey + "/" + scope.text),
                ("X-Amz-Date", timestamp), ("X-Amz-Expires", String(expires)),
                ("X-Amz-SignedHeaders", names.joined(separator: ";")),
            ]
            if let token = credentials.sessionToken { items.append(("X-Amz-Security-Token", token)) }
            head.target += head.target.utf8.contains(UInt8(ascii: "?")) ? "&" : "?"
            head.target += items.map { "\($0.0)=\(URIEncoding.encode($0.1))" }.joined(separator: "&")
            let (signature, _) = signature(
                head, names: names, payload: head.headers["x-amz-content-sha256"] ?? PayloadKind.unsigned.text,
                timestamp: timestamp, scope: scope)
            return head.target + "&X-Amz-Signature=" + Hex.text(signature)
        }

        private func signature(
            _ head: S3RequestHead, names: [String], payload: String, timestamp: String, scope: Scope
        ) -> ([UInt8], SigningKey) {
            let canonical = CanonicalRequest.bytes(
                head, signedHeaders: names, payload: payload, leavesSignatureOut: false)
            let text = SigV4.stringToSign(timestamp: timestamp, scope: scope.text, canonicalRequest: canonical)
            let key = keys.key(secret: credentials.secret, scope: scope)
            return (key.signature(text), key)
        }

        private static func names(_ headers: S3Headers) -> [String] {
            var names: [String] = []
            for field in headers.fields where !unsigned.contains(field.name) && !names.contains(field.name) {
                names.append(field.name)
            }
            return names.sorted()
        }
    }
}
