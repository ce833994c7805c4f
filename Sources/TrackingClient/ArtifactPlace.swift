// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// A place of artifacts behind the tracking server's proxy: `mlflow-artifacts:/1/…/artifacts`.
package struct ArtifactPlace: Sendable, Hashable, CustomStringConvertible {
    /// Without slashes at its ends; empty for the root.
    package let path: String

    /// - Parameter uri: `mlflow-artifacts:/PATH`, or `mlflow-artifacts://HOST[:PORT]/PATH`; the host is that of the
    ///   tracking server, whatever is said.
    /// - Throws: `unsupported` for another kind of place, `invalid` for a path that leads out of it.
    package init(uri: String) throws(TrackingClientError) {
        let scheme = "mlflow-artifacts:"
        guard uri.hasPrefix(scheme) else {
            throw TrackingClientError(
                .unsupported,
                "artifacts at \(uri) are not behind the tracking server's proxy (mlflow-artifacts:/…); start it with "
                    + "--serve-artifacts, or read them where they are")
        }
        var rest = uri.dropFirst(scheme.count)
        if rest.hasPrefix("//") { rest = rest.dropFirst(2).drop { $0 != "/" } }
        try self.init(path: rest)
    }

    init(path: some StringProtocol) throws(TrackingClientError) {
        let parts = path.split(separator: "/")
        guard !parts.contains(where: { $0 == ".." || $0 == "." }), !path.contains("\0") else {
            throw TrackingClientError(.invalid, "'\(path)' is no path of artifacts: it may not have . or .. in it")
        }
        self.path = parts.joined(separator: "/")
    }

    /// A place below this one.
    /// - Throws: `invalid` for a path that leads out of it.
    package func appending(_ name: String) throws(TrackingClientError) -> ArtifactPlace {
        try ArtifactPlace(path: path + "/" + name)
    }

    package var description: String { "mlflow-artifacts:/\(path)" }

    /// The path as a URL has it.
    var encoded: String { path.split(separator: "/").map { PercentEncoding.encode(String($0)) }.joined(separator: "/") }
}
