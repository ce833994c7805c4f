// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// A client of a Kubernetes API server: typed calls over any ``KubeTransport``.
///
/// Every call throws ``StatusError`` when the server refuses, and the transport's error when there is no answer.
package struct KubeClient: Sendable {
    /// What a patch's body is.
    package enum PatchType: String, Sendable {
        case merge = "application/merge-patch+json"
        case strategicMerge = "application/strategic-merge-patch+json"
    }

    /// Narrows a list or watch.
    package struct Selection: Sendable {
        package var labels: String?
        package var fields: String?

        package init(labels: String? = nil, fields: String? = nil) {
            self.labels = labels
            self.fields = fields
        }

        var query: [(name: String, value: String)] {
            [("labelSelector", labels), ("fieldSelector", fields)].compactMap { name, value in
                value.map { (name: name, value: $0) }
            }
        }
    }

    /// One page of a list.
    package struct List: Sendable {
        package var items: [KubeObject]
        package var resourceVersion: String
        /// Token of the next page; empty on the last.
        package var continueToken: String
    }

    /// How to delete.
    package struct DeleteOptions: Sendable {
        package var gracePeriodSeconds: Int?
        /// `Background`, `Foreground` or `Orphan`.
        package var propagationPolicy: String?
        /// Refuse when the object is no longer this one.
        package var uid: String?

        package init(gracePeriodSeconds: Int? = nil, propagationPolicy: String? = nil, uid: String? = nil) {
            self.gracePeriodSeconds = gracePeriodSeconds
            self.propagationPolicy = propagationPolicy
            self.uid = uid
        }

        var body: JSONValue {
            [
                "apiVersion": "v1", "kind": "DeleteOptions",
                "gracePeriodSeconds": gracePeriodSeconds.map { JSONValue($0) } ?? nil,
                "propagationPolicy": JSONValue(propagationPolicy),
                "preconditions": uid.map { ["uid": .string($0)] } ?? nil,
            ]
        }
    }

    private let transport: any KubeTransport
    private let userAgent: String

    /// - Parameters:
    ///   - transport: carries the requests.
    ///   - userAgent: name that the server sees, such as `apus-scheduler`.
    package init(transport: any KubeTransport, userAgent: String) {
        self.transport = transport
        self.userAgent = userAgent
    }

    /// Reads one object, or a subresource of it.
    package func get(_ resource: KubeResource, _ key: ObjectKey, subresource: String? = nil) async throws -> KubeObject
    {
        let path = resource.path(namespace: key.namespace, name: key.name, subresource: subresource)
        return KubeObject(try await call("GET", path))
    }

    private static let managedFields = JSONParser.Cut("managedFields", of: "metadata", depth: 3)

    /// Lists one page, the managers of fields left out; `namespace` empty means all.
    package func list(
        _ resource: KubeResource, namespace: String = "", selection: Selection = Selection(), limit: Int? = nil,
        continueToken: String = ""
    ) async throws -> List {
        var query = selection.query
        if let limit { query.append(("limit", String(limit))) }
        if !continueToken.isEmpty { query.append(("continue", continueToken)) }
        let page = try await bytes(request("GET", resource.path(namespace: namespace), query: query))
        let json = try JSONParser.parse(page, leavingOut: Self.managedFields).value
        let items = json["items"].elements.map { item in
            var object = KubeObject(item)
            if object["kind"].isNull {
                object["kind"] = .string(resource.kind)
                object["apiVersion"] = .string(resource.apiVersion)
            }
            return object
        }
        return List(
            items: items, resourceVersion: json["metadata"]["resourceVersion"].string ?? "",
            continueToken: json["metadata"]["continue"].string ?? "")
    }

    /// Creates an object; returns it as the server stored it.
    package func create(
        _ resource: KubeResource, _ object: KubeObject, namespace: String? = nil
    ) async throws -> KubeObject {
        let path = resource.path(namespace: namespace ?? object.namespace)
        return KubeObject(try await call("POST", path, body: object.json))
    }

    /// Posts a body to a subresource, such as `binding` or `token`.
    package func create(
        _ resource: KubeResource, _ key: ObjectKey, subresource: String, body: JSONValue
    ) async throws -> JSONValue {
        let path = resource.path(namespace: key.namespace, name: key.name, subresource: subresource)
        return try await call("POST", path, body: body)
    }

    /// Replaces an object; refused as a conflict when it changed since it was read.
    package func update(
        _ resource: KubeResource, _ object: KubeObject, subresource: String? = nil
    ) async throws -> KubeObject {
        let path = resource.path(namespace: object.namespace, name: object.name, subresource: subresource)
        return KubeObject(try await call("PUT", path, body: object.json))
    }

    /// Replaces an object's status; the rest of it is not changed.
    package func updateStatus(_ resource: KubeResource, _ object: KubeObject) async throws -> KubeObject {
        try await update(resource, object, subresource: "status")
    }

    /// Changes an object by a patch; returns it as it is then.
    package func patch(
        _ resource: KubeResource, _ key: ObjectKey, _ type: PatchType = .merge, _ body: JSONValue,
        subresource: String? = nil
    ) async throws -> KubeObject {
        let path = resource.path(namespace: key.namespace, name: key.name, subresource: subresource)
        return KubeObject(try await call("PATCH", path, contentType: type.rawValue, body: body))
    }

    /// Deletes an object; with finalizers or a grace period it goes later.
    package func delete(
        _ resource: KubeResource, _ key: ObjectKey, _ options: DeleteOptions = DeleteOptions()
    ) async throws {
        let path = resource.path(namespace: key.namespace, name: key.name)
        _ = try await call("DELETE", path, body: options.body)
    }

    /// Follows changes after `resourceVersion`, bookmarks included. The stream ends when the server ends the watch.
    package func watch(
        _ resource: KubeResource, namespace: String = "", selection: Selection = Selection(), resourceVersion: String,
        timeoutSeconds: Int = 1800
    ) async throws -> WatchEvents {
        var query = selection.query
        query.append(("watch", "true"))
        query.append(("allowWatchBookmarks", "true"))
        query.append(("resourceVersion", resourceVersion))
        query.append(("timeoutSeconds", String(timeoutSeconds)))
        let request = request("GET", resource.path(namespace: namespace), query: query)
        return WatchEvents(try await chunks(request))
    }

    /// A container's log (core/v1 PodLogOptions as query parameters).
    package func log(
        _ pod: ObjectKey, options: [(name: String, value: String)]
    ) async throws -> ByteStream {
        let path = KubeResource.pods.path(namespace: pod.namespace, name: pod.name, subresource: "log")
        return try await chunks(request("GET", path, query: options, accept: "*/*"))
    }

    /// Any other path, such as `/version` or `/readyz`.
    package func raw(_ path: String, accept: String = "application/json") async throws -> [UInt8] {
        try await bytes(request("GET", path, accept: accept))
    }

    /// A call whose answer is JSON.
    package func call(
        _ method: String, _ path: String, query: [(name: String, value: String)] = [],
        contentType: String = "application/json", body: JSONValue? = nil
    ) async throws -> JSONValue {
        var request = request(method, path, query: query)
        if let body {
            request.contentType = contentType
            request.body = body.encoded
        }
        return try JSONParser.parse(try await bytes(request))
    }

    private func request(
        _ method: String, _ path: String, query: [(name: String, value: String)] = [],
        accept: String = "application/json"
    ) -> KubeRequest {
        KubeRequest(method: method, path: path, query: query, accept: accept, userAgent: userAgent)
    }

    private func bytes(_ request: KubeRequest) async throws -> [UInt8] {
        let response = try await transport.send(request)
        var bytes: [UInt8] = []
        switch response.body {
        case .bytes(let all): bytes = all
        case .stream(let chunks): for try await chunk in chunks { bytes += chunk }
        }
        try Self.check(response.status, bytes)
        return bytes
    }

    private func chunks(_ request: KubeRequest) async throws -> ByteStream {
        let response = try await transport.send(request)
        guard (200..<300).contains(response.status) else {
            var bytes: [UInt8] = []
            switch response.body {
            case .bytes(let all): bytes = all
            case .stream(let chunks): for try await chunk in chunks { bytes += chunk }
            }
            try Self.check(response.status, bytes)
            throw StatusError(code: response.status, reason: "Unknown", message: "unexpected HTTP status")
        }
        switch response.body {
        case .stream(let chunks): return chunks
        case .bytes(let all):
            return AsyncThrowingStream { continuation in
                continuation.yield(all)
                continuation.finish()
            }
        }
    }

    private static func check(_ status: Int, _ bytes: [UInt8]) throws {
        guard !(200..<300).contains(status) else { return }
        if let json = try? JSONParser.parse(bytes), json["kind"].string == "Status" {
            throw StatusError(json: json, code: status)
        }
        let text = String(decoding: bytes.prefix(512), as: UTF8.self)
        throw StatusError(
            code: status, reason: "Unknown", message: "the server answered with HTTP status \(status): \(text)")
    }
}
