// SPDX-License-Identifier: Apache-2.0

/// The parts of a signature of version 4.
struct SignatureParts: Sendable {
    var accessKey: String
    var scope: SigV4.Scope
    var signedHeaders: [String]
    var signature: [UInt8]

    private static let maximumHeaders = 100

    /// Of an Authorization header.
    init(authorization: String) throws(S3Error) {
        func malformed(_ reason: String) -> S3Error {
            S3Error(.authorizationHeaderMalformed, "The authorization header is malformed; \(reason)")
        }
        let prefix = SigV4.algorithm
        guard authorization.hasPrefix(prefix), authorization.utf8.count > prefix.utf8.count else {
            throw S3Error(
                .invalidRequest,
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
        }
        guard authorization.utf8.count <= 8192 else { throw malformed("it is longer than 8192 bytes.") }
        var credential: Substring?
        var headers: Substring?
        var signature: Substring?
        for part in authorization.utf8.dropFirst(prefix.utf8.count).split(separator: UInt8(ascii: ",")) {
            let part = part.drop { $0 == 0x20 || $0 == 0x09 }
            guard let middle = part.firstIndex(of: UInt8(ascii: "=")) else {
                throw malformed("a part has no equals sign.")
            }
            var value = part[part.index(after: middle)...]
            while value.last == 0x20 || value.last == 0x09 { value.removeLast() }
            let name = part[..<middle]
            if name.elementsEqual("Credential".utf8) { credential = Substring(value) }
            if name.elementsEqual("SignedHeaders".utf8) { headers = Substring(value) }
            if name.elementsEqual("Signature".utf8) { signature = Substring(value) }
        }
        guard let credential else { throw malformed("Credential is missing.") }
        guard let headers else { throw malformed("SignedHeaders is missing.") }
        guard let signature else { throw malformed("Signature is missing.") }
        try self.init(credential: credential, signedHeaders: headers, signature: signature, malformed)
    }

    init(
        credential: Substring, signedHeaders: Substring, signature: Substring, _ malformed: (String) -> S3Error
    ) throws(S3Error) {
        let parts = credential.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[parts.count - 1].elementsEqual("aws4_request".utf8),
            credential.utf8.count <= 512
        else {
            throw malformed("the Credential is not ACCESSKEY/YYYYMMDD/REGION/SERVICE/aws4_request.")
        }
        let scope = SigV4.Scope(
            date: String(Substring(parts[parts.count - 4])), region: String(Substring(parts[parts.count - 3])),
            service: String(Substring(parts[parts.count - 2])))
        guard scope.date.utf8.count == 8, scope.date.utf8.allSatisfy({ Hex.value($0).map { $0 < 10 } ?? false }) else {
            throw malformed("incorrect date format \"\(scope.date)\". This date in the credential must be YYYYMMDD.")
        }
        guard scope.service == "s3" else {
            throw malformed("incorrect service \"\(scope.service)\". This endpoint belongs to \"s3\".")
        }
        // The access key itself may have slashes in it.
        accessKey = String(Substring(credential.utf8[..<parts[parts.count - 5].endIndex]))
        guard !accessKey.isEmpty else { throw malformed("the Credential has no access key.") }
        self.scope = scope
        self.signedHeaders = signedHeaders.utf8.split(separator: UInt8(ascii: ";")).map { Substring($0).lowercased() }
        guard !self.signedHeaders.isEmpty, self.signedHeaders.count <= Self.maximumHeaders else {
            throw malformed("SignedHeaders has \(self.signedHeaders.count) names.")
        }
        guard signature.utf8.count == 64, let bytes = Hex.bytes(signature) else {
            throw malformed("the Signature is not 64 hexadecimal digits.")
        }
        self.signature = bytes
    }

    /// The scope's day must be the timestamp's.
    func check(date timestamp: String, code: S3ErrorCode) throws(S3Error) {
        guard timestamp.hasPrefix(scope.date) else {
            throw S3Error(
                code,
                "Invalid credential date \"\(scope.date)\". This date is not the same as X-Amz-Date: "
                    + "\"\(timestamp.prefix(8))\".")
        }
    }
}

/// The parts of a presigned request.
struct PresignedParts: Sendable {
    var signature: SignatureParts
    var timestamp: String
    /// Seconds since 1970.
    var time: Int64
    /// Seconds.
    var expires: Int64
    var sessionToken: String?

    /// Of a decoded query; nil where it has no signature.
    init?(query: [(name: String, value: String)]) throws(S3Error) {
        func malformed(_ reason: String) -> S3Error { S3Error(.authorizationQueryParametersError, reason) }
        func value(_ name: String) throws(S3Error) -> String? {
            let values = query.filter { $0.name == name }
            guard values.count <= 1 else { throw malformed("\(name) is given more than once") }
            return values.first?.value
        }
        guard let algorithm = try value("X-Amz-Algorithm") else {
            if query.contains(where: { $0.name == "AWSAccessKeyId" }) {
                throw S3Error(
                    .invalidRequest,
                    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
            }
            if query.contains(where: { $0.name == "X-Amz-Signature" || $0.name == "X-Amz-Credential" }) {
                throw malformed("X-Amz-Algorithm is missing")
            }
            return nil
        }
        guard algorithm == SigV4.algorithm else {
            throw malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
        }
        guard let credential = try value("X-Amz-Credential"), let headers = try value("X-Amz-SignedHeaders"),
            let signature = try value("X-Amz-Signature"), let date = try value("X-Amz-Date"),
            let expires = try value("X-Amz-Expires")
        else {
            throw malformed(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                    + "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
        }
        guard let time = S3Time.parse(basic: date) else {
            throw malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        }
        guard let seconds = Int64(expires) else { throw malformed("X-Amz-Expires should be a number") }
        guard seconds >= 0 else { throw malformed("X-Amz-Expires must be non-negative") }
        guard seconds > 0 else { throw malformed("X-Amz-Expires must be at least one second") }
        guard seconds <= SigV4.maximumExpiry else {
            throw malformed(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be"
                    + " less than or equal to \(SigV4.maximumExpiry) seconds")
        }
        self.signature = try SignatureParts(
            credential: credential[...], signedHeaders: headers[...], signature: signature[...]
        ) { malformed("Error parsing the X-Amz-Credential, X-Amz-SignedHeaders or X-Amz-Signature parameter; \($0)") }
        timestamp = date
        self.time = time
        self.expires = seconds
        sessionToken = try value("X-Amz-Security-Token")
    }
}
