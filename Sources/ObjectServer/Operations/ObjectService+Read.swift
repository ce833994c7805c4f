// SPDX-License-Identifier: Apache-2.0
import NIOCore
import ObjectStore
import S3Protocol

extension ObjectService {
    /// How much of an object is read and sent at a time: a block, which is checked as a whole.
    private static let block = 1 << 20
    /// Objects that need no share of the memory: there is room for one of each connection.
    private static let freeBytes: Int64 = 64 << 10

    /// Headers of the answer that a signed request may set, with the parameters that do.
    private static let overrides: [(parameter: String, name: StaticString)] = [
        ("response-content-type", "Content-Type"), ("response-content-language", "Content-Language"),
        ("response-expires", "Expires"), ("response-cache-control", "Cache-Control"),
        ("response-content-disposition", "Content-Disposition"),
        ("response-content-encoding", "Content-Encoding"),
    ]

    /// GetObject.
    func getObject(_ call: Call) async throws {
        let (info, reader) = try await found(call) {
            try await store.get(bucket: call.bucket(), key: call.object(), version: call.request.versionID)
        }
        guard let (head, range) = try await readable(call, info) else { return }
        guard !range.isEmpty else { return try await call.exchange.send(head) }
        let size = range.upperBound - range.lowerBound
        // The block that is sent, and the one that is read meanwhile.
        let share = size <= Self.freeBytes ? nil : try await budget.take(2 * Self.block)
        defer { withExtendedLifetime(share) {} }
        var position = range.lowerBound
        // Damage at the beginning is still an error with a document.
        let first = try await reader.read(position..<range.upperBound, maximum: Self.block)
        position += Int64(first.count)
        try await call.exchange.send(head, length: size, first: first[...])
        do {
            while position < range.upperBound {
                let bytes = try await Self.buffer(reader, position..<range.upperBound)
                guard bytes.readableBytes > 0 else { break }
                position += Int64(bytes.readableBytes)
                try await call.exchange.send(bytes)
            }
        } catch let error as ObjectStoreError {
            note(error, call.request.resource, call.exchange.id)
            return call.exchange.cutOff()
        }
        try await call.exchange.end()
    }

    /// The next block as it is sent; the reader's array is let go of before the client is waited for.
    private static func buffer(_ reader: ObjectReader, _ range: Range<Int64>) async throws -> ByteBuffer {
        ByteBuffer(bytes: try await reader.read(range, maximum: block))
    }

    /// HeadObject.
    func headObject(_ call: Call) async throws {
        let info = try await found(call) {
            try await store.head(bucket: call.bucket(), key: call.object(), version: call.request.versionID)
        }
        guard let (head, range) = try await readable(call, info) else { return }
        try await call.exchange.send(head, length: range.upperBound - range.lowerBound, first: [])
    }

    /// What the store says of an object; where there is none and the client may not know, that it is not allowed.
    private func found<Found: Sendable>(_ call: Call, _ look: () async throws -> Found) async throws -> Found {
        do {
            return try await look()
        } catch let error as ObjectStoreError where error.code == .noSuchKey {
            if error.isDeleteMarker {
                call.exchange.common.append(("x-amz-delete-marker", "true"))
                if let version = error.versionID { call.exchange.common.append(("x-amz-version-id", version)) }
            }
            guard await mayList(call) else {
                throw S3Error(.accessDenied, "Access Denied", resource: call.request.resource)
            }
            throw S3Error(
                .noSuchKey, "The specified key does not exist.", resource: call.request.resource,
                details: [.init("Key", call.request.key ?? "")])
        }
    }

    /// The head of the answer and the bytes that follow; nil where the request was answered: not modified.
    private func readable(_ call: Call, _ info: ObjectInfo) async throws -> (AnswerHead, Range<Int64>)? {
        let request = call.request
        if info.isDeleteMarker {
            call.exchange.common.append(("x-amz-delete-marker", "true"))
            call.exchange.common.append(("x-amz-version-id", info.versionID))
            throw S3Error(
                .methodNotAllowed, "The specified method is not allowed against this resource.",
                resource: request.resource)
        }
        let modified = CivilSeconds.floor(info.modified)
        let conditions = S3Preconditions(request.headers)
        switch conditions.answer(etag: info.etag, modified: info.modified, isRead: true) {
        case .proceed: break
        case .failed(let condition):
            throw S3Error(
                .preconditionFailed, "At least one of the pre-conditions you specified did not hold",
                resource: request.resource, details: [.init("Condition", condition)])
        case .notModified:
            var head = AnswerHead(304)
            head.add("ETag", "\"\(info.etag)\"")
            head.add("Last-Modified", S3Time.http(seconds: modified))
            head.add("Cache-Control", info.attributes.cacheControl)
            try await call.exchange.send(head)
            return nil
        }
        var range = 0..<info.size
        var status = 200
        var parts: Int?
        if let number = try call.number("partNumber", in: 1...10_000) {
            (range, parts) = try await part(number, call, info)
            status = 206
        } else if let text = request.headers["range"], let asked = ByteRange(header: text),
            Self.allowsRange(request.headers["if-range"], info, modified)
        {
            do {
                range = try asked.resolve(size: info.size)
            } catch {
                call.exchange.common.append(("Content-Range", "bytes */\(info.size)"))
                throw error
            }
            status = 206
        }
        var head = AnswerHead(status)
        if status == 206, !range.isEmpty {
            head.add("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(info.size)")
        }
        if let parts { head.add("x-amz-mp-parts-count", String(parts)) }
        try describe(info, call, &head, isWhole: range == 0..<info.size)
        expiry(info, call, &head)
        return (head, range)
    }

    /// Whether a range still means the object that the client knows (RFC 9110, 13.1.5).
    private static func allowsRange(_ header: String?, _ info: ObjectInfo, _ modified: Int64) -> Bool {
        guard let header else { return true }
        if let seconds = S3Time.parse(http: header) { return modified <= seconds }
        return header == "\"\(info.etag)\""
    }

    /// Where a part of an object that was uploaded in parts lies, and how many there are.
    private func part(_ number: Int, _ call: Call, _ info: ObjectInfo) async throws -> (Range<Int64>, Int?) {
        let parts = try await store.objectParts(
            bucket: call.bucket(), key: call.object(), version: call.request.versionID)
        if parts.isEmpty, number == 1 { return (0..<info.size, nil) }
        // Parts are counted anew in the object: the numbers that they were uploaded with may have gaps.
        guard number <= parts.count else {
            throw S3Error(
                .invalidRange, "The requested partnumber is not satisfiable", resource: call.request.resource,
                details: [.init("ActualPartCount", String(max(1, parts.count)))])
        }
        let part = parts[number - 1]
        return (part.offset..<(part.offset + part.size), parts.count)
    }

    /// The headers that tell of an object.
    private func describe(
        _ info: ObjectInfo, _ call: Call, _ head: inout AnswerHead, isWhole: Bool
    ) throws(S3Error) {
        let attributes = info.attributes
        let query = call.request.query
        head.add("ETag", "\"\(info.etag)\"")
        head.add("Last-Modified", S3Time.http(seconds: CivilSeconds.floor(info.modified)))
        head.add("Accept-Ranges", "bytes")
        let kept: [(StaticString, String?)] = [
            ("Content-Type", attributes.contentType ?? "binary/octet-stream"),
            ("Content-Language", attributes.contentLanguage), ("Expires", attributes.expires),
            ("Cache-Control", attributes.cacheControl), ("Content-Disposition", attributes.contentDisposition),
            ("Content-Encoding", attributes.contentEncoding),
        ]
        for (number, (name, value)) in kept.enumerated() {
            if !query.isEmpty, let other = query[Self.overrides[number].parameter] {
                guard call.key != nil else {
                    throw S3Error(
                        .invalidRequest, "Request specific response headers cannot be used for anonymous GET requests.")
                }
                head.add(name, other)
            } else {
                head.add(name, value)
            }
        }
        if call.bucketInfo?.versioning != .off { head.add("x-amz-version-id", info.versionID) }
        if !attributes.tags.isEmpty { head.add("x-amz-tagging-count", String(attributes.tags.count)) }
        head.add("x-amz-website-redirect-location", attributes.websiteRedirect)
        if let storageClass = attributes.storageClass, storageClass != "STANDARD" {
            head.add("x-amz-storage-class", storageClass)
        }
        for field in attributes.metadata { head.add(metadata: field.name, field.value) }
        if isWhole, let checksum = attributes.checksum,
            call.request.headers["x-amz-checksum-mode"]?.uppercased() == "ENABLED"
        {
            head.add(checksum)
        }
    }
}

extension AnswerHead {
    /// Adds the headers of a checksum.
    mutating func add(_ checksum: ObjectChecksum?, showsType: Bool = true) {
        guard let checksum, !checksum.value.isEmpty else { return }
        switch checksum.algorithm {
        case "CRC32": add("x-amz-checksum-crc32", checksum.value)
        case "CRC32C": add("x-amz-checksum-crc32c", checksum.value)
        case "CRC64NVME": add("x-amz-checksum-crc64nvme", checksum.value)
        case "SHA1": add("x-amz-checksum-sha1", checksum.value)
        case "SHA256": add("x-amz-checksum-sha256", checksum.value)
        default: return
        }
        if showsType { add("x-amz-checksum-type", checksum.type) }
    }
}
