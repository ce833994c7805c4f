// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

extension ObjectService {
    /// PutObject.
    func putObject(_ call: Call) async throws {
        var attributes = try RequestAttributes.read(call.request.headers, owner: call.owner)
        let condition = try RequestAttributes.condition(call.request.headers)
        let received = try await receive(call)
        attributes.checksum = received.checksum
        let info = try await store.put(
            received.body, attributes, bucket: call.bucket(), key: call.object(), condition: condition)
        var head = AnswerHead(200)
        head.add("ETag", "\"\(info.etag)\"")
        version(info, call, &head)
        expiry(info, call, &head)
        head.add(info.attributes.checksum)
        try await call.exchange.send(head)
    }

    /// DeleteObject.
    func deleteObject(_ call: Call) async throws {
        let condition = call.request.headers["if-match"].map { value -> WriteCondition in
            value == "*" ? .exists : .matches(RequestAttributes.bare(value))
        }
        let deletion = try await store.delete(
            bucket: call.bucket(), key: call.object(), version: call.request.versionID, condition: condition)
        var head = AnswerHead(204)
        head.add("x-amz-version-id", deletion.versionID)
        if deletion.isDeleteMarker { head.add("x-amz-delete-marker", "true") }
        try await call.exchange.send(head)
    }

    /// DeleteObjects.
    func deleteObjects(_ call: Call) async throws {
        let request = try S3Documents.DeleteRequest(xml: try await document(call))
        var deleted: [S3Documents.DeleteResult.Deleted] = []
        var failures: [S3Documents.DeleteResult.Failure] = []
        // Each key is a question of its own.
        var allowed: [S3Documents.DeleteRequest.Object] = []
        for object in request.objects {
            let isAllowed = try await allows(
                call, action: S3Operation.deleteObject.action(hasVersion: object.versionID != nil),
                key: object.key, version: object.versionID)
            if isAllowed {
                allowed.append(object)
            } else {
                failures.append(
                    .init(key: object.key, versionID: object.versionID, code: "AccessDenied", message: "Access Denied"))
            }
        }
        let outcomes = try await store.delete(
            bucket: call.bucket(),
            allowed.map { object in
                DeletionRequest(
                    key: object.key, version: object.versionID,
                    condition: object.etag.map { .matches(RequestAttributes.bare($0)) })
            })
        for (object, outcome) in zip(allowed, outcomes) {
            switch outcome {
            case .success(let deletion):
                deleted.append(
                    .init(
                        key: object.key, versionID: object.versionID,
                        markerVersionID: deletion.isDeleteMarker ? deletion.versionID : nil))
            case .failure(let failure):
                note(failure, call.request.resource, call.exchange.id)
                let error = S3Error(failure, resource: "")
                failures.append(
                    .init(key: object.key, versionID: object.versionID, code: error.name, message: error.message))
            }
        }
        let result = S3Documents.DeleteResult(deleted: deleted, failures: failures)
        try await send(result.xml(isQuiet: request.isQuiet), call)
    }

    /// CopyObject.
    func copyObject(_ call: Call) async throws {
        let headers = call.request.headers
        let (source, info) = try await copySource(call)
        let condition = try RequestAttributes.condition(headers)
        let replaces = try directive("x-amz-metadata-directive", headers)
        let replacesTags = try directive("x-amz-tagging-directive", headers)
        guard
            replaces || replacesTags || (headers["x-amz-copy-source"] ?? "").contains("versionId=")
                || source.bucket != call.request.bucket
                || source.key != call.request.key || headers.has("x-amz-storage-class")
                || headers.has("x-amz-website-redirect-location")
        else {
            throw S3Error(
                .invalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                    + "object's metadata, storage class, website redirect location or encryption attributes.",
                resource: call.request.resource)
        }
        var given = try RequestAttributes.read(headers, owner: call.owner)
        given.checksum = info.attributes.checksum
        let attributes: CopyAttributes =
            switch (replaces, replacesTags) {
            case (false, false): .keep(owner: call.owner)
            case (false, true): .keepWithTags(given.tags, owner: call.owner)
            case (true, false): .replaceKeepingTags(given)
            case (true, true): .replace(given)
            }
        let copy = try await store.copy(
            from: source, bucket: call.bucket(), key: call.object(), attributes: attributes, condition: condition)
        var head = AnswerHead(200)
        version(copy, call, &head)
        if call.bucketInfo?.versioning != .off || source.version != nil {
            head.add("x-amz-copy-source-version-id", info.versionID)
        }
        let result = S3Documents.CopyResult(
            etag: copy.etag, modified: copy.modified, checksum: Checksums.of(copy.attributes.checksum))
        try await send(result.xml(), call, head: head)
    }

    /// Where a copy comes from and what is there; checked against the conditions and what the client may read.
    func copySource(_ call: Call) async throws -> (CopySource, ObjectInfo) {
        let headers = call.request.headers
        let named = try S3CopySource(header: headers["x-amz-copy-source"] ?? "")
        try await authoriseRead(call, bucket: named.bucket, key: named.key, version: named.versionID)
        let info = try await store.head(bucket: named.bucket, key: named.key, version: named.versionID)
        guard !info.isDeleteMarker else {
            throw S3Error(
                .invalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by version id.")
        }
        let conditions = S3Preconditions(headers, prefix: "x-amz-copy-source-")
        guard conditions.answer(etag: info.etag, modified: info.modified, isRead: false) == .proceed else {
            throw S3Error(
                .preconditionFailed, "At least one of the pre-conditions you specified did not hold",
                resource: call.request.resource)
        }
        // The version is the one that was looked at, unless the bucket has no others; then its ETag has to be the same.
        let source = CopySource(
            bucket: named.bucket, key: named.key,
            version: named.versionID ?? (info.versionID == "null" ? nil : info.versionID), etag: info.etag)
        return (source, info)
    }

    private func directive(_ name: String, _ headers: S3Headers) throws(S3Error) -> Bool {
        switch headers[name]?.uppercased() {
        case nil, "COPY": return false
        case "REPLACE": return true
        default: throw S3Error(.invalidArgument, "\(name) must be COPY or REPLACE.")
        }
    }

    /// The header that names the version that was written.
    func version(_ info: ObjectInfo, _ call: Call, _ head: inout AnswerHead) {
        if call.bucketInfo?.versioning != .off { head.add("x-amz-version-id", info.versionID) }
    }

    /// Answers with a document.
    func send(_ xml: [UInt8], _ call: Call, head: AnswerHead = AnswerHead(200)) async throws {
        var head = head
        head.add("Content-Type", "application/xml")
        try await call.exchange.send(head, xml)
    }
}
