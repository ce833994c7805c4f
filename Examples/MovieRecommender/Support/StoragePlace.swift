// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import Logging
import S3Client
import S3Protocol

/// A folder, or a bucket and a prefix in it: `./lake`, `s3://lake`, `s3://bucket/some/prefix`.
enum StoragePlace: Sendable, Hashable, CustomStringConvertible {
    case folder(String)
    /// The prefix is empty or ends with a slash.
    case bucket(String, prefix: String)

    /// - Throws: `ValidationError` for a bucket without a name.
    init(_ text: String) throws {
        guard text.hasPrefix("s3://") else {
            guard !text.contains("://"), !text.isEmpty else {
                throw ValidationError("'\(text)' is neither a folder nor s3://BUCKET[/PREFIX]")
            }
            self = .folder(VolumeFolder.resolve(text))
            return
        }
        let parts = text.dropFirst(5).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty else { throw ValidationError("'\(text)' names no bucket") }
        let prefix = parts.count > 1 ? parts[1].split(separator: "/").map { "\($0)/" }.joined() : ""
        self = .bucket(String(name), prefix: prefix)
    }

    /// A place below this one.
    func appending(_ name: String) -> StoragePlace {
        switch self {
        case .folder(let path): .folder("\(path)/\(name)")
        case .bucket(let bucket, let prefix): .bucket(bucket, prefix: "\(prefix)\(name)/")
        }
    }

    var description: String {
        switch self {
        case .folder(let path): path
        case .bucket(let name, let prefix): "s3://\(name)" + (prefix.isEmpty ? "" : "/\(prefix.dropLast())")
        }
    }
}

/// The S3 that the environment names, as other tools understand it, too.
enum ObjectStoreEnvironment {
    /// A client by `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    static func client(_ logger: Logger) throws(CommandFailure) -> S3Client {
        let environment = ProcessInfo.processInfo.environment
        let region = environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "us-east-1"
        let credentials = environment["AWS_ACCESS_KEY_ID"].map {
            SigV4.Credentials(
                accessKey: $0, secret: environment["AWS_SECRET_ACCESS_KEY"] ?? "",
                sessionToken: environment["AWS_SESSION_TOKEN"])
        }
        do {
            return try S3Client(
                S3ClientConfiguration(
                    endpoint: environment["AWS_ENDPOINT_URL"] ?? "https://s3.\(region).amazonaws.com", region: region,
                    credentials: credentials), logger: logger)
        } catch {
            throw CommandFailure("AWS_ENDPOINT_URL: \(error)")
        }
    }
}
