// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import ObjectStore
import S3Protocol

extension ObjectService {
    /// ListObjects.
    func listObjects(_ call: Call) async throws {
        let query = call.request.query
        let marker = query["marker"] ?? ""
        let (page, maximum) = try await page(call, after: marker.isEmpty ? nil : marker)
        try await send(
            list(call, page, maximum, .one(marker: marker, next: page.next), showsOwner: true).xml(), call)
    }

    /// ListObjectsV2.
    func listObjectsV2(_ call: Call) async throws {
        let query = call.request.query
        let token = query["continuation-token"]
        let start = query["start-after"]
        var after = start
        if let token {
            guard let bytes = Base64Text.decode(token), !bytes.isEmpty,
                let key = String(validating: bytes, as: UTF8.self)
            else {
                throw S3Error(
                    .invalidArgument, "The continuation token provided is incorrect",
                    details: [.init("ArgumentName", "continuation-token")])
            }
            after = key
        }
        if after?.isEmpty == true { after = nil }
        let (page, maximum) = try await page(call, after: after)
        let next = page.next.map { Base64Text.encode(Array($0.utf8)) }
        let result = try list(
            call, page, maximum, .two(token: token, next: next, startAfter: start),
            showsOwner: query["fetch-owner"]?.lowercased() == "true")
        try await send(result.xml(), call)
    }

    private func page(_ call: Call, after: String?) async throws -> (ListPage, Int) {
        let maximum = try call.count("max-keys")
        let query = ListQuery(
            prefix: call.request.query["prefix"] ?? "", delimiter: call.request.query["delimiter"] ?? "",
            after: after, maximum: maximum)
        var page = try await store.list(bucket: call.bucket(), query)
        note(page.objects, call)
        // Who asks for nothing is not told that there is more.
        if maximum == 0 { page.next = nil }
        return (page, maximum)
    }

    private func list(
        _ call: Call, _ page: ListPage, _ maximum: Int, _ version: S3Documents.ListObjectsResult.Version,
        showsOwner: Bool
    ) throws(S3Error) -> S3Documents.ListObjectsResult {
        S3Documents.ListObjectsResult(
            bucket: try call.bucket(), prefix: call.request.query["prefix"] ?? "", delimiter: call.delimiter,
            maximum: maximum, isTruncated: page.next != nil, isEncoded: try call.isEncoded(),
            objects: page.objects.map { Self.entry($0, showsOwner: showsOwner) }, prefixes: page.prefixes,
            version: version)
    }

    private static func entry(_ info: ObjectInfo, showsOwner: Bool) -> S3Documents.ObjectEntry {
        let checksum = Checksums.of(info.attributes.checksum)
        return S3Documents.ObjectEntry(
            key: info.key, modified: info.modified, etag: info.etag, size: info.size,
            owner: showsOwner ? owner(info.attributes.owner) : nil, checksum: checksum?.algorithm,
            checksumKind: checksum?.kind)
    }

    /// Who owns something, as documents say it.
    static func owner(_ name: String) -> S3Documents.Owner {
        S3Documents.Owner(id: name.isEmpty ? "root" : name, displayName: name.isEmpty ? "root" : name)
    }

    /// ListObjectVersions.
    func listVersions(_ call: Call) async throws {
        let query = call.request.query
        let maximum = try call.count("max-keys")
        let keyMarker = query["key-marker"] ?? ""
        let versionMarker = query["version-id-marker"].flatMap { $0.isEmpty ? nil : $0 }
        guard versionMarker == nil || !keyMarker.isEmpty else {
            throw S3Error(.invalidArgument, "A version-id marker cannot be specified without a key marker.")
        }
        var page = try await store.versions(
            bucket: call.bucket(),
            VersionQuery(
                prefix: query["prefix"] ?? "", delimiter: query["delimiter"] ?? "",
                afterKey: keyMarker.isEmpty ? nil : keyMarker, afterVersion: versionMarker, maximum: maximum))
        note(page.versions, call)
        if maximum == 0 { page.nextKey = nil }
        let result = S3Documents.ListVersionsResult(
            bucket: try call.bucket(), prefix: query["prefix"] ?? "", delimiter: call.delimiter, maximum: maximum,
            isTruncated: page.nextKey != nil, isEncoded: try call.isEncoded(), keyMarker: keyMarker,
            versionMarker: versionMarker, nextKeyMarker: page.nextKey, nextVersionMarker: page.nextVersion,
            entries: page.versions.map { info in
                .init(
                    object: Self.entry(info, showsOwner: true), versionID: info.versionID, isLatest: info.isLatest,
                    isDeleteMarker: info.isDeleteMarker)
            }, prefixes: page.prefixes)
        try await send(result.xml(), call)
    }

    /// ListMultipartUploads.
    func listUploads(_ call: Call) async throws {
        let query = call.request.query
        let maximum = try call.count("max-uploads")
        let keyMarker = query["key-marker"] ?? ""
        let uploadMarker = query["upload-id-marker"] ?? ""
        var page = try await store.uploads(
            bucket: call.bucket(),
            UploadQuery(
                prefix: query["prefix"] ?? "", delimiter: query["delimiter"] ?? "",
                afterKey: keyMarker.isEmpty ? nil : keyMarker,
                afterUpload: keyMarker.isEmpty || uploadMarker.isEmpty ? nil : uploadMarker, maximum: maximum))
        if maximum == 0 { page.nextKey = nil }
        let result = S3Documents.ListUploadsResult(
            bucket: try call.bucket(), prefix: query["prefix"] ?? "", delimiter: call.delimiter, maximum: maximum,
            isTruncated: page.nextKey != nil, isEncoded: try call.isEncoded(), keyMarker: keyMarker,
            uploadMarker: uploadMarker, nextKeyMarker: page.nextKey, nextUploadMarker: page.nextUpload,
            uploads: page.uploads.map { upload in
                .init(
                    key: upload.key, uploadID: upload.id, initiated: upload.initiated,
                    owner: Self.owner(upload.attributes.owner))
            }, prefixes: page.prefixes)
        try await send(result.xml(), call)
    }

    /// ListParts.
    func listParts(_ call: Call) async throws {
        let maximum = try call.count("max-parts")
        let marker = try call.number("part-number-marker", in: 0...Int(Int32.max)) ?? 0
        let page = try await store.parts(
            upload: call.request.query["uploadId"] ?? "", bucket: call.bucket(), key: call.object(), after: marker,
            maximum: max(1, maximum))
        let checksum = page.upload.attributes.checksum
        let result = S3Documents.ListPartsResult(
            bucket: try call.bucket(), key: try call.object(), uploadID: page.upload.id,
            owner: Self.owner(page.upload.attributes.owner), marker: marker, next: page.next, maximum: maximum,
            isTruncated: page.next != nil, isEncoded: try call.isEncoded(),
            parts: page.parts.map { part in
                .init(
                    number: part.number, modified: part.modified, etag: part.etag, size: part.size,
                    checksum: Checksums.of(part.checksum))
            }, checksum: checksum.flatMap { S3Checksum(rawValue: $0.algorithm) },
            checksumKind: checksum.flatMap { S3Checksum.Kind(rawValue: $0.type) })
        try await send(result.xml(), call)
    }

    /// ListBuckets.
    func listBuckets(_ call: Call) async throws {
        let prefix = call.request.query["prefix"]
        let token = call.request.query["continuation-token"]
        let most = try call.number("max-buckets", in: 1...10_000)
        guard call.key != nil else { throw S3Error(.accessDenied, "Access Denied") }
        var found = await store.buckets().filter { $0.name.hasPrefix(prefix ?? "") && $0.name > (token ?? "") }
        var next: String?
        if let most, found.count > most {
            found.removeSubrange(most...)
            next = found.last?.name
        }
        let result = S3Documents.ListBucketsResult(
            owner: Self.owner(call.owner), buckets: found.map { .init(name: $0.name, created: $0.created) },
            prefix: prefix, continuationToken: next)
        try await send(result.xml(), call)
    }
}

extension Call {
    /// What keys are rolled up at; nil for nothing.
    var delimiter: String? { request.query["delimiter"].flatMap { $0.isEmpty ? nil : $0 } }

    /// Whether names are to be percent-encoded.
    func isEncoded() throws(S3Error) -> Bool {
        guard let kind = request.query["encoding-type"], !kind.isEmpty else { return false }
        guard kind == "url" else {
            throw S3Error(.invalidArgument, "Invalid Encoding Method specified in Request: only url is known.")
        }
        return true
    }
}

/// The store's checksums as documents have them.
enum Checksums {
    /// Nil for none, and for one that is not known yet.
    static func of(_ checksum: ObjectChecksum?) -> S3Documents.ChecksumValue? {
        guard let checksum, !checksum.value.isEmpty, let algorithm = S3Checksum(rawValue: checksum.algorithm) else {
            return nil
        }
        return S3Documents.ChecksumValue(
            algorithm: algorithm, value: checksum.value, kind: S3Checksum.Kind(rawValue: checksum.type) ?? .fullObject)
    }
}
