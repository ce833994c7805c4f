// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import AsyncHTTPClient
internal import DataFolders
internal import Glibc
internal import InferenceProtocol
internal import NIOCore
internal import NIOHTTP1
internal import S3Client
internal import S3Protocol
internal import TrackingClient

extension ModelSources {
    // MARK: This machine

    func local(_ uri: ModelURI, _ path: String) throws(InferenceFault) -> ResolvedModel {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw InferenceFault(.notFound, "there is no model at \(uri): \(path) is not there, or may not be read")
        }
        let mark = "\(status.st_ino)-\(status.st_size)-\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        return ResolvedModel(uri: uri, version: "1", identity: mark, files: .local(path))
    }

    /// Where nothing can be mounted, the node agent names a volume's folder in a variable.
    func volume(_ uri: ModelURI, _ claim: String, _ path: String) throws(InferenceFault) -> String {
        func variable(_ name: String) -> String {
            "APUS_VOLUME_" + String(name.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
        }
        let named = [claim, "kserve-pvc-source", "models"].compactMap { configuration.environment[variable($0)] }
        let roots = named + ["/mnt/pvc/\(claim)", "/mnt/pvc"]
        let places = roots.map { path.isEmpty ? $0 : $0 + "/" + path }
        if let found = places.first(where: Folder.exists) { return found }
        throw InferenceFault(
            .notFound,
            "there is no model at \(uri): none of \(places.joined(separator: ", ")) is there; mount the claim, or name its "
                + "folder in \(variable(claim))")
    }

    // MARK: S3

    /// The object of the key, or all objects below it.
    func objects(
        _ uri: ModelURI, _ bucket: String, _ key: String, version: String
    ) async throws(InferenceFault) -> ResolvedModel {
        let client = try s3()
        do {
            if !key.isEmpty, !key.hasSuffix("/"), let info = try await client.info(bucket: bucket, key: key) {
                let name = key.split(separator: "/").last.map(String.init) ?? key
                let file = ResolvedModel.RemoteFile(source: key, path: name, size: info.size, mark: info.etag)
                return try made(uri, version, .objects(bucket: bucket, [file]), [file])
            }
            let prefix = key.isEmpty || key.hasSuffix("/") ? key : key + "/"
            var files: [ResolvedModel.RemoteFile] = []
            for try await case .object(let object) in client.list(bucket: bucket, prefix: prefix) {
                let path = String(object.key.dropFirst(prefix.count))
                // Consoles mark folders by empty objects.
                if path.isEmpty || path.hasSuffix("/") { continue }
                files.append(.init(source: object.key, path: path, size: object.size, mark: object.etag))
                guard files.count <= configuration.fileLimit else { break }
            }
            guard !files.isEmpty else {
                throw InferenceFault(.notFound, "there is no model at \(uri): the bucket has nothing of that key")
            }
            return try made(uri, version, .objects(bucket: bucket, files), files)
        } catch let fault as InferenceFault {
            throw fault
        } catch {
            let isMissing = (error as? S3Error)?.status == 404
            throw InferenceFault(isMissing ? .notFound : .runtime, "\(uri) cannot be looked at: \(error)")
        }
    }

    private func made(
        _ uri: ModelURI, _ version: String, _ files: ResolvedModel.Files, _ list: [ResolvedModel.RemoteFile]
    ) throws(InferenceFault) -> ResolvedModel {
        guard list.count <= configuration.fileLimit else {
            throw InferenceFault(.tooLarge, "\(uri) has more than \(configuration.fileLimit) files")
        }
        let size = list.reduce(Int64(0)) { $0.addingReportingOverflow(max(0, $1.size)).partialValue }
        guard size <= Int64(configuration.modelLimit) else {
            throw InferenceFault(
                .tooLarge, "\(uri) has \(size) bytes, a model may have \(configuration.modelLimit)")
        }
        let marks = list.map { "\($0.path)\0\($0.size)\0\($0.mark)" }.joined(separator: "\n")
        return ResolvedModel(
            uri: uri, version: version, identity: Checksum.hexadecimal(of: marks), files: files)
    }

    // MARK: The web

    func web(_ uri: ModelURI, _ address: String) async throws(InferenceFault) -> ResolvedModel {
        var mark = uri.checksum ?? ""
        if mark.isEmpty {
            var request = HTTPClientRequest(url: address)
            request.method = .HEAD
            do {
                let response = try await http().execute(request, timeout: .seconds(30))
                mark = response.headers.first(name: "etag") ?? response.headers.first(name: "last-modified") ?? ""
            } catch {
                throw InferenceFault(.runtime, "\(uri) cannot be looked at: \(error)")
            }
        }
        // Without a mark nobody knows whether the file is still the same: it is fetched anew.
        return ResolvedModel(
            uri: uri, version: "1", identity: mark.isEmpty ? RandomID.uuid() : mark, files: .web(address))
    }

    // MARK: The tracking server

    func registered(_ uri: ModelURI) async throws(InferenceFault) -> ResolvedModel {
        let client = try tracking()
        var version = "1"
        let source: String
        do {
            switch uri.place {
            case .alias(let name, let alias):
                guard let found = try await client.modelVersion(name, alias: alias) else {
                    throw TrackingClientError(.notFound, "the model '\(name)' has no alias '\(alias)'")
                }
                version = found.version
                source = try await Self.artifacts(of: found, client)
            case .version(let name, let number):
                let found = try await client.modelVersion(name, number)
                version = found.version
                source = try await Self.artifacts(of: found, client)
            case .loggedModel(let id): source = try await client.loggedModel(id).artifacts
            case .run(let id, let path): source = try await Self.below(client.run(id).artifacts, path)
            case .artifacts(let place): source = place
            case .file, .volume, .object, .web: source = uri.description
            }
            if !source.hasPrefix("s3:") {
                let place = try ArtifactPlace(uri: source)
                var files = try await list(place, "", client, depth: 8)
                if files.isEmpty {
                    let name = place.path.split(separator: "/").last.map(String.init) ?? "model"
                    files = [.init(source: place.path, path: name, size: 0, mark: "")]
                }
                let marked = [ResolvedModel.RemoteFile(source: "", path: source, size: 0, mark: version)]
                return try made(uri, version, .artifacts(files), files + marked)
            }
        } catch let error as TrackingClientError {
            let code: InferenceFault.Code =
                switch error.code {
                case .notFound: .notFound
                case .unsupported: .unsupported
                case .cancelled: .cancelled
                default: .runtime
                }
            throw InferenceFault(code, "\(uri) cannot be looked at: \(error)")
        } catch let fault as InferenceFault {
            throw fault
        } catch {
            throw InferenceFault(.runtime, "\(uri) cannot be looked at: \(error)")
        }
        // The tracking server keeps only the place: the files are the object store's.
        guard case .object(let bucket, let key) = try ModelURI(source).place else {
            throw InferenceFault(.unsupported, "\(uri): its files are at \(source), which is not fetched")
        }
        return try await objects(uri, bucket, key, version: version)
    }

    /// A version's files may be those of a logged model, of a run, or anywhere.
    private static func artifacts(
        of version: ModelVersionRecord, _ client: TrackingClient
    ) async throws(TrackingClientError) -> String {
        var place = version.source
        if !place.hasPrefix("mlflow-artifacts:"), !place.hasPrefix("s3:") {
            place = try await client.downloadURI(version.name, version.version)
        }
        if place.hasPrefix("models:/m-") { return try await client.loggedModel(String(place.dropFirst(8))).artifacts }
        guard place.hasPrefix("runs:/") else { return place }
        let parts = place.dropFirst(6).split(separator: "/", maxSplits: 1)
        guard let id = parts.first else { throw TrackingClientError(.badAnswer, "\(place) names no run") }
        return below(try await client.run(String(id)).artifacts, parts.count > 1 ? String(parts[1]) : "")
    }

    private static func below(_ place: String, _ path: String) -> String {
        path.isEmpty ? place : (place.hasSuffix("/") ? place : place + "/") + path
    }

    /// All files below a place, at most `depth` folders deep.
    private func list(
        _ place: ArtifactPlace, _ path: String, _ client: TrackingClient, depth: Int
    ) async throws(TrackingClientError) -> [ResolvedModel.RemoteFile] {
        var files: [ResolvedModel.RemoteFile] = []
        for entry in try await client.list(place) {
            let name = entry.path.split(separator: "/").last.map(String.init) ?? entry.path
            let (inner, relative) = (try place.appending(name), path.isEmpty ? name : path + "/" + name)
            if !entry.isFolder {
                files.append(.init(source: inner.path, path: relative, size: entry.size ?? 0, mark: ""))
            } else if depth > 0 {
                files += try await list(inner, relative, client, depth: depth - 1)
            }
            guard files.count <= configuration.fileLimit else { break }
        }
        return files
    }
}
