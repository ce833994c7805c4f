// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// Objects that a list call selects, with the metadata of the list.
    struct Selected {
        var objects: [StoredObject] = []
        var revision: Int64 = 0
        var continueToken = ""
        var remaining: Int?

        var metadata: JSONValue {
            [
                "resourceVersion": .string(String(revision)),
                "continue": continueToken.isEmpty ? nil : .string(continueToken),
                "remainingItemCount": remaining.map { JSONValue($0) } ?? nil,
            ]
        }
    }

    func list(_ call: ResourceCall) throws(StatusError) -> KubeResponse {
        let options = try ListOptions(call.request, declaration: call.declaration)
        if options.isWatch { return try watch(call, options) }
        do throws(StatusError) {
            return answer(try page(call, options), call)
        } catch {
            return try goingOn(after: error, options)
        }
    }

    /// The snapshot of a continue token is gone: the answer carries a token to go on without consistency.
    private func goingOn(after error: StatusError, _ options: ListOptions) throws(StatusError) -> KubeResponse {
        guard error.isExpired, let text = options.continueToken else { throw error }
        var token = try ContinueToken(parsing: text)
        token.revision = -1
        let message =
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            + "without the continue parameter, or use the continue token in this response to retrieve the remainder "
            + "of the results. Continuing with the provided token results in an inconsistent list - objects that were "
            + "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            + "list."
        var json = StatusError.expired(message).json
        json["metadata"] = ["continue": .string(token.text)]
        return KubeResponse(status: error.code, json: json)
    }

    /// What a list call selects.
    func page(_ call: ResourceCall, _ options: ListOptions) throws(StatusError) -> Selected {
        var after: StoreKey?
        var revision: Int64?
        if let text = options.continueToken {
            if !options.resourceVersion.isEmpty, options.resourceVersion != "0" {
                throw .badRequest("specifying resource version is not allowed when using continue")
            }
            let token = try ContinueToken(parsing: text)
            after = StoreKey(
                resource: call.declaration.storageName, namespace: token.namespace, name: token.name)
            revision = token.revision < 0 ? nil : token.revision
        } else if let wanted = try options.revision(), wanted > 0 {
            let isExact =
                options.resourceVersionMatch == "Exact"
                || (options.resourceVersionMatch.isEmpty && (options.limit ?? 0) > 0)
            if wanted > store.revision {
                throw .tooLargeResourceVersion("\(wanted), current: \(store.revision)")
            }
            if isExact { revision = wanted }
        }
        return try collect(call, options, after: after, revision: revision)
    }

    private func collect(
        _ call: ResourceCall, _ options: ListOptions, after: StoreKey?, revision: Int64?
    ) throws(StatusError) -> Selected {
        let namespace = call.namespace.isEmpty ? nil : call.namespace
        let isUnselected = options.labels.requirements.isEmpty && options.fields.requirements.isEmpty
        let limit = options.limit.flatMap { $0 > 0 ? $0 : nil }
        var result = Selected()
        var after = after
        var revision = revision
        while true {
            let page: StoreList
            do throws(StoreError) {
                page = try store.list(
                    resource: call.declaration.storageName, namespace: namespace, limit: limit, after: after,
                    atRevision: revision)
            } catch {
                throw StatusError(error, call.resource, "")
            }
            result.revision = page.revision
            if isUnselected {
                result.objects = page.objects
            } else {
                for object in page.objects where options.matches(object, call.declaration) {
                    result.objects.append(object)
                    if result.objects.count == limit { break }
                }
            }
            after = result.objects.count == limit ? result.objects.last?.key : page.objects.last?.key
            let isCut = after != page.objects.last?.key
            guard page.hasMore || isCut else { return result }
            if let limit, result.objects.count >= limit, let last = result.objects.last {
                result.continueToken =
                    ContinueToken(revision: page.revision, namespace: last.key.namespace, name: last.key.name).text
                if isUnselected { result.remaining = page.remaining }
                return result
            }
            revision = page.revision
        }
    }

    private func answer(_ selected: Selected, _ call: ResourceCall) -> KubeResponse {
        switch call.form {
        case .object:
            var size = 256
            for object in selected.objects { size += object.bytes.count + 1 }
            let head: JSONValue = [
                "kind": .string(call.resource.kind + "List"), "apiVersion": .string(call.resource.apiVersion),
                "metadata": selected.metadata,
            ]
            var bytes = head.encoded
            bytes.reserveCapacity(size)
            bytes[bytes.count - 1] = UInt8(ascii: ",")
            bytes.append(contentsOf: "\"items\":[".utf8)
            for (index, object) in selected.objects.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.append(contentsOf: self.bytes(object, call.declaration))
            }
            bytes.append(contentsOf: "]}".utf8)
            return KubeResponse(body: .bytes(bytes))
        case .table:
            let objects = selected.objects.compactMap { try? decode($0, call.declaration) }
            return KubeResponse(
                json: TableRenderer(call, now: now()).table(objects, metadata: selected.metadata))
        case .partialMetadata, .partialMetadataList:
            let objects = selected.objects.compactMap { try? KubeObject(decode($0, call.declaration).complete) }
            return KubeResponse(
                json: [
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": selected.metadata,
                    "items": .array(objects.map(TableRenderer.partialMetadata)),
                ])
        }
    }
}

extension ListOptions {
    /// Whether the selectors match a stored state.
    func matches(_ object: StoredObject, _ declaration: ResourceDeclaration) -> Bool {
        guard labels.matches(object.labels) else { return false }
        if fields.requirements.isEmpty { return true }
        guard let storage = declaration.storage, !storage.hasFields(object) else {
            return fields.matches(object.fields)
        }
        // Stored before the kind's selectable fields were what they are.
        guard let json = try? JSONParser.parse(object.bytes) else { return false }
        return fields.matches(declaration.fields(of: KubeObject(json)))
    }
}
