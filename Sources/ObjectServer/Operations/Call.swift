// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol

/// A request that is understood and signed rightly, with its sender.
struct Call {
    let request: S3Request
    let exchange: Exchange
    /// Who signed it; nil for nobody.
    let key: AccessKey?
    /// How the body is signed.
    let verifier: SigV4.Verifier
    /// The bucket that it goes to; nil for the service, and for a bucket that is to be made.
    var bucketInfo: BucketInfo?
    /// The address that it comes from.
    let client: String
    /// Whether it came over TLS.
    let isEncrypted: Bool

    /// Who objects that it writes belong to.
    var owner: String { key?.name ?? "anonymous" }

    /// The name of the bucket.
    func bucket() throws(S3Error) -> String {
        guard let bucket = request.bucket else {
            throw S3Error(.invalidBucketName, "The request names no bucket.", resource: request.resource)
        }
        return bucket
    }

    /// The bucket with its documents.
    func info() throws(S3Error) -> BucketInfo {
        guard let bucketInfo else {
            throw S3Error(.noSuchBucket, "The specified bucket does not exist.", resource: request.resource)
        }
        return bucketInfo
    }

    /// The name of the object.
    func object() throws(S3Error) -> String {
        guard let key = request.key else {
            throw S3Error(.invalidArgument, "The request names no key.", resource: request.resource)
        }
        return key
    }

    /// A number in the query.
    /// - Throws: `InvalidArgument` when it is none, or not in that range.
    func number(_ name: String, in range: ClosedRange<Int>) throws(S3Error) -> Int? {
        guard let text = request.query[name], !text.isEmpty else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw S3Error(
                .invalidArgument, "\(name) must be an integer between \(range.lowerBound) and \(range.upperBound).",
                resource: request.resource, details: [.init("ArgumentName", name), .init("ArgumentValue", text)])
        }
        return number
    }

    /// A number of at most `most` in the query: larger ones mean `most`, as in S3.
    func count(_ name: String, most: Int = 1000) throws(S3Error) -> Int {
        min(try number(name, in: 0...Int(Int32.max)) ?? most, most)
    }
}
