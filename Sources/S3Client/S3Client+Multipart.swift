// SPDX-License-Identifier: Apache-2.0
package import S3Protocol

extension S3Client {
    /// Begins an upload whose parts others send, to URLs of ``presign(_:bucket:key:query:expires:)`` with `partNumber`
    /// and `uploadId`.
    ///
    /// - Returns: the upload's identifier.
    /// - Throws: what S3 answers.
    package func createUpload(
        bucket: String, key: String, options: S3WriteOptions = .init()
    ) async throws(S3Error) -> String {
        var call = S3Call("POST", bucket: bucket, key: key, query: [("uploads", nil)])
        for field in options.fields { call.headers.add(field.name, field.value) }
        return try S3Documents.InitiateUpload(xml: try await send(call).bytes(1 << 20)).uploadID
    }

    /// Makes the object of the parts that were sent.
    ///
    /// - Throws: `InvalidPart`, `NoSuchUpload`, `EntityTooSmall`, and what S3 answers.
    @discardableResult
    package func completeUpload(
        bucket: String, key: String, uploadID: String, parts: [S3Documents.CompleteUpload.Part]
    ) async throws(S3Error) -> S3WriteResult {
        try await complete(bucket: bucket, key: key, uploadID: uploadID, parts: parts, options: .init())
    }

    /// Gives an upload up; one that is not there is no failure.
    package func abortUpload(bucket: String, key: String, uploadID: String) async throws(S3Error) {
        do throws(S3Error) {
            let call = S3Call("DELETE", bucket: bucket, key: key, query: [("uploadId", uploadID)])
            _ = try await send(call).bytes(64 << 10)
        } catch {
            guard error.code == .noSuchUpload else { throw error }
        }
    }
}
