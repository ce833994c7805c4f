// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// Which objects of a kind that is not stored are wanted.
package struct ProvidedSelection: Sendable {
    /// Empty: of all namespaces.
    package var namespace: String
    /// Empty: all of them.
    package var name: String
}

/// Gives the objects of a kind that is not stored, as they are at that moment.
package typealias ObjectProvider =
    @Sendable (ProvidedSelection, APIServer) async throws(StatusError) -> [KubeObject]

extension APIServer {
    /// Answers a request for a kind whose objects are provided: they can be read and listed, nothing else.
    func provided(_ call: ResourceCall, _ provider: ObjectProvider) async throws(StatusError) -> KubeResponse {
        guard call.request.method == "GET" || call.request.method == "HEAD", call.subresource.isEmpty else {
            throw .methodNotAllowed
        }
        let declaration = call.declaration
        guard call.name.isEmpty else {
            let selection = ProvidedSelection(namespace: call.namespace, name: call.name)
            guard let object = try await provider(selection, self).first(where: { $0.name == call.name }) else {
                throw .notFound(call.resource, call.name)
            }
            return answer(object, call)
        }
        let options = try ListOptions(call.request, declaration: declaration)
        guard !options.isWatch else { throw .methodNotAllowed }
        let all = try await provider(ProvidedSelection(namespace: call.namespace, name: ""), self)
        let objects = all.filter { object in
            options.labels.matches(object.labels) && options.fields.matches(declaration.fields(of: object))
        }.sorted { $0.key < $1.key }
        switch call.form {
        case .object:
            return KubeResponse(json: [
                "kind": .string(call.resource.kind + "List"), "apiVersion": .string(call.resource.apiVersion),
                "metadata": .object([:]), "items": .array(objects.map(\.json)),
            ])
        case .table:
            return KubeResponse(json: TableRenderer(call, now: now()).table(objects, metadata: .object([:])))
        case .partialMetadata, .partialMetadataList:
            return KubeResponse(json: [
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": .object([:]),
                "items": .array(objects.map(TableRenderer.partialMetadata)),
            ])
        }
    }
}
