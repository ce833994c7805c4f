// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes
import ModelKit
import S3Client
import S3Protocol

/// Models in a bucket, some objects each: `als-000001/model`, `als-000001/info.json` and, written last,
/// `als-000001/manifest.json` with the names, sizes and checksums of the others. A model is there when its manifest is.
///
/// The manifest is written on the condition that there is none: of two trainings that end at once each gets a number.
struct BucketModels: ModelStore {
    private static let manifest = "manifest.json"
    private static let attempts = 20
    private static let modelLimit = 1 << 32

    private let client: S3Client
    private let bucket: String
    private let prefix: String

    init(_ client: S3Client, bucket: String, prefix: String) {
        self.client = client
        self.bucket = bucket
        self.prefix = prefix
    }

    func numbers(after number: Int) async throws -> [Int] {
        var numbers: [Int] = []
        let start = number > 0 ? "\(prefix)\(ModelPlace.name(number))/\(Self.manifest)" : nil
        do throws(S3Error) {
            for try await element in client.list(bucket: bucket, prefix: prefix + "als-", startAfter: start) {
                guard case .object(let entry) = element else { continue }
                let parts = entry.key.dropFirst(prefix.count).split(separator: "/")
                if parts.count == 2, parts[1] == Self.manifest, let number = ModelPlace.number(parts[0]) {
                    numbers.append(number)
                }
            }
        } catch {
            // Made by the first training.
            if error.code == .noSuchBucket { return [] }
            throw error
        }
        return numbers.filter { $0 > number }.sorted()
    }

    func read(_ number: Int) async throws -> ALSModel {
        let folder = "\(prefix)\(ModelPlace.name(number))/"
        let manifest = try JSONParser.parse(
            try await client.get(bucket: bucket, key: folder + Self.manifest).bytes(maximum: 1 << 20))
        for file in manifest["files"].elements where file["role"].string == "model" {
            guard let name = file["name"].string else { continue }
            let bytes = try await client.get(bucket: bucket, key: folder + name).bytes(maximum: Self.modelLimit)
            guard bytes.count == file["size"].int, Self.checksum(bytes) == file["crc32c"].string else {
                throw CommandFailure("\(folder)\(name) is not what its manifest says: train again")
            }
            return try await DedicatedThreads.run { try ALSModelFile.decode(bytes) }
        }
        throw CommandFailure("\(folder)\(Self.manifest) names no model")
    }

    func publish(_ model: ALSModel) async throws -> Int {
        try await client.ensureBucket(bucket)
        let info = model.info.json(model)
        let bytes = try await DedicatedThreads.run { ALSModelFile.encode(model) }
        // Under a name of their own: another training may be at the same number.
        let token = RandomID.uuid()
        let files = [("model", "\(token).model", bytes), ("info", "\(token).json", info.encoded)]
        for _ in 0..<Self.attempts {
            let number = (try await numbers(after: 0).last ?? 0) + 1
            let folder = "\(prefix)\(ModelPlace.name(number))/"
            var entries: [JSONValue] = []
            for (role, name, bytes) in files {
                try await client.put(bytes, bucket: bucket, key: folder + name)
                entries.append([
                    "role": .string(role), "name": .string(name), "size": JSONValue(bytes.count),
                    "crc32c": .string(Self.checksum(bytes)),
                ])
            }
            let manifest: JSONValue = ["version": 1, "files": .array(entries), "info": info]
            do throws(S3Error) {
                try await client.put(
                    manifest.encoded, bucket: bucket, key: folder + Self.manifest,
                    options: S3WriteOptions(contentType: "application/json", condition: .absent))
                return number
            } catch {
                guard error.code == .preconditionFailed else { throw error }
                _ = try await client.delete(bucket: bucket, objects: files.map { .init(key: folder + $0.1) })
            }
        }
        throw CommandFailure("\(Self.attempts) other trainings ended at the same time: try again")
    }

    private static func checksum(_ bytes: [UInt8]) -> String {
        String(bytes.withUnsafeBytes { CRC32C.checksum($0) }, radix: 16)
    }

    func name(_ number: Int) -> String { ModelPlace.name(number) }

    func close() async { try? await client.shutdown() }
}
