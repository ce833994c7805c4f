// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import AsyncHTTPClient
internal import DataFolders
internal import InferenceProtocol
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import S3Client
internal import TrackingClient

extension ModelSources {
    /// Files that are fetched at a time.
    private static let parallel = 8

    /// Puts a model's files into an empty folder.
    func fill(_ folder: String, _ model: ResolvedModel) async throws(InferenceFault) {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let single: String?
            switch model.files {
            case .local(let path): single = path
            case .web(let address): single = try await download(address, model.uri, into: folder)
            case .objects(let bucket, let files):
                let client = try s3()
                let budget = ByteBudget(configuration.modelLimit)
                single = try await each(files, folder) { file, path in
                    let stream = try await client.get(bucket: bucket, key: file.source)
                    try await Self.write(stream, to: path, budget)
                }
            case .artifacts(let files):
                let client = try tracking()
                single = try await each(files, folder) { file, path in
                    // What it was when it was listed is what was checked against the limit.
                    try await client.download(try ArtifactPlace(uri: "mlflow-artifacts:/" + file.source), to: path)
                }
            }
            try await finish(folder, single, model.uri)
        } catch let fault as InferenceFault {
            throw fault
        } catch is CancellationError {
            throw InferenceFault(.cancelled, "\(model.uri) is no longer wanted")
        } catch {
            throw InferenceFault(.runtime, "\(model.uri) cannot be fetched: \(error)")
        }
        logger.info(
            "model fetched",
            metadata: ["model": "\(model.uri)", "version": "\(model.version)", "time": "\(clock.now - start)"])
    }

    /// Fetches files into a folder.
    /// - Returns: the path of the file, where there is only one.
    private func each(
        _ files: [ResolvedModel.RemoteFile], _ folder: String,
        _ fetch: @escaping @Sendable (ResolvedModel.RemoteFile, String) async throws -> Void
    ) async throws -> String? {
        var paths: [(file: ResolvedModel.RemoteFile, path: String)] = []
        for file in files {
            let name = try ArchivePath.safe(file.path)
            try Folder.create(folder + "/" + ArchivePath.parent(name))
            paths.append((file, folder + "/" + name))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, entry) in paths.enumerated() {
                if index >= Self.parallel { try await group.next() }
                group.addTask { try await fetch(entry.file, entry.path) }
            }
            try await group.waitForAll()
        }
        return paths.count == 1 ? paths[0].path : nil
    }

    private func download(_ address: String, _ uri: ModelURI, into folder: String) async throws -> String {
        let path = address.prefix { $0 != "?" && $0 != "#" }
        let last = path.split(separator: "/").dropFirst(2).last.flatMap { PercentEncoding.decode(String($0)) }
        let name = try ArchivePath.safe(last.flatMap { $0.contains("/") ? nil : $0 } ?? "model")
        let target = folder + "/" + name
        var attempt = 0
        while true {
            attempt += 1
            do {
                let response = try await http().execute(HTTPClientRequest(url: address), timeout: .hours(1))
                guard response.status == .ok else {
                    let isTransient = response.status.code >= 500 || response.status == .tooManyRequests
                    throw InferenceFault(
                        isTransient ? .runtime : response.status == .notFound ? .notFound : .invalid,
                        "\(uri) cannot be fetched: the server answers \(response.status)")
                }
                let length = response.headers.first(name: "content-length").flatMap { Int($0) }
                try await Self.write(response.body, to: target, ByteBudget(configuration.modelLimit))
                if let length, response.headers.first(name: "content-encoding") == nil {
                    let size = FileSize.of(target)
                    guard size == length else {
                        throw InferenceFault(.runtime, "\(uri) ended after \(size) of \(length) bytes")
                    }
                }
                return target
            } catch {
                if let fault = error as? InferenceFault, fault.code != .runtime { throw error }
                guard attempt < 3, !Task.isCancelled else { throw error }
                try await Task.sleep(for: .milliseconds(200 * attempt))
            }
        }
    }

    private static func write<Body: AsyncSequence & Sendable>(
        _ body: Body, to path: String, _ budget: ByteBudget
    ) async throws where Body.Element == ByteBuffer {
        let file = try await FileWork.run { try NewFile(path, replaces: true) }
        for try await buffer in body {
            try budget.take(buffer.readableBytes)
            try await FileWork.run { try file.write(buffer.readableBytesView) }
        }
    }

    /// Compares the checksum, and unpacks where the only file is an archive.
    private func finish(_ folder: String, _ single: String?, _ uri: ModelURI) async throws {
        let limits = ArchiveLimits(bytes: configuration.modelLimit, files: configuration.fileLimit)
        if let expected = uri.checksum {
            guard let single else {
                throw InferenceFault(.invalid, "\(uri) has several files: #sha256= is the checksum of one")
            }
            let found = try await FileWork.run { try Checksum.ofFile(single) }
            guard found == expected else {
                throw InferenceFault(
                    .invalid, "\(uri) has the checksum \(found), expected \(expected): it is damaged, or another file")
            }
        }
        guard let single else { return }
        if let kind = Archive.Kind(single) {
            try await FileWork.run {
                try Archive.unpack(single, kind, into: folder, limits)
                if single.hasPrefix(folder + "/") { Folder.remove(single) }
            }
        } else if !single.hasPrefix(folder + "/") {
            let name = single.split(separator: "/").last.map(String.init) ?? "model"
            try await FileWork.run {
                try NewFile(folder + "/" + name, replaces: false).copy(single, ByteBudget(limits.bytes))
            }
        }
    }
}
