// SPDX-License-Identifier: Apache-2.0

extension SigV4 {
    /// Who says to have sent a request, and the check that it is so.
    package struct Verifier: Sendable {
        /// Nil for an anonymous request.
        package let accessKey: String?
        /// What the request says about its body.
        package let payload: PayloadKind
        /// Whether the signature is in the query.
        package let isPresigned: Bool
        /// The region that the request was signed for; empty for an anonymous one.
        package var region: String { scope.region }
        /// The moment of the signature: seconds since 1970; 0 for an anonymous request.
        package let time: Int64
        package let sessionToken: String?

        private let head: S3RequestHead
        private let scope: Scope
        private let timestamp: String
        private let signedHeaders: [String]
        private let signature: [UInt8]

        /// Finds the signature in the headers or the query.
        ///
        /// - `now`: seconds since 1970.
        /// - Throws: what S3 answers to a signature that cannot be one or that is out of time; a wrong one is found by
        ///   ``check(secret:region:keys:)``.
        package init(_ head: S3RequestHead, now: Int64) throws(S3Error) {
            self.head = head
            let hash = head.headers["x-amz-content-sha256"]
            if let authorization = head.headers["authorization"] {
                let parts = try SignatureParts(authorization: authorization)
                guard let hash else {
                    throw S3Error(.invalidRequest, "Missing required header for this request: x-amz-content-sha256")
                }
                (timestamp, time) = try Self.timestamp(head.headers)
                accessKey = parts.accessKey
                scope = parts.scope
                signedHeaders = parts.signedHeaders
                signature = parts.signature
                payload = try PayloadKind(text: hash)
                isPresigned = false
                sessionToken = head.headers["x-amz-security-token"]
                try parts.check(date: timestamp, code: .authorizationHeaderMalformed)
                try Self.checkSkew(time, now: now, text: timestamp)
                try checkCoverage()
            } else if head.target.utf8.contains(UInt8(ascii: "?")),
                let parts = try PresignedParts(query: RequestTarget(head.target).query)
            {
                timestamp = parts.timestamp
                time = parts.time
                accessKey = parts.signature.accessKey
                scope = parts.signature.scope
                signedHeaders = parts.signature.signedHeaders
                signature = parts.signature.signature
                payload = try hash.map { text throws(S3Error) in try PayloadKind(text: text) } ?? .unsigned
                isPresigned = true
                sessionToken = parts.sessionToken
                try parts.signature.check(date: timestamp, code: .authorizationQueryParametersError)
                try Self.checkExpiry(parts, now: now)
                try checkCoverage()
            } else {
                accessKey = nil
                scope = Scope(date: "", region: "")
                timestamp = ""
                time = 0
                signedHeaders = []
                signature = []
                payload = try hash.map { text throws(S3Error) in try PayloadKind(text: text) } ?? .unsigned
                isPresigned = false
                sessionToken = nil
            }
        }

        /// Checks the signature.
        ///
        /// - `secret`: the secret of ``accessKey``.
        /// - `region`: the region that must have been signed for; nil for any.
        /// - `keys`: where derived keys are kept.
        /// - Throws: `SignatureDoesNotMatch`; `AuthorizationHeaderMalformed` for another region; `AccessDenied` for an
        ///   anonymous request.
        package func check(secret: String, region: String? = nil, keys: SigningKeys? = nil) throws(S3Error) {
            guard let accessKey else { throw S3Error(.accessDenied, "Access Denied: the request is not signed.") }
            if let region, region != scope.region {
                throw S3Error(
                    isPresigned ? .authorizationQueryParametersError : .authorizationHeaderMalformed,
                    "The authorization header is malformed; the region '\(scope.region)' is wrong; expecting "
                        + "'\(region)'",
                    details: [.init("Region", region)])
            }
            let canonical = CanonicalRequest.bytes(
                head, signedHeaders: signedHeaders, payload: payloadText, leavesSignatureOut: isPresigned)
            let text = SigV4.stringToSign(timestamp: timestamp, scope: scope.text, canonicalRequest: canonical)
            let expected = key(secret, keys).signature(text)
            guard SigV4.constantTimeEqual(expected, signature) else {
                throw S3Error(
                    .signatureDoesNotMatch,
                    "The request signature we calculated does not match the signature you provided. Check your key "
                        + "and signing method.",
                    details: [
                        .init("AWSAccessKeyId", accessKey),
                        .init("StringToSign", String(decoding: text, as: UTF8.self)),
                        .init("SignatureProvided", Hex.text(signature)),
                        .init("CanonicalRequest", String(decoding: canonical.prefix(8192), as: UTF8.self)),
                    ])
            }
        }

        /// The chain of signatures of the body's chunks, which begins with the head's; nil where chunks have none.
        package func chunkSignatures(secret: String, keys: SigningKeys? = nil) -> ChunkSignatures? {
            guard accessKey != nil, payload.hasChunkSignatures else { return nil }
            return ChunkSignatures(
                key: key(secret, keys), timestamp: timestamp, scope: scope.text, seed: Hex.text(signature))
        }

        private func key(_ secret: String, _ keys: SigningKeys?) -> SigningKey {
            keys?.key(secret: secret, scope: scope) ?? SigningKey(secret: secret, scope: scope)
        }

        /// As the client wrote it: a hash in upper case was signed in upper case.
        private var payloadText: String { head.headers["x-amz-content-sha256"] ?? payload.text }

        /// `x-amz-date`, or the Date header.
        private static func timestamp(_ headers: S3Headers) throws(S3Error) -> (String, Int64) {
            if let text = headers["x-amz-date"] {
                if let time = S3Time.parse(basic: text) { return (text, time) }
                if let time = S3Time.parse(http: text) { return (S3Time.basic(seconds: time), time) }
            } else if let text = headers["date"] {
                if let time = S3Time.parse(basic: text) ?? S3Time.parse(http: text) {
                    return (S3Time.basic(seconds: time), time)
                }
            }
            throw S3Error(.accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
        }

        private static func checkSkew(_ time: Int64, now: Int64, text: String) throws(S3Error) {
            guard abs(now - time) > SigV4.maximumSkew else { return }
            throw S3Error(
                .requestTimeTooSkewed,
                "The difference between the request time and the current time is too large.",
                details: [
                    .init("RequestTime", text), .init("ServerTime", S3Time.iso(milliseconds: now * 1000)),
                    .init("MaxAllowedSkewMilliseconds", String(SigV4.maximumSkew * 1000)),
                ])
        }

        private static func checkExpiry(_ parts: PresignedParts, now: Int64) throws(S3Error) {
            if parts.time > now + SigV4.maximumSkew {
                throw S3Error(
                    .accessDenied, "Request is not yet valid",
                    details: [
                        .init("X-Amz-Date", parts.timestamp), .init("ServerTime", S3Time.iso(milliseconds: now * 1000)),
                    ])
            }
            if now > parts.time + parts.expires {
                throw S3Error(
                    .accessDenied, "Request has expired",
                    details: [
                        .init("X-Amz-Expires", String(parts.expires)),
                        .init("Expires", S3Time.iso(milliseconds: (parts.time + parts.expires) * 1000)),
                        .init("ServerTime", S3Time.iso(milliseconds: now * 1000)),
                    ])
            }
        }

        /// The host and all of Amazon's headers must be signed: an unsigned one could be put in by anyone.
        private func checkCoverage() throws(S3Error) {
            var missing: [String] = []
            if !signedHeaders.contains("host") { missing.append("host") }
            for field in head.headers.fields where field.name.hasPrefix("x-amz-") && !signedHeaders.contains(field.name)
            {
                if isPresigned && field.name == "x-amz-content-sha256" && payload == .unsigned { continue }
                missing.append(field.name)
            }
            if !missing.isEmpty {
                throw S3Error(
                    .accessDenied, "There were headers present in the request which were not signed",
                    details: [.init("HeadersNotSigned", missing.joined(separator: ", "))])
            }
        }
    }
}
