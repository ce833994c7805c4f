// SPDX-License-Identifier: Apache-2.0
import Logging
import S3Client
import S3Protocol
import Synchronization

/// Makes the documents of buckets what is declared.
///
/// Servers write documents their own way (headers in lower case, principals by number). What one made of a document is
/// remembered, so that it is not put again and again; after a restart it is put once more.
final class BucketSync: Sendable {
    private struct Key: Hashable {
        var bucket: String
        var document: BucketDocument
    }

    private struct Pair: Equatable {
        var wanted: [UInt8]?
        var made: [UInt8]?
    }

    private let s3: S3Client
    private let logger: Logger
    private let known = Mutex<[Key: Pair]>([:])

    init(_ s3: S3Client, logger: Logger) {
        self.s3 = s3
        self.logger = logger
    }

    /// Puts what differs; what fails does not keep the others back.
    /// - Returns: what S3 refused.
    func run(_ declared: BucketDeclaration) async -> [Refusal] {
        var refusals: [Refusal] = []
        for document in BucketDocument.allCases {
            do throws(S3Error) {
                try await keep(document, declared.documents[document], of: declared.name)
            } catch {
                refusals.append(Refusal("spec.\(document.rawValue)", error))
                // The others would fail the same way.
                if [.connectionFailed, .noSuchBucket, .cancelled].contains(error.code) { break }
            }
        }
        return refusals
    }

    /// What the documents of a bucket are.
    func read(_ bucket: String) async throws(S3Error) -> [BucketDocument: [UInt8]] {
        var found: [BucketDocument: [UInt8]] = [:]
        for document in BucketDocument.allCases { found[document] = try await get(document, of: bucket) }
        return found
    }

    /// Forgets a bucket that is no more.
    func forget(_ bucket: String) { known.withLock { known in known = known.filter { $0.key.bucket != bucket } } }

    private func get(_ document: BucketDocument, of bucket: String) async throws(S3Error) -> [UInt8]? {
        do throws(S3Error) {
            let bytes = try await s3.document(document.query, of: bucket)
            return bytes.flatMap { document.isBlank($0) ? nil : $0 }
        } catch {
            // A server that does not have that document has none of this bucket.
            if error.code == .notImplemented || error.code == .methodNotAllowed { return nil }
            throw error
        }
    }

    private func keep(_ document: BucketDocument, _ wanted: [UInt8]?, of bucket: String) async throws(S3Error) {
        let found = try await get(document, of: bucket)
        if wanted == nil, found == nil { return }
        if let wanted, let found, document.isMet(wanted, by: found) { return }
        let key = Key(bucket: bucket, document: document)
        if known.withLock({ $0[key] }) == Pair(wanted: wanted, made: found) { return }
        if let wanted {
            try await s3.setDocument(document.query, wanted, of: bucket)
        } else if document == .versioning {
            // Versions cannot be turned off again, only suspended (PutBucketVersioning).
            let suspended = S3Documents.VersioningConfiguration(status: .suspended).xml()
            if let found, document.isMet(suspended, by: found) { return }
            try await s3.setDocument(document.query, suspended, of: bucket)
        } else {
            try await s3.deleteDocument(document.query, of: bucket)
        }
        logger.info("\(document.rawValue) of bucket \(bucket) is as declared")
        let made = try await get(document, of: bucket)
        known.withLock { $0[key] = Pair(wanted: wanted, made: made) }
    }
}
