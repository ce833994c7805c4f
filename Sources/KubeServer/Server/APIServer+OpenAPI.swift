// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Crypto
import KubeAPI

extension APIServer {
    /// The documents below `/openapi`; made at their first use and kept.
    func openAPI(_ request: KubeRequest, _ parts: [String]) throws(StatusError) -> KubeResponse {
        switch parts.dropFirst().first {
        case "v2" where parts.count == 2:
            let isProtobuf = OpenAPIProtobuf.isAccepted(request.accept)
            let bytes = discovery.document(isProtobuf ? "openapi v2 protobuf" : "openapi v2") {
                let resources = openAPIResources { _ in true }
                let document = OpenAPI.v2Document(resources, serverVersion: configuration.gitVersion)
                return isProtobuf ? OpenAPIProtobuf.encode(document) : document.encoded
            }
            return KubeResponse(
                contentType: isProtobuf ? OpenAPIProtobuf.mediaType : "application/json",
                headers: [("Vary", "Accept")], body: .bytes(bytes))
        case "v3" where parts.count == 2:
            let bytes = discovery.document("openapi v3") {
                var hashes: [String: String] = [:]
                for path in openAPIPaths { hashes[path] = Self.hash(openAPIDocument(path)) }
                return OpenAPI.v3Index(hashes).encoded
            }
            return KubeResponse(body: .bytes(bytes))
        case "v3":
            let path = parts.dropFirst(2).joined(separator: "/")
            guard openAPIPaths.contains(path) else { throw .pathNotFound }
            return KubeResponse(body: .bytes(openAPIDocument(path)))
        default: throw .pathNotFound
        }
    }

    private var openAPIPaths: [String] {
        registry.groupVersions.map { $0.group.isEmpty ? "api/\($0.version)" : "apis/\($0.group)/\($0.version)" }
    }

    private func openAPIDocument(_ path: String) -> [UInt8] {
        discovery.document("openapi v3 /\(path)") {
            OpenAPI.v3Document(
                openAPIResources { $0.apiPath == "/\(path)" }, serverVersion: configuration.gitVersion
            ).encoded
        }
    }

    private func openAPIResources(_ isIncluded: (KubeResource) -> Bool) -> [OpenAPI.Resource] {
        let registry = registry
        let stored = registry.declarations.map { declaration in
            var subresources = declaration.subresources.map(\.name)
            if declaration.hasStatus { subresources.append("status") }
            if declaration.scale != nil { subresources.append("scale") }
            return OpenAPI.Resource(
                declaration.resource, subresources: subresources, custom: declaration.reading?.published(),
                isReadOnly: declaration.provider != nil)
        }
        return (stored + registry.reviews.map { OpenAPI.Resource($0.resource) }).filter { isIncluded($0.resource) }
    }

    private static func hash(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return digits.utf8.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
