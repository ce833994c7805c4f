// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

extension ObjectService {
    /// CreateBucket.
    func createBucket(_ call: Call) async throws {
        let configuration = try S3Documents.CreateBucketConfiguration(xml: try await document(call, required: false))
        if let location = configuration.location, location != self.configuration.region {
            throw S3Error(
                .invalidLocationConstraint,
                "The specified location-constraint is not valid: this server is in \(self.configuration.region).",
                resource: call.request.resource)
        }
        guard call.request.headers["x-amz-bucket-object-lock-enabled"]?.lowercased() != "true" else {
            throw S3Error(.notImplemented, "Object lock is not implemented.")
        }
        let name = try call.bucket()
        if let there = try? await store.bucket(name) { throw Self.exists(there, call) }
        _ = try await store.createBucket(name, owner: call.owner)
        if !configuration.tags.isEmpty {
            try await store.setDocument(.tagging, S3Documents.Tagging(configuration.tags).xml(), of: name)
        }
        var head = AnswerHead(200)
        head.add("Location", "/\(name)")
        try await call.exchange.send(head)
    }

    private static func exists(_ bucket: BucketInfo, _ call: Call) -> S3Error {
        let isOwn = bucket.owner == call.owner
        return S3Error(
            isOwn ? .bucketAlreadyOwnedByYou : .bucketAlreadyExists,
            isOwn
                ? "Your previous request to create the named bucket succeeded and you already own it."
                : "The requested bucket name is not available. Please select a different name and try again.",
            resource: call.request.resource, details: [.init("BucketName", bucket.name)])
    }

    /// HeadBucket.
    func headBucket(_ call: Call) async throws {
        var head = AnswerHead(200)
        head.add("x-amz-bucket-region", configuration.region)
        head.add("Content-Type", "application/xml")
        try await call.exchange.send(head)
    }

    /// DeleteBucket.
    func deleteBucket(_ call: Call) async throws {
        try await store.deleteBucket(call.bucket())
        try await call.exchange.send(AnswerHead(204))
    }

    /// Who may use it, in the old way: its owner.
    func accessControl(_ call: Call) async throws {
        var owner = call.bucketInfo?.owner ?? ""
        if call.request.key != nil {
            owner = try await store.head(
                bucket: call.bucket(), key: call.object(), version: call.request.versionID
            ).attributes.owner
        }
        try await send(S3Documents.accessControlPolicy(owner: Self.owner(owner)), call)
    }

    /// An access control list other than the owner's is refused; that one is what there is.
    func setAccessControl(_ call: Call) async throws {
        let acl = call.request.headers["x-amz-acl"]
        let grants = call.request.headers.with(prefix: "x-amz-grant-")
        let body = try await document(call, required: false)
        guard acl == nil ? !body.isEmpty && grants.isEmpty && Self.isOwners(body) : acl == "private" else {
            throw S3Error(
                .notImplemented,
                "The bucket does not allow ACLs: use a bucket policy to let others read or write.",
                resource: call.request.resource)
        }
        try await call.exchange.send(AnswerHead(200))
    }

    /// Whether a list gives everything to one, its owner, and nothing to others.
    private static func isOwners(_ xml: [UInt8]) -> Bool {
        guard let document = try? XMLElement(xml), let owner = document.child("Owner")?["ID"] else { return false }
        let grants = document.child("AccessControlList")?.children("Grant") ?? []
        return grants.allSatisfy { $0.child("Grantee")?["ID"] == owner && $0["Permission"] == "FULL_CONTROL" }
    }

    /// GetObjectTagging.
    func getTags(_ call: Call) async throws {
        let info = try await store.head(bucket: call.bucket(), key: call.object(), version: call.request.versionID)
        try refuseMarker(info, call)
        var head = AnswerHead(200)
        version(info, call, &head)
        let tags = info.attributes.tags.map { S3Documents.Tag(key: $0.name, value: $0.value) }
        try await send(S3Documents.Tagging(tags).xml(), call, head: head)
    }

    /// PutObjectTagging.
    func putTags(_ call: Call) async throws {
        let tagging = try S3Documents.Tagging(xml: try await document(call), maximum: 10)
        try await setTags(tagging.tags.map { ObjectField($0.key, $0.value) }, call, status: 200)
    }

    /// DeleteObjectTagging.
    func deleteTags(_ call: Call) async throws { try await setTags([], call, status: 204) }

    private func setTags(_ tags: [ObjectField], _ call: Call, status: Int) async throws {
        let info = try await store.setTags(
            tags, bucket: call.bucket(), key: call.object(), version: call.request.versionID)
        var head = AnswerHead(status)
        version(info, call, &head)
        try await call.exchange.send(head)
    }

    /// GetObjectAttributes.
    func attributes(_ call: Call) async throws {
        let info = try await store.head(bucket: call.bucket(), key: call.object(), version: call.request.versionID)
        try refuseMarker(info, call)
        let asked = (call.request.headers["x-amz-object-attributes"] ?? "").split(separator: ",").map {
            $0.filter { $0 != " " }
        }
        let known = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
        guard !asked.isEmpty, asked.allSatisfy(known.contains) else {
            throw S3Error(
                .invalidArgument, "Invalid attribute name specified: there are \(known.joined(separator: ", ")).")
        }
        var head = AnswerHead(200)
        version(info, call, &head)
        head.add("Last-Modified", S3Time.http(seconds: CivilSeconds.floor(info.modified)))
        let result = S3Documents.ObjectAttributesResult(
            etag: asked.contains("ETag") ? info.etag : nil,
            checksum: asked.contains("Checksum") ? Checksums.of(info.attributes.checksum) : nil,
            partCount: asked.contains("ObjectParts") ? info.partCount : nil,
            hasStorageClass: asked.contains("StorageClass"), size: asked.contains("ObjectSize") ? info.size : nil)
        try await send(result.xml(), call, head: head)
    }

    private func refuseMarker(_ info: ObjectInfo, _ call: Call) throws(S3Error) {
        guard info.isDeleteMarker else { return }
        call.exchange.common.append(("x-amz-delete-marker", "true"))
        throw S3Error(
            .methodNotAllowed, "The specified method is not allowed against this resource.",
            resource: call.request.resource)
    }
}
