// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import Logging
import S3Client

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

    var description: String {
        switch self {
        case .folder(let path): path
        case .bucket(let name, let prefix): "s3://\(name)" + (prefix.isEmpty ? "" : "/\(prefix.dropLast())")
        }
    }
}

extension S3Client {
    /// A client of the S3 that the environment names, as other tools understand it, too.
    static func ofEnvironment(_ logger: Logger) throws(CommandFailure) -> S3Client {
        do {
            return try S3Client(
                S3ClientConfiguration(environment: ProcessInfo.processInfo.environment), logger: logger)
        } catch {
            throw CommandFailure("AWS_ENDPOINT_URL: \(error)")
        }
    }
}
