// SPDX-License-Identifier: Apache-2.0
import Foundation
package import HTTPTypes
package import ServiceHTTP
package import TrackingModel

/// Who asks.
package struct TrackingCaller: Sendable, Hashable {
    package let name: String
    package let groups: [String]

    package init(name: String, groups: [String] = []) {
        self.name = name
        self.groups = groups
    }
}

/// What a caller needs to be allowed, in the words of Kubernetes' RBAC; the API group is `mlflow.apus.dev`.
package struct TrackingRight: Sendable, Hashable {
    package enum Verb: String, Sendable { case get, list, create, update, delete }
    /// Runs, metrics, artifacts, traces and logged models belong to their experiment, versions to their model.
    package enum Resource: String, Sendable { case experiments, registeredmodels }

    package static let group = "mlflow.apus.dev"

    package let verb: Verb
    package let resource: Resource
    /// Of the experiment or model; empty for all of them.
    package let name: String

    package init(_ verb: Verb, _ resource: Resource, _ name: String) {
        self.verb = verb
        self.resource = resource
        self.name = name
    }
}

/// Who may use a tracking server, and for what.
package protocol TrackingAccess: Sendable {
    /// Who asks.
    ///
    /// Nil where nobody has to say.
    func caller(_ headers: HTTPFields) async throws -> TrackingCaller?

    /// Whether a caller has a right.
    func allows(_ caller: TrackingCaller, _ right: TrackingRight) async throws -> Bool

    /// Lets go of connections.
    func close() async
}

extension TrackingAccess {
    package func close() async {}
}

/// What a request says about who sends it.
package struct TrackingCredentials: Sendable, Hashable {
    /// Of basic authentication; nil for a bearer.
    package let name: String?
    /// The token, or the password that is one.
    package let token: String

    private static let maximumBytes = 16 << 10

    /// - Parameters:
    ///   - headers: of the request.
    ///   - nameHasColons: whether the name of basic authentication ends at the last colon, and not at the first.
    /// - Throws: UNAUTHENTICATED where there is nothing of the kind.
    package init(_ headers: HTTPFields, nameHasColons: Bool = false) throws(TrackingError) {
        let words = (headers[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[1].utf8.count <= Self.maximumBytes else { throw Self.missing }
        switch words[0].lowercased() {
        case "bearer":
            name = nil
            token = String(words[1])
        case "basic":
            guard let data = Data(base64Encoded: String(words[1])), let text = String(validating: data, as: UTF8.self),
                let colon = nameHasColons ? text.utf8.lastIndex(of: 0x3A) : text.utf8.firstIndex(of: 0x3A)
            else { throw Self.missing }
            name = String(text[..<colon])
            token = String(text[text.utf8.index(after: colon)...])
        default: throw Self.missing
        }
    }

    private static let missing = TrackingError(
        .unauthenticated,
        "You are not authenticated: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    )

    /// For a token that is not known, or is not the name's.
    package static let unknown = TrackingError(
        .unauthenticated, "The token is not one of this server, or not that user's")
}

/// Holders of the tokens of a file, who may do everything; those with the group `read` may read.
package struct TokenAccess: TrackingAccess {
    /// The group of those who only read.
    static let readers = "read"

    private let tokens: AccessTokens

    package init(_ tokens: AccessTokens) { self.tokens = tokens }

    package func caller(_ headers: HTTPFields) throws -> TrackingCaller? {
        guard !tokens.isOpen else { return nil }
        let credentials = try TrackingCredentials(headers)
        guard let holder = tokens.holder(of: credentials.token),
            credentials.name == nil || credentials.name == holder.name
        else { throw TrackingCredentials.unknown }
        return TrackingCaller(name: holder.name, groups: holder.groups)
    }

    package func allows(_ caller: TrackingCaller, _ right: TrackingRight) -> Bool {
        right.verb == .get || right.verb == .list || !caller.groups.contains(Self.readers)
    }
}
