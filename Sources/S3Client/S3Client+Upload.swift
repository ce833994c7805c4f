// SPDX-License-Identifier: Apache-2.0
import Crypto
package import NIOCore
package import S3Protocol

extension S3Client {
    /// Writes an object from a stream, in parts where it is larger than one. Memory is bounded by the parts that are on
    /// their way.
    ///
    /// - `length`: bytes of the body, where it is known: a very large one gets larger parts.
    /// - Throws: what S3 answers; `IncompleteBody` where the stream fails or has another length. Nothing is left behind.
    @discardableResult
    package func put<Body: AsyncSequence & Sendable>(
        stream body: Body, length: Int64? = nil, bucket: String, key: String, options: S3WriteOptions = .init()
    ) async throws(S3Error) -> S3WriteResult where Body.Element == ByteBuffer {
        var filler = PartFiller(body, size: partSize(length: length ?? 0), length: length)
        let first = try await filler.next() ?? ByteBuffer()
        if filler.isAtEnd { return try await putWhole(first, bucket: bucket, key: key, options: options) }
        var pending: ByteBuffer? = first
        return try await upload(bucket: bucket, key: key, options: options) { () async throws(S3Error) in
            if let part = pending {
                pending = nil
                return part
            }
            return try await filler.next()
        }
    }

    /// Bytes of a part, such that a body of `length` bytes has at most 10,000.
    func partSize(length: Int64) -> Int {
        let maximum = Int64(S3Documents.CompleteUpload.maximumParts)
        return max(configuration.partSize, 5 << 20, Int((length + maximum - 1) / maximum))
    }

    /// Uploads parts until there are no more, some at once; gives the upload up where one fails.
    func upload(
        bucket: String, key: String, options: S3WriteOptions,
        next: () async throws(S3Error) -> ByteBuffer?
    ) async throws(S3Error) -> S3WriteResult {
        let uploadID = try await createUpload(bucket: bucket, key: key, options: options)
        do throws(S3Error) {
            let parts = try await uploadParts(bucket: bucket, key: key, uploadID: uploadID, next: next)
            return try await complete(bucket: bucket, key: key, uploadID: uploadID, parts: parts, options: options)
        } catch {
            // A task of its own: where this one was cancelled, its requests would be too.
            await Task { await abort(bucket: bucket, key: key, uploadID: uploadID) }.value
            throw error
        }
    }

    private typealias Part = S3Documents.CompleteUpload.Part

    private func uploadParts(
        bucket: String, key: String, uploadID: String, next: () async throws(S3Error) -> ByteBuffer?
    ) async throws(S3Error) -> [S3Documents.CompleteUpload.Part] {
        let result = await withTaskGroup(of: Result<Part, S3Error>.self) { group -> Result<[Part], S3Error> in
            var parts: [Part] = []
            var number = 0
            do throws(S3Error) {
                while let body = try await next() {
                    number += 1
                    let part = number
                    if number > configuration.partsAtOnce, let done = await group.next() {
                        parts.append(try done.get())
                    }
                    group.addTask {
                        await self.uploadPart(body, number: part, bucket: bucket, key: key, uploadID: uploadID)
                    }
                }
                while let done = await group.next() { parts.append(try done.get()) }
            } catch {
                group.cancelAll()
                return .failure(error)
            }
            return .success(parts.sorted { $0.number < $1.number })
        }
        return try result.get()
    }

    private func uploadPart(
        _ body: ByteBuffer, number: Int, bucket: String, key: String, uploadID: String
    ) async -> Result<S3Documents.CompleteUpload.Part, S3Error> {
        do throws(S3Error) {
            var call = S3Call(
                "PUT", bucket: bucket, key: key, query: [("partNumber", String(number)), ("uploadId", uploadID)])
            call.setBody(body)
            let answer = try await send(call)
            _ = try await answer.bytes(64 << 10)
            return .success(Part(number: number, etag: S3Documents.unquoted(answer.headers["etag"] ?? "")))
        } catch {
            return .failure(error)
        }
    }

    func complete(
        bucket: String, key: String, uploadID: String, parts: [S3Documents.CompleteUpload.Part],
        options: S3WriteOptions
    ) async throws(S3Error) -> S3WriteResult {
        var call = S3Call("POST", bucket: bucket, key: key, query: [("uploadId", uploadID)])
        call.setCondition(options.condition)
        call.headers.add("content-type", "application/xml")
        call.setBody(S3Documents.CompleteUpload(parts).xml())
        do throws(S3Error) {
            let answer = try await send(call)
            let result = try S3Documents.CompleteUploadResult(xml: try await answer.bytes(1 << 20))
            return S3WriteResult(etag: result.etag, versionID: answer.headers["x-amz-version-id"])
        } catch {
            // The upload is gone where an attempt was done whose answer did not come: the object tells.
            guard error.code == .noSuchUpload, let etag = Self.etag(of: parts),
                let info = try await info(bucket: bucket, key: key), info.etag == etag
            else { throw error }
            return S3WriteResult(etag: etag, versionID: info.versionID)
        }
    }

    /// The entity tag of an object of parts: the MD5 of their MD5s, and their number; nil where theirs are no MD5s.
    static func etag(of parts: [S3Documents.CompleteUpload.Part]) -> String? {
        var hash = Insecure.MD5()
        for part in parts {
            guard let bytes = Hex.bytes(part.etag), bytes.count == 16 else { return nil }
            hash.update(data: bytes)
        }
        return Hex.text(hash.finalize()) + "-\(parts.count)"
    }

    /// What is left of an upload that could not be given up is collected by the bucket's lifecycle.
    private func abort(bucket: String, key: String, uploadID: String) async {
        _ = try? await send(S3Call("DELETE", bucket: bucket, key: key, query: [("uploadId", uploadID)]))
    }
}

/// Collects buffers into parts of one size; only the last is shorter.
struct PartFiller<Body: AsyncSequence> where Body.Element == ByteBuffer {
    private var buffers: Body.AsyncIterator
    private let size: Int
    private let length: Int64?
    private var rest = ByteBuffer()
    private var total: Int64 = 0
    /// Whether there is no further part.
    private(set) var isAtEnd = false

    init(_ body: Body, size: Int, length: Int64?) {
        buffers = body.makeAsyncIterator()
        self.size = size
        self.length = length
    }

    /// Nil at the end; the first part of an empty body is nil too.
    mutating func next() async throws(S3Error) -> ByteBuffer? {
        guard !isAtEnd else { return nil }
        var part = ByteBuffer()
        part.writeBuffer(&rest)
        while part.readableBytes <= size {
            let buffer: ByteBuffer?
            do {
                buffer = try await buffers.next()
            } catch {
                throw error is CancellationError
                    ? .cancelled
                    : S3Error(.incompleteBody, "the body to be written failed after \(total) bytes: \(error)")
            }
            guard var buffer else {
                isAtEnd = true
                break
            }
            total += Int64(buffer.readableBytes)
            part.writeBuffer(&buffer)
        }
        if let length, total > length || (isAtEnd && total != length) {
            throw S3Error(.incompleteBody, "the body to be written has \(total) bytes so far; \(length) were announced")
        }
        if part.readableBytes > size {
            var tail = part
            tail.moveReaderIndex(forwardBy: size)
            rest = ByteBuffer(buffer: tail)
            part = part.getSlice(at: part.readerIndex, length: size) ?? part
        }
        return part.readableBytes > 0 ? part : nil
    }
}
