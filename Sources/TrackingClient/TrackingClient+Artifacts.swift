// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension TrackingClient {
    // MARK: Up

    /// Writes an artifact that is in memory.
    package func upload(_ bytes: [UInt8], to place: ArtifactPlace) async throws(TrackingClientError) {
        var request = artifactRequest(.PUT, place)
        request.body = .bytes(ByteBuffer(bytes: bytes))
        try await put(request)
    }

    /// Writes a file of this machine as an artifact; it is read as it is sent.
    package func upload(file path: String, to place: ArtifactPlace) async throws(TrackingClientError) {
        let file: OpenFile
        let size: Int64
        do {
            (file, size) = try await FileCalls.run {
                let file = try OpenFile(reading: path)
                return (file, try file.size())
            }
        } catch {
            throw failure(error)
        }
        var request = artifactRequest(.PUT, place)
        request.body = .stream(FileBody(file: file, size: size), length: .known(size))
        try await put(request)
    }

    /// An artifact is written whole or not at all, so that it may be written again.
    private func put(_ request: HTTPClientRequest) async throws(TrackingClientError) {
        _ = try await withRetries(.harmless) { [self] () async throws(TrackingClientError) in
            try await collect(try await send(request), limit: 1 << 20)
        }
    }

    private func artifactRequest(_ method: HTTPMethod, _ place: ArtifactPlace) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "\(base)/api/2.0/mlflow-artifacts/artifacts/\(place.encoded)")
        request.method = method
        if method == .PUT { request.headers.add(name: "content-type", value: "application/octet-stream") }
        return request
    }

    // MARK: Down

    /// An artifact's bytes.
    /// - Throws: `badAnswer` where there are more than `limit`.
    package func download(
        _ place: ArtifactPlace, limit: Int
    ) async throws(TrackingClientError) -> [UInt8] {
        let request = artifactRequest(.GET, place)
        return try await withRetries(.harmless) { [self] () async throws(TrackingClientError) in
            let response = try await send(request)
            let bytes = try await collect(response, limit: limit)
            if let length = response.headers.first(name: "content-length").flatMap({ Int($0) }), length != bytes.count {
                throw TrackingClientError(.connection, "\(place) ended after \(bytes.count) of \(length) bytes")
            }
            return bytes
        }
    }

    /// Writes an artifact to a file of this machine, which is there when it is whole.
    package func download(_ place: ArtifactPlace, to path: String) async throws(TrackingClientError) {
        let request = artifactRequest(.GET, place)
        let partial = "\(path).\(RandomID.suffix(length: 8)).part"
        try await withRetries(.harmless) { [self] () async throws(TrackingClientError) in
            let response = try await send(request)
            do {
                let file = try await FileCalls.run { try OpenFile(writing: partial) }
                for try await buffer in response.body { try await FileCalls.run { try file.write(buffer) } }
                try await FileCalls.run { try file.publish(as: path) }
            } catch {
                try? await FileCalls.run { try OpenFile.remove(partial) }
                throw failure(error)
            }
        }
    }

    // MARK: Lists

    /// The files and folders directly below a place.
    package func list(_ place: ArtifactPlace) async throws(TrackingClientError) -> [ArtifactRecord] {
        let request = HTTPClientRequest(
            url: "\(base)/api/2.0/mlflow-artifacts/artifacts?path=\(PercentEncoding.encode(place.path))")
        let limit = configuration.answerLimit
        let bytes = try await withRetries(.harmless) { [self] () async throws(TrackingClientError) in
            try await collect(try await send(request), limit: limit)
        }
        do {
            return try JSONParser.parse(bytes)["files"].elements.map(ArtifactRecord.init)
        } catch {
            throw TrackingClientError(.badAnswer, "\(base) listed \(place) with what is not JSON: \(error)")
        }
    }

    /// Removes an artifact, or all below a place.
    package func delete(_ place: ArtifactPlace) async throws(TrackingClientError) {
        let request = artifactRequest(.DELETE, place)
        _ = try await withRetries(.harmless) { [self] () async throws(TrackingClientError) in
            try await collect(try await send(request), limit: 1 << 20)
        }
    }

    /// The place of the files of a version of a registered model.
    ///
    /// A version's files may be those of a logged model (`models:/m-…`), of a run (`runs:/ID/PATH`), or anywhere.
    package func place(of version: ModelVersionRecord) async throws(TrackingClientError) -> ArtifactPlace {
        var uri = version.source
        if !uri.hasPrefix("mlflow-artifacts:") { uri = try await downloadURI(version.name, version.version) }
        if uri.hasPrefix("models:/m-") {
            uri = try await loggedModel(String(uri.dropFirst(8))).artifacts
        } else if uri.hasPrefix("runs:/") {
            let parts = uri.dropFirst(6).split(separator: "/", maxSplits: 1)
            guard let id = parts.first else { throw TrackingClientError(.badAnswer, "\(uri) names no run") }
            let root = try ArtifactPlace(uri: try await run(String(id)).artifacts)
            return parts.count > 1 ? try root.appending(String(parts[1])) : root
        }
        return try ArtifactPlace(uri: uri)
    }
}
