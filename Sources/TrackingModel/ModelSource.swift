// SPDX-License-Identifier: Apache-2.0

/// What may be the source of a model's version. A server reads what is registered, so a client must not name what it
/// could not have written: files of the server, other hosts, other runs' artifacts.
package enum ModelSource {
    /// Sources of prompts: what MLflow's clients give, as the field is required.
    package static let promptPlaceholders: Set<String> = ["dummy-source", "prompt-template"]

    /// Schemes whose URIs name the host that is connected to.
    private static let hostSchemes: Set<String> = [
        "ftp", "sftp", "hdfs", "viewfs", "http", "https", "mlflow-artifacts", "r2", "b2", "abfss",
    ]

    /// What the source has to lie in.
    package enum Owner: Sendable, Hashable {
        case run, model

        /// The request's parameter.
        package var parameter: String { self == .run ? "run_id" : "model_id" }
    }

    /// What is still to be looked up before a source is taken.
    package enum Check: Sendable, Hashable {
        /// It is fine.
        case accepted
        /// A path of this machine: it has to lie in the owner's artifacts.
        case localPath(String?)
        /// An artifact of this server: it has to lie in the owner's artifacts.
        case proxied
    }

    /// - Throws: for sources of other hosts.
    package static func checkHost(_ uri: SourceURI, field: String) throws(TrackingError) {
        guard hostSchemes.contains(uri.scheme) else { return }
        if uri.scheme == "mlflow-artifacts", uri.authority.isEmpty { return }
        throw .invalid(
            "'\(field)' cannot use the '\(uri.scheme)' scheme: the '\(uri.scheme)' scheme addresses a host other than "
                + "the tracking server's configured artifact storage, so the server would connect to the host named in "
                + "the URI. Set the MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES environment variable on the server "
                + "to allow it.")
    }

    /// - Throws: for sources of prompts that no client of MLflow gives.
    package static func checkPrompt(_ source: String) throws(TrackingError) {
        guard promptPlaceholders.contains(source) else {
            throw .invalid("Invalid prompt source: '\(source)'. Prompt sources must use an MLflow placeholder.")
        }
    }

    /// Checks what can be seen in the source itself.
    /// - Parameters:
    ///   - uri: the source.
    ///   - owner: run or logged model.
    ///   - id: the owner's id as the request gives it; empty for none.
    /// - Returns: what is still to be looked up.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package static func check(_ uri: SourceURI, owner: Owner, id: String) throws(TrackingError) -> Check {
        if try uri.isLocal() { return .localPath(uri.localPath) }
        try checkAbsolute(uri)
        switch uri.scheme {
        case "runs":
            guard owner == .run, uri.authority.isEmpty else { throw notOwned(uri, owner) }
            let run = uri.path.dropFirst().prefix { $0 != "/" }
            guard uri.path.hasPrefix("/"), !run.isEmpty else {
                throw TrackingError(
                    .internalError,
                    "Not a proper runs:/ URI: \(uri.text). Runs URIs must be of the form "
                        + "'runs:/<run_id>/run-relative/path/to/artifact'")
            }
            guard !id.isEmpty, run == id else { throw notOwned(uri, owner) }
        case "models":
            guard uri.authority.isEmpty, let model = ModelURI(uri) else { throw notOwned(uri, .model) }
            if case .logged(let named) = model {
                guard owner == .model, !id.isEmpty, named == id else { throw notOwned(uri, .model) }
            }
        default:
            if isProxied(uri) { return .proxied }
        }
        return .accepted
    }

    /// The owner is unknown, or the source lies elsewhere.
    package static func notOwned(_ uri: SourceURI, _ owner: Owner) -> TrackingError {
        .invalid(
            "Invalid model version source: '\(uri.text)'. The \(owner.parameter) request parameter must identify the "
                + "resource that contains the source.")
    }

    /// A local path that lies in no artifacts of the owner.
    package static func notInArtifacts(_ source: String, _ owner: Owner) -> TrackingError {
        .invalid(
            "Invalid model version source: '\(source)'. To use a local path as a model version source, the "
                + "\(owner.parameter) request parameter has to be specified and the local path has to be contained "
                + "within the artifact directory of the run specified by the \(owner.parameter).")
    }

    /// Does a check that was left open hold for an owner with these artifacts?
    package static func isWithin(_ check: Check, _ uri: SourceURI, artifacts: String) throws(TrackingError) -> Bool {
        let root = SourceURI(artifacts)
        switch check {
        case .accepted: return true
        case .proxied: return uri.isWithin(root)
        case .localPath(let path):
            guard let path, try root.isLocal(), let folder = root.localPath else { return false }
            return path == folder || path.hasPrefix(folder == "/" ? folder : folder + "/")
        }
    }

    private static func checkAbsolute(_ uri: SourceURI) throws(TrackingError) {
        let plain = SourceURI.decoded(uri.text, plus: true)
        let path = SourceURI(plain).path
        let isBad =
            path.utf8.contains(0) || !path.hasPrefix("/") || path.allSatisfy { $0 == "/" }
            || path.split(separator: "/").contains { $0 == "." || $0 == ".." }
            || plain.split(separator: "/", omittingEmptySubsequences: false).contains("..")
        guard !isBad else {
            throw .invalid(
                "Invalid model version source: '\(uri.text)'. If supplying a source as an http, https, local file path, "
                    + "ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative "
                    + "path references present. Please provide an absolute path.")
        }
    }

    private static func isProxied(_ uri: SourceURI) -> Bool {
        if uri.scheme == "mlflow-artifacts" { return true }
        guard uri.scheme == "http" || uri.scheme == "https" else { return false }
        let parts = uri.parts
        let route = ["api", "2.0", "mlflow-artifacts", "artifacts"]
        return parts.indices.contains { parts[$0...].starts(with: route) }
    }
}
