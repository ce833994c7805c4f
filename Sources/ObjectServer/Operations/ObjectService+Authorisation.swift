// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

extension ObjectService {
    /// Whether the sender of a request may do that with an object of its bucket, or the bucket where it is nil.
    func allows(_ call: Call, action: String, key: String?, version: String? = nil) async throws -> Bool {
        guard let bucket = call.request.bucket else {
            return try await allows(call, action: action, bucket: nil, key: nil, info: nil)
        }
        return try await allows(
            call, action: action, bucket: bucket, key: key, version: version, info: call.bucketInfo)
    }

    /// Whether the client may know which objects there are.
    func mayList(_ call: Call) async -> Bool {
        if call.key?.isRoot == true { return true }
        return (try? await allows(call, action: "s3:ListBucket", key: nil)) ?? false
    }

    /// Whether policies allow it: the bucket's or those of the key, and none of them forbids it. The root key may do
    /// everything: nobody can lock the owner out.
    func allows(
        _ call: Call, action: String, bucket: String?, key: String?, version: String? = nil, info: BucketInfo?
    ) async throws -> Bool {
        if call.key?.isRoot == true { return true }
        let own = call.key?.policies ?? []
        var policy: KnownPolicy?
        if let info { policy = try policies.policy(of: info) }
        if call.key == nil {
            guard let policy, let info else { return false }
            if try publicAccessBlock(info).restrictPublicBuckets, policy.policy.isPublic { return false }
        }
        var context = context(call)
        if let bucket, let key, call.key?.asksForTags == true || policy?.asksForTags == true,
            let object = try? await store.head(bucket: bucket, key: key, version: version)
        {
            for tag in object.attributes.tags { context["s3:existingobjecttag/" + tag.name] = [tag.value] }
        }
        let resource = bucket.map { "arn:aws:s3:::" + $0 + (key.map { "/" + $0 } ?? "") } ?? "arn:aws:s3:::*"
        let question = PolicyRequest(
            principal: call.key.map { .user($0.name) } ?? .anonymous, action: action, resource: resource,
            context: context)
        let decisions = own.map { $0.decision(question) } + [policy?.policy.decision(question) ?? .none]
        return !decisions.contains(.deny) && decisions.contains(.allow)
    }

    /// What conditions of policies may ask for.
    private func context(_ call: Call) -> [String: [String]] {
        let now = seconds
        var context = call.request.policyContext(
            sourceIP: call.client, isSecure: call.isEncrypted,
            isPresigned: call.key == nil ? nil : call.verifier.isPresigned, now: now)
        context["aws:requestedregion"] = [configuration.region]
        if call.key != nil { context["s3:signatureage"] = [String(max(0, now - call.verifier.time) * 1000)] }
        return context
    }
}
