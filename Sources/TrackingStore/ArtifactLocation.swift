// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
package import TrackingModel

/// Where artifacts lie: URIs, and paths of the server (MLflow, `utils/uri.py`).
package enum ArtifactLocation {
    /// The place of a folder below another; a query stays at the end.
    package static func below(_ location: String, _ path: String) -> String {
        let parts = URIParts(location)
        guard parts.scheme != nil else { return joined(location, path) }
        return parts.replacing(path: joined(parts.path, path))
    }

    /// Where a run keeps its artifacts.
    package static func ofRun(_ id: String, _ experiment: Experiment) -> String {
        below(experiment.artifactLocation, "\(id)/artifacts")
    }

    private static func joined(_ path: String, _ more: String) -> String {
        guard !path.isEmpty else { return more }
        return path.hasSuffix("/") ? path + more : "\(path)/\(more)"
    }

    /// Checks a location that a client gives, and makes a relative path of the server an absolute one.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package static func checked(_ location: String) throws(TrackingError) -> String {
        let parts = URIParts(location)
        guard parts.fragment == nil, !(parts.path.split(separator: "/").last ?? "").contains(";") else {
            throw .invalid("'artifact_location' URL can't include fragments or params.")
        }
        let query = parts.query.map { PercentEncoding.decode($0) ?? $0 } ?? ""
        guard !query.contains("..") else { throw .invalid("Invalid query string") }
        if let scheme = parts.scheme, namesHost(scheme, parts) {
            throw .invalid(
                "'artifact_location' cannot use the '\(scheme)' scheme: the '\(scheme)' scheme addresses a host other"
                    + " than the tracking server's configured artifact storage, so the server would connect to the host"
                    + " named in the URI. Set the MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES environment variable on"
                    + " the server to allow it.")
        }
        guard !location.hasPrefix("runs:") else {
            throw .invalid("Artifact location cannot be a runs:/ URI. Given: '\(location)'")
        }
        let resolved = absolute(location, parts)
        guard PythonText.length(resolved) <= Limits.artifactLocation else {
            throw .invalid(
                "Invalid artifact path length. The length of the artifact path cannot be greater than"
                    + " \(Limits.artifactLocation) characters. To configure this limit, please set the"
                    + " MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable.")
        }
        return resolved
    }

    /// Schemes whose URIs name a host that the server would connect to.
    private static let hostSchemes: Set<String> = [
        "ftp", "sftp", "hdfs", "viewfs", "http", "https", "r2", "b2", "abfss",
    ]

    private static func namesHost(_ scheme: String, _ parts: URIParts) -> Bool {
        hostSchemes.contains(scheme) || (scheme == "mlflow-artifacts" && parts.authority.count > 2)
    }

    private static func absolute(_ location: String, _ parts: URIParts) -> String {
        guard parts.scheme == nil || parts.scheme == "file", !parts.path.hasPrefix("/") else { return location }
        let path = FileManager.default.currentDirectoryPath + "/" + parts.path
        return parts.scheme == nil ? path : "file://" + path
    }
}

/// What Python's `urlparse` tells apart of a URI.
private struct URIParts {
    var scheme: String?
    /// With its `//`; empty for none.
    var authority = ""
    var path: String
    var query: String?
    var fragment: String?

    init(_ text: String) {
        var rest = text[...]
        if let hash = rest.firstIndex(of: "#") {
            fragment = String(rest[rest.index(after: hash)...])
            rest = rest[..<hash]
        }
        if let mark = rest.firstIndex(of: "?") {
            query = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        }
        if let colon = rest.firstIndex(of: ":"), colon > rest.startIndex, Self.isScheme(rest[..<colon]) {
            scheme = rest[..<colon].lowercased()
            rest = rest[rest.index(after: colon)...]
        }
        if rest.hasPrefix("//") {
            let end = rest.dropFirst(2).firstIndex(of: "/") ?? rest.endIndex
            authority = String(rest[..<end])
            rest = rest[end...]
        }
        path = String(rest)
    }

    private static func isScheme(_ text: Substring) -> Bool {
        text.first?.isLetter == true
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
    }

    func replacing(path: String) -> String {
        var result = scheme.map { "\($0):" } ?? ""
        result += authority
        if !authority.isEmpty, !path.hasPrefix("/") { result += "/" }
        result += path
        if let query { result += "?\(query)" }
        return result
    }
}
