// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// Passes a request on to a node, a pod or a pod behind a service.
    func proxy(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        let request = call.request
        guard let address = RequestPath(request.path) else { throw .pathNotFound }
        let kind = call.resource.kind.lowercased()
        guard let target = ProxyTarget(call.name) else {
            throw .badRequest("invalid \(kind) request \"\(call.name.prefix(300))\"")
        }
        if address.rest.isEmpty, request.method == "GET" || request.method == "HEAD" {
            // A directory, so that relative references in its page work.
            return KubeResponse(
                status: 301, contentType: "", headers: [("Location", request.path + "/" + Self.query(request))],
                body: .bytes([]))
        }
        if call.resource == .nodes {
            let node = try store(.nodes, "", target.name)
            guard !target.port.isEmpty else { return try await agent(target.name, address.rest, request) }
            return try await forward(call, address, target.scheme, try Self.nodeAddress(node, target))
        }
        let backend =
            call.resource == .pods
            ? try podAddress(call, target) : try serviceAddress(call, target)
        return try await forward(call, address, target.scheme, backend)
    }

    private func forward(
        _ call: ResourceCall, _ address: RequestPath, _ scheme: String, _ backend: String
    ) async throws(StatusError) -> KubeResponse {
        guard let backends else { throw .unavailable("this server is not connected to pods") }
        let request = call.request
        let prefix = String(request.path.dropLast(address.rest.count))
        let host = request.headers.first { $0.name.lowercased() == "host" }?.value ?? ""
        let rules = ProxyRules(prefix: prefix, backend: backend, host: host)
        guard let path = Self.path(address.rest) else {
            throw .badRequest("the path after proxy has an escape that is not valid")
        }
        let length = request.headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) }
        let passed = BackendRequest(
            method: request.method, url: "\(scheme)://\(backend)\(path)\(Self.query(request))",
            headers: rules.request(request.headers, path: path),
            body: request.bodyStream ?? (request.body.isEmpty ? nil : Self.stream(request.body)),
            length: request.bodyStream == nil ? request.body.count : length)
        do {
            var response = try await backends.send(passed)
            response.headers = rules.response(response.headers)
            return response
        } catch {
            throw .unavailable("error trying to reach service: \(error)")
        }
    }

    /// The path on the backend, as upstream escapes it anew: `%2F` becomes a slash.
    private static func path(_ rest: String) -> String? {
        guard let decoded = PercentEncoding.decode(rest) else { return nil }
        let encoded = decoded.split(separator: "/", omittingEmptySubsequences: false).map { part in
            var text = ""
            for scalar in part.unicodeScalars {
                text +=
                    "$&+,:;=@".unicodeScalars.contains(scalar) ? String(scalar) : PercentEncoding.encode(String(scalar))
            }
            return text
        }.joined(separator: "/")
        return encoded.isEmpty ? "/" : encoded
    }

    private static func stream(_ bytes: [UInt8]) -> AsyncThrowingStream<[UInt8], any Error> {
        AsyncThrowingStream { continuation in
            continuation.yield(bytes)
            continuation.finish()
        }
    }

    /// The query as it is sent on, with its question mark.
    private static func query(_ request: KubeRequest) -> String {
        guard request.rawQuery.isEmpty else { return "?" + request.rawQuery }
        guard !request.query.isEmpty else { return "" }
        let pairs = request.query.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
        return "?" + pairs.joined(separator: "&")
    }

    private func store(
        _ resource: KubeResource, _ namespace: String, _ name: String
    ) throws(StatusError) -> KubeObject {
        let key = StoreKey(resource: resource.qualifiedName, namespace: namespace, name: name)
        guard let declaration = registry.declaration(resource), let stored = store.get(key) else {
            throw .notFound(resource, name)
        }
        return try decode(stored, declaration)
    }

    // MARK: Addresses

    private func podAddress(_ call: ResourceCall, _ target: ProxyTarget) throws(StatusError) -> String {
        let pod = try store(.pods, call.namespace, target.name)
        let ports = pod.spec["containers"].elements.flatMap { $0["ports"].elements }
        let port =
            target.port.isEmpty
            ? ports.first?["containerPort"].int
            : Int(target.port) ?? ports.first { $0["name"].string == target.port }?["containerPort"].int
        guard let address = pod.status["podIP"].string, IPv4.parse(address) != nil else {
            throw .badRequest("address not allowed")
        }
        guard let port else {
            if target.port.isEmpty { return address }
            throw .badRequest("pod \"\(target.name)\" has no port \"\(target.port.prefix(64))\"")
        }
        guard (1...65535).contains(port) else { throw .badRequest("invalid port \(port)") }
        return "\(address):\(port)"
    }

    /// A ready pod behind a service. Only addresses of pods: whoever may write Endpoints could otherwise make this
    /// server send requests anywhere.
    private func serviceAddress(_ call: ResourceCall, _ target: ProxyTarget) throws(StatusError) -> String {
        var portName = target.port
        if let number = Int(target.port) {
            let service = try store(.services, call.namespace, target.name)
            guard let port = service.spec["ports"].elements.first(where: { $0["port"].int == number }) else {
                throw .unavailable("no service port \(number) found for service \"\(target.name)\"")
            }
            portName = port["name"].string ?? ""
        }
        let endpoints = try store(.endpoints, call.namespace, target.name)
        guard !endpoints["subsets"].isEmpty else {
            throw .unavailable("no endpoints available for service \"\(target.name)\"")
        }
        for subset in endpoints["subsets"].elements.shuffled() {
            guard
                let port = subset["ports"].elements.first(where: { ($0["name"].string ?? "") == portName })?["port"].int
            else { continue }
            for address in subset["addresses"].elements.shuffled() {
                let reference = address["targetRef"]
                guard reference["namespace"].string ?? call.namespace == call.namespace,
                    let name = reference["name"].string, let text = address["ip"].string,
                    let pod = try? store(.pods, call.namespace, name)
                else { continue }
                let addresses = pod.status["podIPs"].elements.map { $0["ip"] } + [pod.status["podIP"]]
                if addresses.contains(.string(text)) { return "\(text):\(port)" }
            }
        }
        throw .unavailable("no endpoints available for service \"\(call.name)\"")
    }

    private static func nodeAddress(_ node: KubeObject, _ target: ProxyTarget) throws(StatusError) -> String {
        let address = node.status["addresses"].elements.first { $0["type"].string == "InternalIP" }?["address"].string
        guard let port = Int(target.port), (1...65535).contains(port), let address,
            let number = IPv4.parse(address), number >> 24 != 127, number >> 16 != 0xA9FE
        else { throw .badRequest("address not allowed") }
        return "\(address):\(port)"
    }

    private func agent(
        _ node: String, _ path: String, _ request: KubeRequest
    ) async throws(StatusError) -> KubeResponse {
        guard let nodes else { throw .unavailable("this server is not connected to node agents") }
        do {
            return try await nodes.agentRequest(node: node, method: request.method, path: path, query: request.query)
        } catch let error as StatusError {
            throw error
        } catch {
            throw .unavailable("error trying to reach service: \(error)")
        }
    }
}
