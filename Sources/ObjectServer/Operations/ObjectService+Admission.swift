// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

extension ObjectService {
    /// Finds who sends a request and whether it is allowed, before anything of its body is read.
    /// - Returns: nil where the request was answered: a browser's question about other origins.
    func admit(
        _ request: S3Request, _ head: S3RequestHead, _ exchange: Exchange, _ client: String
    ) async throws -> Call? {
        let verifier: SigV4.Verifier
        var bucket: BucketInfo?
        if request.operation == .preflight {
            try await preflight(request, exchange)
            return nil
        }
        do {
            verifier = try SigV4.Verifier(head, now: seconds)
            let key = try authenticate(verifier)
            bucket = try await self.bucket(request)
            // Browsers may read errors, too, where the bucket lets their origin.
            if let bucket { allowOrigin(request, bucket, exchange) }
            let call = Call(
                request: request, exchange: exchange, key: key, verifier: verifier, bucketInfo: bucket, client: client,
                isEncrypted: isEncrypted)
            try await authorise(call)
            return call
        } catch {
            if bucket == nil, request.headers.has("origin"), let name = request.bucket,
                let found = try? await store.bucket(name)
            {
                allowOrigin(request, found, exchange)
            }
            throw error
        }
    }

    /// The key that signed a request; nil for a request that is not signed.
    private func authenticate(_ verifier: SigV4.Verifier) throws(S3Error) -> AccessKey? {
        guard let id = verifier.accessKey else { return nil }
        guard let key = keys.find(id) else {
            throw S3Error(
                .invalidAccessKeyID, "The AWS Access Key Id you provided does not exist in our records.",
                details: [.init("AWSAccessKeyId", id)])
        }
        guard verifier.sessionToken == nil else {
            throw S3Error(.invalidToken, "The provided token is malformed or otherwise invalid.")
        }
        try verifier.check(secret: key.secret, region: configuration.region, keys: signingKeys)
        return key
    }

    /// The bucket of a request, unless that is to be made.
    private func bucket(_ request: S3Request) async throws -> BucketInfo? {
        guard let name = request.bucket, request.operation != .createBucket else { return nil }
        do {
            return try await store.bucket(name)
        } catch  where error.code == .noSuchBucket {
            throw S3Error(
                .noSuchBucket, "The specified bucket does not exist", resource: request.resource,
                details: [.init("BucketName", name)])
        }
    }

    /// Whether a request is allowed.
    /// - Throws: `AccessDenied`.
    private func authorise(_ call: Call) async throws {
        // Which objects are to be deleted is in the body: each is a question of its own.
        guard call.request.operation != .deleteObjects || call.key == nil else { return }
        if call.request.operation == .deleteObjects, call.bucketInfo?.documents[.policy] != nil { return }
        let request = call.request
        guard try await allows(call, action: request.action, key: request.key, version: request.versionID) else {
            throw S3Error(.accessDenied, "Access Denied", resource: call.request.resource)
        }
    }

    /// Whether the sender may read another object: the source of a copy.
    /// - Throws: `AccessDenied`, `NoSuchBucket`.
    func authoriseRead(_ call: Call, bucket: String, key: String, version: String?) async throws {
        let info = try await store.bucket(bucket)
        let action = S3Operation.getObject.action(hasVersion: version != nil)
        guard try await allows(call, action: action, bucket: bucket, key: key, version: version, info: info) else {
            throw S3Error(.accessDenied, "Access Denied", resource: call.request.resource)
        }
    }
}
