// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// The committed object of a call.
    func stored(_ call: ResourceCall) throws(StatusError) -> StoredObject {
        guard let object = store.get(call.key) else { throw .notFound(call.resource, call.name) }
        return object
    }

    private static let managedFields = JSONParser.Cut("managedFields", of: "metadata")

    /// A stored object as a value, in the call's kind, its managers apart.
    func decode(_ stored: StoredObject, _ declaration: ResourceDeclaration) throws(StatusError) -> KubeObject {
        do {
            let parsed = try JSONParser.parse(stored.bytes, leavingOut: Self.managedFields)
            var object = KubeObject(parsed.value)
            object.managedFields = parsed.text
            guard let storage = declaration.storage, !storage.isServed(stored) else { return object }
            return storage.fromStored(object)
        } catch {
            throw .internalError("the stored object \(stored.key) cannot be read: \(error)")
        }
    }

    /// The JSON of a stored object in a kind: the stored bytes, where nothing has to be converted.
    func bytes(_ stored: StoredObject, _ declaration: ResourceDeclaration) -> [UInt8] {
        guard let storage = declaration.storage, !storage.isServed(stored),
            let object = try? decode(stored, declaration)
        else { return stored.bytes }
        return object.complete.encoded
    }

    /// The answer with a stored object in the form that the client asked for.
    func answer(_ stored: StoredObject, _ call: ResourceCall, status: Int = 200) -> KubeResponse {
        if call.form == .object {
            return KubeResponse(status: status, body: .bytes(bytes(stored, call.declaration)))
        }
        guard let object = try? decode(stored, call.declaration) else {
            return KubeResponse(status: status, body: .bytes(stored.bytes))
        }
        return answer(object, call, status: status)
    }

    /// The answer with an object in the form that the client asked for.
    func answer(_ object: KubeObject, _ call: ResourceCall, status: Int = 200) -> KubeResponse {
        switch call.form {
        case .object: return KubeResponse(status: status, json: object.complete)
        case .partialMetadata, .partialMetadataList:
            return KubeResponse(status: status, json: TableRenderer.partialMetadata(KubeObject(object.complete)))
        case .table:
            let renderer = TableRenderer(call, now: now())
            return KubeResponse(
                status: status,
                json: renderer.table([object], metadata: ["resourceVersion": .string(object.resourceVersion)]))
        }
    }
}

extension StatusError {
    /// A failure of the store as clients see it.
    init(_ error: StoreError, _ resource: KubeResource, _ name: String) {
        switch error.code {
        case .alreadyExists: self = .alreadyExists(resource, name)
        case .notFound: self = .notFound(resource, name)
        case .conflict: self = .staleVersion(resource, name)
        case .compacted: self = .expired("too old resource version: \(error.message)")
        case .futureRevision: self = .tooLargeResourceVersion(error.message)
        case .objectTooLarge: self = .tooLarge("etcdserver: request is too large: \(error.message)")
        case .invalidKey: self = .badRequest(error.message)
        case .closed: self = .unavailable("the server is shutting down")
        default: self = .internalError(error.message)
        }
    }

    /// The client asks for a revision that the server has not reached.
    static func tooLargeResourceVersion(_ message: String) -> StatusError {
        var error = StatusError(
            code: 504, reason: "Timeout", message: "Timeout: Too large resource version: \(message)")
        error.retryAfterSeconds = 1
        error.causes = [
            StatusCause(reason: "ResourceVersionTooLarge", field: "", message: "Too large resource version")
        ]
        return error
    }
}
