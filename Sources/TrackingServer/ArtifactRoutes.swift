// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import ServiceHTTP
import TrackingModel

extension TrackingServer {
    /// The `mlflow-artifacts` proxy (MLflow, protos/mlflow_artifacts.proto): files below the root of the store.
    var artifactRoutes: [Route] {
        [
            Route(streaming: "artifacts.downloadArtifact") { call in
                try await ArtifactAnswer.file(call.artifactPath(), of: artifacts, call.request)
            },
            Route("artifacts.uploadArtifact") { call in
                try await artifacts.write(call.artifactPath(), call.request.body, length: call.bodyLength)
                return .object([:])
            },
            Route("artifacts.deleteArtifact") { call in
                try await artifacts.delete(call.artifactPath())
                return .object([:])
            },
            Route("artifacts.listArtifacts") { call in
                let folder = try ArtifactPath(try await call.fields().string("path"))
                return .object(ArtifactAnswer.files(try await artifacts.list(folder)))
            },
            Route("artifacts.createMultipartUpload") { call in
                let fields = try await call.fields(.init("path", .required, .string), .init("num_parts", .integer))
                let upload = try await artifacts.beginUpload(
                    call.uploadPath(fields), parts: Int(clamping: fields.integer("num_parts")))
                let parts = upload.addresses.enumerated().map { number, address -> JSONValue in
                    ["url": .string(address), "part_number": .int(Int64(number + 1))]
                }
                return ["upload_id": .string(upload.id), "credentials": .array(parts)]
            },
            Route("artifacts.completeMultipartUpload") { call in
                let fields = try await call.fields(
                    .init("path", .required, .string), .init("upload_id", .string), .init("parts", .required))
                try await artifacts.completeUpload(
                    call.uploadPath(fields), id: fields.string("upload_id"),
                    parts: fields.objects("parts").map { part in
                        ArtifactUpload.Part(
                            number: part["part_number"].int ?? 0, etag: part["etag"].string ?? "")
                    })
                return .object([:])
            },
            Route("artifacts.abortMultipartUpload") { call in
                let fields = try await call.fields(.init("path", .required, .string), .init("upload_id", .string))
                try await artifacts.abortUpload(call.uploadPath(fields), id: fields.string("upload_id"))
                return .object([:])
            },
            Route("artifacts.getPresignedDownloadUrl") { call in
                let signed = try await artifacts.signedDownload(call.artifactPath(), for: .seconds(300))
                return ["url": .string(signed.address), "headers": .object([:]), "file_size": .int(signed.size)]
            },
        ]
    }
}

extension Call {
    /// The artifact that the path names.
    func artifactPath() throws -> ArtifactPath { try ArtifactPath(path["artifact_path"] ?? "") }

    /// Of an upload in parts: the folder is in the path, and of the client's own path only the name counts.
    func uploadPath(_ fields: RequestFields) throws -> ArtifactPath {
        let name = fields.string("path").utf8.split(separator: UInt8(ascii: "/")).last.map {
            String(decoding: $0, as: UTF8.self)
        }
        return try artifactPath().appending(ArtifactPath(name ?? ""))
    }

    /// Bytes of the body; nil where they are not told.
    var bodyLength: Int64? { request.headers[.contentLength].flatMap { Int64($0) } }
}
