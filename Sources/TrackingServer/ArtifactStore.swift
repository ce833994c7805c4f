// SPDX-License-Identifier: Apache-2.0
package import Hummingbird
package import S3Protocol

/// Where the files of runs and models are.
///
/// A write is there as a whole and on the disk when it returns, or not at all. Bodies are streamed: memory does not
/// depend on how large a file is.
package protocol ArtifactStore: Sendable {
    /// Makes the place ready, and collects what a crash left behind.
    func prepare() async throws(ArtifactError)

    /// Writes a file, in the place of one that is there; folders above it are made.
    ///
    /// `length` is the bytes of the body, where they are known: one that ends before is no file.
    func write(_ path: ArtifactPath, _ body: RequestBody, length: Int64?) async throws(ArtifactError)

    /// Opens a file.
    ///
    /// `range` is what is wanted of it; nil for all.
    /// - Throws: `missing`; `invalid` for a folder; `range` where there are no such bytes.
    func read(_ path: ArtifactPath, range: ByteRange?) async throws(ArtifactError) -> ArtifactContent

    /// What is directly in a folder, by name; nothing where there is no such folder.
    func list(_ folder: ArtifactPath) async throws(ArtifactError) -> [ArtifactEntry]

    /// Removes a file, or a folder with all that is in it; what is not there is no failure.
    func delete(_ path: ArtifactPath) async throws(ArtifactError)

    /// Whether clients may be sent to the place itself, by URLs that are signed.
    var isDirect: Bool { get }

    /// Begins an upload of parts that the client sends to the URLs.
    func beginUpload(_ path: ArtifactPath, parts: Int) async throws(ArtifactError) -> ArtifactUpload

    /// Makes the file of the parts.
    func completeUpload(_ path: ArtifactPath, id: String, parts: [ArtifactUpload.Part]) async throws(ArtifactError)

    /// Gives an upload up.
    func abortUpload(_ path: ArtifactPath, id: String) async throws(ArtifactError)

    /// A URL that gives the file to everybody who has it.
    func signedDownload(_ path: ArtifactPath, for time: Duration) async throws(ArtifactError) -> SignedDownload

    /// The path of a location that names a place in the store itself, as `s3://BUCKET/PREFIX/…`; nil for other places.
    func rest(of location: String) -> String?

    /// Lets go of connections.
    func close() async
}

/// A file or folder in a list.
package struct ArtifactEntry: Sendable, Hashable {
    /// Without the folder.
    package var name: String
    /// Bytes; nil for a folder.
    package var size: Int64?

    package init(name: String, size: Int64?) {
        self.name = name
        self.size = size
    }
}

/// A file that was opened.
package struct ArtifactContent: Sendable {
    /// Bytes of all of it.
    package var size: Int64
    /// Those that the body has.
    package var range: Range<Int64>
    /// Seconds since 1970.
    package var modified: Int64
    /// Without quotes.
    package var etag: String
    package var body: ResponseBody
}

/// An upload of parts.
package struct ArtifactUpload: Sendable, Hashable {
    /// A part that was sent.
    package struct Part: Sendable, Hashable {
        /// From 1 on.
        package var number: Int
        package var etag: String

        package init(number: Int, etag: String) {
            self.number = number
            self.etag = etag
        }
    }

    package var id: String
    /// Where to send part 1, 2, ….
    package var addresses: [String]
}

/// A URL to read a file.
package struct SignedDownload: Sendable, Hashable {
    package var address: String
    /// Bytes of the file.
    package var size: Int64
}

/// Why a store does not do what it is asked.
package enum ArtifactError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The path, or what is there, cannot be used so.
    case invalid(String)
    /// There is no such file.
    case missing(String)
    /// The bytes that are wanted are not in the file, which has so many.
    case range(size: Int64)
    /// The store cannot do that.
    case unsupported(String)
    /// The body ended before it was complete, or its client went.
    case incomplete(String)
    /// The disk or the bucket does not answer as it should.
    case failed(String)
    case cancelled

    package var description: String {
        switch self {
        case .invalid(let text), .unsupported(let text), .incomplete(let text), .failed(let text): text
        case .missing(let path): "No such artifact: '\(path)'"
        case .range(let size): "the file has \(size) bytes, and the range is beyond them"
        case .cancelled: "the request was cancelled"
        }
    }
}

extension ArtifactStore {
    package var isDirect: Bool { false }

    // MLflow's client falls back on one upload through the server by the first words of this.
    package func beginUpload(_ path: ArtifactPath, parts: Int) async throws(ArtifactError) -> ArtifactUpload {
        throw .unsupported("Multipart upload is not supported for the current artifact repository")
    }

    package func completeUpload(
        _ path: ArtifactPath, id: String, parts: [ArtifactUpload.Part]
    ) async throws(ArtifactError) {
        throw .unsupported("Multipart upload is not supported for the current artifact repository")
    }

    package func abortUpload(_ path: ArtifactPath, id: String) async throws(ArtifactError) {
        throw .unsupported("Multipart upload is not supported for the current artifact repository")
    }

    package func signedDownload(_ path: ArtifactPath, for time: Duration) async throws(ArtifactError) -> SignedDownload
    {
        throw .unsupported("Multipart download is not supported for the current artifact repository")
    }

    package func close() async {}
}
