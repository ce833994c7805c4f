// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes
package import NIOCore
package import S3Protocol

extension S3Client {
    /// Writes an object that is in memory; in parts where it is larger than the threshold.
    ///
    /// - Throws: `PreconditionFailed` where the condition of `options` does not hold, and what S3 answers.
    @discardableResult
    package func put(
        _ bytes: [UInt8], bucket: String, key: String, options: S3WriteOptions = .init()
    ) async throws(S3Error) -> S3WriteResult {
        try await put(ByteBuffer(bytes: bytes), bucket: bucket, key: key, options: options)
    }

    /// Writes an object that is in memory; in parts where it is larger than the threshold.
    @discardableResult
    package func put(
        _ body: ByteBuffer, bucket: String, key: String, options: S3WriteOptions = .init()
    ) async throws(S3Error) -> S3WriteResult {
        if body.readableBytes > configuration.multipartThreshold {
            let size = partSize(length: Int64(body.readableBytes))
            var rest = body
            return try await upload(bucket: bucket, key: key, options: options) { () throws(S3Error) in
                rest.readSlice(length: min(size, rest.readableBytes)).flatMap { $0.readableBytes > 0 ? $0 : nil }
            }
        }
        return try await putWhole(body, bucket: bucket, key: key, options: options)
    }

    func putWhole(
        _ body: ByteBuffer, bucket: String, key: String, options: S3WriteOptions
    ) async throws(S3Error) -> S3WriteResult {
        var call = S3Call("PUT", bucket: bucket, key: key)
        for field in options.fields { call.headers.add(field.name, field.value) }
        call.setCondition(options.condition)
        if options.condition != nil {
            let token = RandomID.uuid()
            call.headers.add(S3Call.tokenHeader, token)
            call.token = token
        }
        call.setBody(body)
        let answer = try await send(call)
        _ = try await answer.bytes(64 << 10)
        return S3WriteResult(
            etag: S3Documents.unquoted(answer.headers["etag"] ?? ""), versionID: answer.headers["x-amz-version-id"])
    }

    /// Reads an object, or a part of it, as it comes.
    ///
    /// - Throws: `NoSuchKey`, `NoSuchBucket`, `InvalidRange`, `NotModified`, and what S3 answers.
    package func get(
        bucket: String, key: String, range: ByteRange? = nil, versionID: String? = nil, ifNoneMatch: String? = nil,
        ifMatch: String? = nil
    ) async throws(S3Error) -> S3ObjectStream {
        var call = S3Call("GET", bucket: bucket, key: key)
        if let versionID { call.query.append(("versionId", versionID)) }
        if let range { call.headers.add("range", range.text) }
        if let ifNoneMatch { call.headers.add("if-none-match", "\"\(ifNoneMatch)\"") }
        if let ifMatch { call.headers.add("if-match", "\"\(ifMatch)\"") }
        let answer = try await send(call)
        let info = S3ObjectInfo(key: key, headers: answer.headers)
        let contentRange = answer.headers["content-range"].map { $0.drop { !$0.isNumber } }
        let start = contentRange?.split(separator: "-").first.flatMap { Int64($0) } ?? 0
        return S3ObjectStream(
            info: info, length: answer.headers["content-length"].flatMap { Int64($0) } ?? info.size, first: answer,
            client: self, bucket: bucket, start: start, versionID: versionID)
    }

    /// What an object is, without its body.
    package func head(
        bucket: String, key: String, versionID: String? = nil
    ) async throws(S3Error) -> S3ObjectInfo {
        var call = S3Call("HEAD", bucket: bucket, key: key)
        if let versionID { call.query.append(("versionId", versionID)) }
        return S3ObjectInfo(key: key, headers: try await send(call).headers)
    }

    /// What an object is; nil where there is none.
    package func info(bucket: String, key: String) async throws(S3Error) -> S3ObjectInfo? {
        do throws(S3Error) {
            return try await head(bucket: bucket, key: key)
        } catch {
            if error.status == 404 { return nil }
            throw error
        }
    }

    /// Removes an object, or makes it hidden where the bucket keeps versions; one that is not there is no failure.
    package func delete(bucket: String, key: String, versionID: String? = nil) async throws(S3Error) {
        var call = S3Call("DELETE", bucket: bucket, key: key)
        if let versionID { call.query.append(("versionId", versionID)) }
        _ = try await send(call).bytes(64 << 10)
    }

    /// Removes many objects, 1000 a request.
    ///
    /// - Returns: those that could not be removed.
    package func delete(
        bucket: String, objects: [S3Documents.DeleteRequest.Object]
    ) async throws(S3Error) -> [S3Documents.DeleteResult.Failure] {
        var failures: [S3Documents.DeleteResult.Failure] = []
        let size = S3Documents.DeleteRequest.maximumObjects
        for start in stride(from: 0, to: objects.count, by: size) {
            let group = Array(objects[start..<min(start + size, objects.count)])
            var call = S3Call("POST", bucket: bucket, query: [("delete", nil)])
            let xml = S3Documents.DeleteRequest(group, isQuiet: true).xml()
            call.headers.add("content-type", "application/xml")
            // S3 wants an integrity header beside the signature's.
            call.headers.add(S3Checksum.crc32.header, Base64Text.encode(S3Checksum.crc32.of(xml)))
            call.setBody(xml)
            let answer = try await send(call).bytes()
            failures += try S3Documents.DeleteResult(xml: answer).failures
        }
        return failures
    }

    /// Makes a copy within the server.
    ///
    /// - `options`: nil keeps the source's type and metadata.
    @discardableResult
    package func copy(
        _ source: S3CopySource, bucket: String, key: String, options: S3WriteOptions? = nil
    ) async throws(S3Error) -> S3WriteResult {
        var call = S3Call("PUT", bucket: bucket, key: key)
        call.headers.add("x-amz-copy-source", source.text)
        if let options {
            call.headers.add("x-amz-metadata-directive", "REPLACE")
            for field in options.fields { call.headers.add(field.name, field.value) }
            call.setCondition(options.condition)
        }
        let answer = try await send(call)
        let result = try S3Documents.CopyResult(xml: try await answer.bytes(1 << 20))
        return S3WriteResult(etag: result.etag, versionID: answer.headers["x-amz-version-id"])
    }
}
