// SPDX-License-Identifier: Apache-2.0
import Crypto
import ObjectStore
import S3Protocol

extension ObjectService {
    /// CreateMultipartUpload.
    func createUpload(_ call: Call) async throws {
        let headers = call.request.headers
        var attributes = try RequestAttributes.read(headers, owner: call.owner)
        // What the upload is created with says which checksum its object has.
        if let name = headers["x-amz-checksum-algorithm"] {
            let algorithm = try S3Checksum(named: name)
            var kind = algorithm.defaultKind
            if let text = headers["x-amz-checksum-type"] {
                guard let given = S3Checksum.Kind(rawValue: text.uppercased()), Self.allows(given, algorithm) else {
                    throw S3Error(
                        .invalidRequest,
                        "The \(text) checksum type cannot be used with the \(algorithm.rawValue) checksum algorithm.")
                }
                kind = given
            }
            attributes.checksum = ObjectChecksum(algorithm: algorithm.rawValue, value: "", type: kind.rawValue)
        }
        let upload = try await store.createUpload(
            bucket: call.bucket(), key: call.object(), attributes: attributes)
        var head = AnswerHead(200)
        if let checksum = attributes.checksum {
            head.add("x-amz-checksum-algorithm", checksum.algorithm)
            head.add("x-amz-checksum-type", checksum.type)
        }
        let result = S3Documents.InitiateUpload(bucket: try call.bucket(), key: try call.object(), uploadID: upload.id)
        try await send(result.xml(), call, head: head)
    }

    /// SHA-1 and SHA-256 cannot be told of a whole from its parts; CRC-64 is always that of the whole.
    private static func allows(_ kind: S3Checksum.Kind, _ algorithm: S3Checksum) -> Bool {
        switch kind {
        case .fullObject: algorithm != .sha1 && algorithm != .sha256
        case .composite: algorithm != .crc64nvme
        }
    }

    /// UploadPart.
    func uploadPart(_ call: Call) async throws {
        let (upload, number) = try await part(call)
        let received = try await receive(call)
        let checksum = try await checksum(of: received, upload)
        let info = try await store.putPart(
            received.body, number: number, upload: upload.id, bucket: call.bucket(), key: call.object(),
            checksum: checksum)
        var head = AnswerHead(200)
        head.add("ETag", "\"\(info.etag)\"")
        head.add(checksum, showsType: false)
        try await call.exchange.send(head)
    }

    /// A part has the checksum that its upload was created with, where it was; it may have none.
    private func checksum(of received: Received, _ upload: UploadInfo) async throws(S3Error) -> ObjectChecksum? {
        guard let wanted = upload.attributes.checksum else { return received.checksum }
        guard let found = received.checksum, found.algorithm != wanted.algorithm else { return received.checksum }
        throw S3Error(
            .invalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: \(wanted.algorithm.lowercased()), actual checksum "
                + "Type: \(found.algorithm.lowercased())")
    }

    /// UploadPartCopy.
    func uploadPartCopy(_ call: Call) async throws {
        let (upload, number) = try await part(call)
        let (source, info) = try await copySource(call)
        var range: Range<Int64>?
        if let text = call.request.headers["x-amz-copy-source-range"] {
            guard case .closed(let first, let last)? = ByteRange(header: text), last < info.size else {
                throw S3Error(
                    .invalidArgument,
                    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                        + "zero-based offsets of the first and last bytes to copy, within the source's \(info.size) bytes."
                )
            }
            range = first..<(last + 1)
        }
        guard range.map({ $0.upperBound - $0.lowerBound }) ?? info.size <= configuration.maximumObjectBytes else {
            throw S3Error(.invalidRequest, "The specified copy source is larger than the maximum allowable size.")
        }
        let digest = try upload.attributes.checksum.map { wanted in
            CopiedPartDigest(running: S3Checksum.Running(try S3Checksum(named: wanted.algorithm)))
        }
        let share = try await budget.take(4 << 20)
        defer { withExtendedLifetime(share) {} }
        let part = try await store.copyPart(
            from: source, range: range, number: number, upload: upload.id, bucket: call.bucket(), key: call.object(),
            digest: digest)
        let result = S3Documents.CopyResult(
            etag: part.etag, modified: part.modified, checksum: Checksums.of(part.checksum))
        try await send(result.xml(isPart: true), call)
    }

    /// CompleteMultipartUpload.
    func completeUpload(_ call: Call) async throws {
        let id = call.request.query["uploadId"] ?? ""
        let condition = try RequestAttributes.condition(call.request.headers)
        let wanted: UploadInfo?
        do {
            wanted = try await store.upload(id, bucket: call.bucket(), key: call.object())
        } catch let error as ObjectStoreError where error.code == .noSuchUpload {
            wanted = nil
        }
        // The headers' checksum is that of the object, not of the document.
        let request = try S3Documents.CompleteUpload(xml: try await document(call, checksums: false))
        guard !request.parts.isEmpty else {
            throw S3Error(.malformedXML, "You must specify at least one part", resource: call.request.resource)
        }
        let parts = request.parts.map { CompletedPart(number: $0.number, etag: RequestAttributes.bare($0.etag)) }
        let info: ObjectInfo
        if let wanted {
            let checksum = try await checksum(call, request, wanted)
            info = try await store.completeUpload(
                id, bucket: call.bucket(), key: call.object(), parts: parts, checksum: checksum, condition: condition)
        } else {
            info = try await completed(call, parts)
        }
        var head = AnswerHead(200)
        version(info, call, &head)
        expiry(info, call, &head)
        let result = S3Documents.CompleteUploadResult(
            location: location(call), bucket: try call.bucket(), key: info.key, etag: info.etag,
            checksum: Checksums.of(info.attributes.checksum))
        try await send(result.xml(), call, head: head)
    }

    /// The object that an upload was completed to before: a client whose answer got lost asks again, and S3 answers it
    /// again as long as the object is of those parts.
    /// - Throws: `NoSuchUpload` where it is not.
    private func completed(_ call: Call, _ parts: [CompletedPart]) async throws -> ObjectInfo {
        let found = try? await store.head(bucket: call.bucket(), key: call.object())
        var md5 = Insecure.MD5()
        for part in parts { md5.update(data: Hex.bytes(part.etag) ?? []) }
        let etag = Hex.text(Array(md5.finalize())) + "-\(parts.count)"
        guard let found, found.partCount == parts.count, found.etag == etag else {
            throw S3Error(
                ObjectStoreError(.noSuchUpload, "there is no such upload"), resource: call.request.resource)
        }
        return found
    }

    /// The checksum of the object from its parts', as the upload was created with; compared with what the client says.
    private func checksum(
        _ call: Call, _ request: S3Documents.CompleteUpload, _ upload: UploadInfo
    ) async throws -> ObjectChecksum? {
        let headers = call.request.headers
        let given = S3Checksum.allCases.compactMap { algorithm in
            headers[algorithm.header].map { (algorithm: algorithm, text: $0) }
        }.first
        guard
            let wanted = upload.attributes.checksum
                ?? given.map({ given in
                    ObjectChecksum(
                        algorithm: given.algorithm.rawValue, value: "", type: S3Checksum.Kind.fullObject.rawValue)
                })
        else { return nil }
        let algorithm = try S3Checksum(named: wanted.algorithm)
        var known: [Int: PartInfo] = [:]
        var after: Int? = 0
        while let number = after {
            let page = try await store.parts(
                upload: upload.id, bucket: call.bucket(), key: call.object(), after: number, maximum: 1000)
            for part in page.parts { known[part.number] = part }
            after = page.next
        }
        var parts: [(checksum: [UInt8], length: Int64)] = []
        for part in request.parts {
            // What is missing is told by the store, which knows in which words.
            guard let info = known[part.number] else { return nil }
            guard let checksum = info.checksum, checksum.algorithm == wanted.algorithm else { return nil }
            if let claimed = part.checksums[algorithm], claimed != checksum.value {
                throw S3Error(
                    .invalidPart,
                    "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
                        + "specified entity tag may not match the part's entity tag.",
                    resource: call.request.resource,
                    details: [.init("UploadId", upload.id), .init("PartNumber", String(part.number))])
            }
            parts.append((try algorithm.bytes(base64: checksum.value), info.size))
        }
        let isWhole = wanted.type == S3Checksum.Kind.fullObject.rawValue
        guard let value = isWhole ? algorithm.fullObject(parts) : algorithm.composite(parts.map(\.checksum)) else {
            return nil
        }
        if let given, given.algorithm == algorithm, given.text != value {
            throw S3Error(
                .badDigest, "The \(algorithm.rawValue) you specified did not match the calculated checksum.",
                resource: call.request.resource)
        }
        return ObjectChecksum(algorithm: wanted.algorithm, value: value, type: wanted.type)
    }

    /// AbortMultipartUpload.
    func abortUpload(_ call: Call) async throws {
        try await store.abortUpload(
            call.request.query["uploadId"] ?? "", bucket: call.bucket(), key: call.object())
        try await call.exchange.send(AnswerHead(204))
    }

    /// The upload and the number of a part that is to be written.
    private func part(_ call: Call) async throws -> (UploadInfo, Int) {
        guard let number = try call.number("partNumber", in: 1...10_000) else {
            throw S3Error(
                .invalidArgument, "Part number must be an integer between 1 and 10000, inclusive",
                resource: call.request.resource)
        }
        let upload = try await store.upload(
            call.request.query["uploadId"] ?? "", bucket: call.bucket(), key: call.object())
        return (upload, number)
    }

    /// Where an object is, as clients reach it.
    func location(_ call: Call) -> String {
        let scheme = isEncrypted ? "https" : "http"
        let host = call.request.headers["host"] ?? ""
        let bucket = call.request.bucket ?? ""
        let isHost = configuration.domain != nil && host.hasPrefix(bucket + ".")
        let path = (isHost ? "" : "/" + bucket) + "/" + URIEncoding.encode(call.request.key ?? "", keepsSlash: true)
        return "\(scheme)://\(host)\(path)"
    }
}

/// The checksum that an upload was created with, over the bytes of a part that is copied.
private struct CopiedPartDigest: PartDigest {
    var running: S3Checksum.Running

    mutating func update(_ bytes: [UInt8]) { running.update(bytes) }

    var checksum: ObjectChecksum {
        ObjectChecksum(algorithm: running.algorithm.rawValue, value: running.base64)
    }
}
