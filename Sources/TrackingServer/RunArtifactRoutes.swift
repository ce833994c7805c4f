// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceHTTP
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Artifacts by what they belong to, and not by their path.
    var runArtifactRoutes: [Route] {
        [
            Route("listArtifacts") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .string, .required), FieldRule("path", .string),
                    FieldRule("page_token", .string))
                let folder = try ArtifactPath(fields.string("path"))
                let run = try await store.runInfo(fields.runID)
                return try await list(folder, at: run.artifactURI, call, token: fields.string("page_token"))
            },
            Route("getArtifact", .get, ["/get-artifact"]) { call in
                let id = call.parameter("run_id") ?? call.parameter("run_uuid") ?? "None"
                let path = try call.requiredPath("path")
                return try await file(path, at: try await store.runInfo(id).artifactURI, call)
            },
            Route("uploadRunArtifact", .post, ["/ajax-api/2.0/mlflow/upload-artifact"]) { call in
                try await upload(call)
                return .bytes([], type: "application/json")
            },
        ]
    }

    /// Artifacts of models.
    var modelArtifactRoutes: [Route] {
        [
            Route("getModelVersionArtifact", .get, ["/model-versions/get-artifact"]) { call in
                let path = try call.requiredPath("path")
                let location = try await store.downloadURI(
                    call.parameter("name") ?? "", version: call.parameter("version") ?? "")
                return try await file(path, at: location, call)
            },
            Route("listLoggedModelArtifacts") { call in
                let fields = try await call.fields(FieldRule("artifact_directory_path", .string))
                let folder = try ArtifactPath(fields.string("artifact_directory_path"))
                let model = try await store.loggedModel(call.path["model_id"] ?? "")
                return try await list(folder, at: model.artifactLocation, call, token: fields.string("page_token"))
            },
            Route(
                "getLoggedModelArtifact", .get,
                ["/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files"]
            ) { call in
                guard let text = call.parameter("artifact_file_path"), !text.isEmpty else {
                    throw TrackingError(
                        .badRequest, "Request must include the \"artifact_file_path\" query parameter.")
                }
                let path = try ArtifactPath(text)
                let model = try await store.loggedModel(call.path["model_id"] ?? "")
                return try await file(path, at: model.artifactLocation, call)
            },
        ]
    }

    /// What the UI sends: small files.
    private func upload(_ call: Call) async throws {
        guard let id = call.parameter("run_uuid"), !id.isEmpty else {
            throw TrackingError.invalid("Request must specify run_uuid.")
        }
        guard let text = call.parameter("path"), !text.isEmpty else {
            throw TrackingError.invalid("Request must specify path.")
        }
        let path = try ArtifactPath(text)
        let bytes: [UInt8]
        do {
            bytes = try await call.request.bytes(limit: 10 << 20)
        } catch let error as ServiceError where error.status == .contentTooLarge {
            throw TrackingError.invalid("Artifact size is too large. Max size is 10MB.")
        }
        guard !bytes.isEmpty else { throw TrackingError.invalid("Request must specify data.") }
        let place = try await self.path(of: try await store.runInfo(id).artifactURI, call, .update)
        let body = RequestBody(buffer: ByteBuffer(bytes: bytes))
        try await artifacts.write(place.appending(path), body, length: Int64(bytes.count))
    }

    /// The folder of the store that a location is.
    /// - Throws: INVALID_PARAMETER_VALUE for a place that is not this server's, PERMISSION_DENIED for one that is
    ///   another experiment's.
    func path(
        of location: String, _ call: Call, _ verb: TrackingRight.Verb = .get
    ) async throws -> ArtifactPath {
        if let rest = Self.proxied(location) ?? artifacts.rest(of: location) {
            let path = try ArtifactPath(rest)
            if let caller = call.caller { try await require(caller, try await owner(of: path, verb)) }
            return path
        }
        throw TrackingError.invalid(
            "The artifacts at '\(location)' are not in this server's artifact storage: "
                + "read them from there, or use a location that begins with mlflow-artifacts:/")
    }

    /// The path of a location that says that it is the server's: `mlflow-artifacts:/…`, `mlflow-artifacts://HOST/…`, or
    /// a URL of the proxy's.
    static func proxied(_ location: String) -> String? {
        let anchor = "/api/2.0/mlflow-artifacts/artifacts"
        var rest: Substring
        if location.hasPrefix("mlflow-artifacts:") {
            rest = location.dropFirst("mlflow-artifacts:".count)
            if rest.hasPrefix("//") { rest = rest.dropFirst(2).drop { $0 != "/" } }
        } else if location.hasPrefix("http://") || location.hasPrefix("https://"),
            let found = location.firstRange(of: anchor)
        {
            rest = location[found.upperBound...]
        } else {
            return nil
        }
        rest = rest.prefix { $0 != "?" }
        return String(rest.drop { $0 == "/" })
    }

    /// A list as MLflow gives it: paths from the location on.
    func list(
        _ folder: ArtifactPath, at location: String, _ call: Call, token: String
    ) async throws -> JSONValue {
        let entries = try await artifacts.list(try await path(of: location, call).appending(folder))
        let (page, next) = Self.page(entries, after: token)
        var answer = ArtifactAnswer.files(page, in: folder)
        answer["root_uri"] = .string(location)
        if let next { answer["next_page_token"] = .string(next) }
        return .object(answer)
    }

    /// Entries of one answer, at most: a browser has to show them.
    static let pageSize = 10_000

    /// A page of a list that is in order. A token is the name, escaped, after which the next page begins.
    static func page(
        _ entries: [ArtifactEntry], after token: String, size: Int = pageSize
    ) -> (page: ArraySlice<ArtifactEntry>, next: String?) {
        let last = Array(PercentEncoding.decode(token)?.utf8 ?? "".utf8)
        let rest = entries.drop { !token.isEmpty && !last.lexicographicallyPrecedes($0.name.utf8) }
        let page = rest.prefix(size)
        return (page, page.count < rest.count ? page.last.map { PercentEncoding.encode($0.name) } : nil)
    }

    /// A file of what has its artifacts at a location.
    func file(_ path: ArtifactPath, at location: String, _ call: Call) async throws -> Response {
        try await ArtifactAnswer.file(
            try await self.path(of: location, call).appending(path), of: artifacts, call.request)
    }
}

extension Call {
    /// The first value of the query with a name.
    func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// A path in the query.
    func requiredPath(_ name: String) throws -> ArtifactPath {
        guard let text = parameter(name) else {
            throw TrackingError.invalid("Missing value for required parameter '\(name)'.")
        }
        return try ArtifactPath(text)
    }
}
