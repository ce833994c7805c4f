// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI
import KubeStore

/// What part of a container's log is wanted (core/v1 PodLogOptions).
package struct LogOptions: Hashable, Sendable {
    /// Whether to go on while the container runs.
    package var follow = false
    /// Only the last lines; nil for all.
    package var tailLines: Int?
    /// Only what is no older than this many seconds.
    package var sinceSeconds: Int?
    /// Only what was written from this moment on.
    package var sinceTime: Timestamp?
    /// Whether every line begins with its time.
    package var timestamps = false
    /// The log of the container before its last restart.
    package var previous = false
    /// The most bytes.
    package var limitBytes: Int?

    package init() {}
}

/// Reaches the node agents.
package protocol NodeConnector: Sendable {
    /// The log of a container, as chunks; throws `StatusError` when the node says why there is none.
    func containerLog(
        node: String, namespace: String, pod: String, container: String, options: LogOptions
    ) async throws -> AsyncThrowingStream<[UInt8], any Error>

    /// Answers a request for the node agent itself, such as `/healthz` or `/pods`; throws `StatusError` when there is
    /// no such path.
    func agentRequest(
        node: String, method: String, path: String, query: [(name: String, value: String)]
    ) async throws -> KubeResponse

    /// What the nodes that can be reached use, without asking them anything that takes time.
    func usage() async -> [NodeUsage]
}

extension NodeConnector {
    /// Nodes of which nothing is known.
    package func usage() async -> [NodeUsage] { [] }

    /// An agent that has no paths of its own.
    package func agentRequest(
        node: String, method: String, path: String, query: [(name: String, value: String)]
    ) async throws -> KubeResponse {
        throw StatusError.pathNotFound
    }
}

extension APIServer {
    func podLog(_ call: ResourceCall) async throws(StatusError) -> KubeResponse {
        let pod = try decode(try stored(call), call.declaration)
        let options = try Self.logOptions(call)
        let container = try Self.logContainer(pod, call.request.parameter("container") ?? "")
        guard let node = pod.spec["nodeName"].string, !node.isEmpty else {
            // Upstream answers with nothing while a pod has no node.
            return KubeResponse(contentType: "text/plain", body: .bytes([]))
        }
        try Self.checkStarted(pod, container, options)
        guard let nodes else {
            throw .unavailable("this server is not connected to node agents, so it has no logs")
        }
        do {
            let stream = try await nodes.containerLog(
                node: node, namespace: call.namespace, pod: call.name, container: container, options: options)
            return KubeResponse(contentType: "text/plain", body: .stream(stream))
        } catch let error as StatusError {
            throw error
        } catch {
            throw .internalError("the node \(node) gave no log of container \(container): \(error)")
        }
    }

    private static func logOptions(_ call: ResourceCall) throws(StatusError) -> LogOptions {
        func number(_ name: String, least: Int) throws(StatusError) -> Int? {
            guard let text = call.request.parameter(name), !text.isEmpty else { return nil }
            guard let number = Int(text), number >= least else {
                throw StatusError(
                    code: 422, reason: "Invalid",
                    message: "PodLogOptions \"\(call.name)\" is invalid: \(name): Invalid value: "
                        + "\(text.prefix(64)): must be greater than or equal to \(least)")
            }
            return number
        }
        func flag(_ name: String) -> Bool { ListOptions.isTrue(call.request.parameter(name) ?? "false") }
        var options = LogOptions()
        options.follow = flag("follow")
        options.timestamps = flag("timestamps")
        options.previous = flag("previous")
        options.tailLines = try number("tailLines", least: 0)
        options.sinceSeconds = try number("sinceSeconds", least: 1)
        options.limitBytes = try number("limitBytes", least: 1)
        if let text = call.request.parameter("sinceTime"), !text.isEmpty {
            guard let time = Timestamp(rfc3339: text) else {
                throw .badRequest("sinceTime \"\(text.prefix(64))\" is not a time of RFC 3339")
            }
            options.sinceTime = time
        }
        return options
    }

    private static func logContainer(_ pod: KubeObject, _ wanted: String) throws(StatusError) -> String {
        func names(_ member: String) -> [String] { pod.spec[member].elements.compactMap { $0["name"].string } }
        let containers = names("containers")
        let inits = names("initContainers")
        if wanted.isEmpty {
            if let annotated = pod.annotations["kubectl.kubernetes.io/default-container"],
                containers.contains(annotated)
            {
                return annotated
            }
            if containers.count == 1 { return containers[0] }
            var message = "a container name must be specified for pod \(pod.name), choose one of: "
            message += "[\(containers.joined(separator: " "))]"
            if !inits.isEmpty { message += " or one of the init containers: [\(inits.joined(separator: " "))]" }
            throw .badRequest(message)
        }
        guard (containers + inits + names("ephemeralContainers")).contains(wanted) else {
            throw .badRequest("container \(wanted) is not valid for pod \(pod.name)")
        }
        return wanted
    }

    private static func checkStarted(
        _ pod: KubeObject, _ container: String, _ options: LogOptions
    ) throws(StatusError) {
        let statuses = pod.status["containerStatuses"].elements + pod.status["initContainerStatuses"].elements
        let status = statuses.first { $0["name"].string == container } ?? .null
        if options.previous {
            guard status["lastState"]["terminated"].isNull else { return }
            throw .badRequest("previous terminated container \"\(container)\" in pod \"\(pod.name)\" not found")
        }
        let state = status["state"]
        guard state["running"].isNull, state["terminated"].isNull, status["lastState"]["terminated"].isNull else {
            return
        }
        let reason = state["waiting"]["reason"].string ?? "ContainerCreating"
        throw .badRequest("container \"\(container)\" in pod \"\(pod.name)\" is waiting to start: \(reason)")
    }
}
