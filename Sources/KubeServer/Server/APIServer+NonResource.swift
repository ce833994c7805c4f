// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// Requests for paths that are not resources: discovery, health, version, OpenAPI.
    func nonResource(_ request: KubeRequest, user: UserInfo) async throws(StatusError) -> KubeResponse {
        let parts = request.path.split(separator: "/").map(String.init)
        let path = "/" + parts.joined(separator: "/")
        try authorize(user, AccessQuery(verb: request.method.lowercased(), path: path))
        guard request.method == "GET" || request.method == "HEAD" else { throw .methodNotAllowed }
        switch parts.first {
        case nil: return KubeResponse(json: ["paths": JSONValue(paths)])
        case "healthz", "livez", "readyz": return try health(request, parts)
        case "version" where parts.count == 1: return KubeResponse(json: version)
        case "api", "apis": return try discover(request, parts)
        case "openapi": return try openAPI(request, parts)
        case "metrics" where parts.count == 1:
            return KubeResponse(contentType: Exposition.contentType, body: .bytes(metricsText()))
        default:
            guard let document = issuerDocument(parts) else { throw .pathNotFound }
            return document
        }
    }

    private var paths: [String] {
        ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis"]
            + registry.groupVersions.filter { !$0.group.isEmpty }.flatMap {
                ["/apis/\($0.group)", "/apis/\($0.group)/\($0.version)"]
            } + [
                "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz",
                "/version",
            ]
    }

    private var version: JSONValue {
        let numbers = configuration.gitVersion.drop { $0 == "v" }.split(separator: ".")
        return [
            "major": .string(String(numbers.first ?? "1")), "minor": .string(String(numbers.dropFirst().first ?? "32")),
            "gitVersion": .string(configuration.gitVersion), "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "", "goVersion": "", "compiler": "swift", "platform": "linux/amd64",
        ]
    }

    // MARK: Health

    private func health(_ request: KubeRequest, _ parts: [String]) throws(StatusError) -> KubeResponse {
        var checks = [(name: "ping", isPassed: true), (name: "store", isPassed: isStoreOpen)]
        if parts.count > 1 {
            guard parts.count == 2, let check = checks.first(where: { $0.name == parts[1] }) else {
                throw .pathNotFound
            }
            checks = [check]
        }
        let isPassed = checks.allSatisfy(\.isPassed)
        let isVerbose = request.query.contains { $0.name == "verbose" }
        guard isVerbose || !isPassed else { return Self.text("ok") }
        let lines = checks.map { $0.isPassed ? "[+]\($0.name) ok\n" : "[-]\($0.name) failed: it is closed\n" }.joined()
        return Self.text(
            "\(lines)\(parts.joined(separator: "/")) check \(isPassed ? "passed" : "failed")\n",
            status: isPassed ? 200 : 500)
    }

    /// A closed store refuses watches.
    private var isStoreOpen: Bool {
        (try? store.watch(resource: KubeResource.namespaces.qualifiedName, after: store.revision)) != nil
    }

    private static func text(_ text: String, status: Int = 200) -> KubeResponse {
        KubeResponse(status: status, contentType: "text/plain; charset=utf-8", body: .bytes(Array(text.utf8)))
    }

    // MARK: Discovery

    private func discover(_ request: KubeRequest, _ parts: [String]) throws(StatusError) -> KubeResponse {
        var documents: DiscoveryDocuments { DiscoveryDocuments(registry: registry) }
        let isCore = parts[0] == "api"
        if parts.count == 1 {
            if let version = Self.aggregatedVersion(request.accept) {
                let bytes = discovery.document("\(parts[0]) \(version)") {
                    documents.aggregated(isCore: isCore, version: version).encoded
                }
                return KubeResponse(
                    contentType: "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList",
                    headers: [("Vary", "Accept")], body: .bytes(bytes))
            }
            return KubeResponse(json: isCore ? documents.coreVersions : documents.groupList)
        }
        let document: JSONValue?
        switch (isCore, parts.count) {
        case (true, 2): document = documents.resourceList(group: "", version: parts[1])
        case (false, 2): document = documents.groupDocument(parts[1])
        case (false, 3): document = documents.resourceList(group: parts[1], version: parts[2])
        default: document = nil
        }
        guard let document else { throw .pathNotFound }
        return KubeResponse(json: document)
    }

    /// The version of aggregated discovery that comes first in an `Accept` header; nil when plain JSON does.
    private static func aggregatedVersion(_ accept: String) -> String? {
        for entry in accept.split(separator: ",") {
            let parts = entry.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            guard parts.first == "application/json" else { continue }
            guard parts.contains("as=APIGroupDiscoveryList"), parts.contains("g=apidiscovery.k8s.io") else {
                return nil
            }
            if parts.contains("v=v2") { return "v2" }
            if parts.contains("v=v2beta1") { return "v2beta1" }
        }
        return nil
    }
}
