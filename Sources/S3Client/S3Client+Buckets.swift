// SPDX-License-Identifier: Apache-2.0
import ByteCodes
package import S3Protocol

extension S3Client {
    /// - Parameters:
    ///   - name: of the bucket.
    ///   - location: where it is to be made; nil for the client's region.
    /// - Throws: `BucketAlreadyOwnedByYou`, `BucketAlreadyExists`, `InvalidBucketName`, and what S3 answers.
    package func createBucket(_ name: String, location: String? = nil) async throws(S3Error) {
        var call = S3Call("PUT", bucket: name)
        // That one is where buckets are made that say nothing (CreateBucket), and is not said.
        if let location = location ?? (configuration.region == "us-east-1" ? nil : configuration.region) {
            call.setBody(S3Documents.CreateBucketConfiguration(location: location).xml())
        }
        _ = try await send(call).bytes(64 << 10)
    }

    /// Makes a bucket where it is not there.
    package func ensureBucket(_ name: String) async throws(S3Error) {
        if try await hasBucket(name) { return }
        do throws(S3Error) {
            try await createBucket(name)
        } catch {
            guard error.code == .bucketAlreadyOwnedByYou else { throw error }
        }
    }

    package func hasBucket(_ name: String) async throws(S3Error) -> Bool {
        do throws(S3Error) {
            _ = try await send(S3Call("HEAD", bucket: name))
            return true
        } catch {
            if error.status == 404 { return false }
            throw error
        }
    }

    /// - Throws: `BucketNotEmpty`, `NoSuchBucket`, and what S3 answers.
    package func deleteBucket(_ name: String) async throws(S3Error) {
        _ = try await send(S3Call("DELETE", bucket: name)).bytes(64 << 10)
    }

    package func buckets() async throws(S3Error) -> [S3Documents.ListBucketsResult.Bucket] {
        try S3Documents.ListBucketsResult(xml: try await send(S3Call("GET")).bytes()).buckets
    }

    /// A document of a bucket: `policy`, `cors`, `lifecycle`, `versioning`, `tagging`, …; nil where none is set.
    package func document(_ name: String, of bucket: String) async throws(S3Error) -> [UInt8]? {
        do throws(S3Error) {
            return try await send(S3Call("GET", bucket: bucket, query: [(name, nil)])).bytes(4 << 20)
        } catch {
            if error.status == 404 && error.code != .noSuchBucket { return nil }
            throw error
        }
    }

    package func setDocument(_ name: String, _ bytes: [UInt8], of bucket: String) async throws(S3Error) {
        var call = S3Call("PUT", bucket: bucket, query: [(name, nil)])
        call.headers.add("content-type", name == "policy" ? "application/json" : "application/xml")
        call.headers.add(S3Checksum.crc32.header, Base64Text.encode(S3Checksum.crc32.of(bytes)))
        call.setBody(bytes)
        _ = try await send(call).bytes(64 << 10)
    }

    package func deleteDocument(_ name: String, of bucket: String) async throws(S3Error) {
        _ = try await send(S3Call("DELETE", bucket: bucket, query: [(name, nil)])).bytes(64 << 10)
    }

    /// One page of a bucket's objects in the order of their keys' bytes.
    ///
    /// - `startAfter`: keys up to this one are left out.
    /// - `token`: of the page before.
    package func listPage(
        bucket: String, prefix: String = "", delimiter: String? = nil, startAfter: String? = nil,
        token: String? = nil, maximum: Int = 1000
    ) async throws(S3Error) -> S3Documents.ListObjectsResult {
        var query: [(name: String, value: String?)] = [
            ("list-type", "2"), ("encoding-type", "url"), ("max-keys", String(maximum)),
        ]
        if !prefix.isEmpty { query.append(("prefix", prefix)) }
        if let delimiter { query.append(("delimiter", delimiter)) }
        if let token {
            query.append(("continuation-token", token))
        } else if let startAfter {
            query.append(("start-after", startAfter))
        }
        return try S3Documents.ListObjectsResult(
            xml: try await send(S3Call("GET", bucket: bucket, query: query)).bytes())
    }

    /// All objects of a bucket under a prefix, a page a request.
    package func list(
        bucket: String, prefix: String = "", delimiter: String? = nil, startAfter: String? = nil
    ) -> S3Listing {
        S3Listing(client: self, bucket: bucket, prefix: prefix, delimiter: delimiter, startAfter: startAfter)
    }
}

/// The objects, and with a delimiter the common prefixes, of a bucket; fetched as they are asked for.
package struct S3Listing: AsyncSequence, Sendable {
    package enum Element: Sendable, Hashable {
        case object(S3Documents.ObjectEntry)
        case prefix(String)
    }

    let client: S3Client
    let bucket: String
    let prefix: String
    let delimiter: String?
    let startAfter: String?

    package func makeAsyncIterator() -> Iterator { Iterator(listing: self) }

    package struct Iterator: AsyncIteratorProtocol {
        private let listing: S3Listing
        private var page: [Element] = []
        private var index = 0
        private var token: String?
        private var isAtEnd = false

        init(listing: S3Listing) { self.listing = listing }

        package mutating func next() async throws(S3Error) -> Element? { try await next(isolation: nil) }

        package mutating func next(isolation actor: isolated (any Actor)?) async throws(S3Error) -> Element? {
            while index == page.count {
                guard !isAtEnd else { return nil }
                let result = try await listing.client.listPage(
                    bucket: listing.bucket, prefix: listing.prefix, delimiter: listing.delimiter,
                    startAfter: listing.startAfter, token: token)
                page = result.objects.map(Element.object) + result.prefixes.map(Element.prefix)
                index = 0
                if case .two(_, let next?, _) = result.version, result.isTruncated {
                    token = next
                } else {
                    isAtEnd = true
                }
            }
            index += 1
            return page[index - 1]
        }
    }
}
