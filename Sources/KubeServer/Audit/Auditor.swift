// SPDX-License-Identifier: Apache-2.0
package import AccessControl
import ApusCore
import KubeAPI
import Synchronization

/// Tells the audit log of requests, as the policy says.
///
/// Source: Kubernetes "Auditing".
package struct Auditor: Sendable {
    package let policy: AuditPolicy
    package let log: AuditLog

    package init(policy: AuditPolicy, log: AuditLog) {
        self.policy = policy
        self.log = log
    }
}

/// One request that is told of (audit.k8s.io/v1 Event).
final class AuditEvent: Sendable {
    /// The one of the request that runs, so that what decides on the way can say why.
    @TaskLocal static var current: AuditEvent?

    let id: String
    private let decision: AuditPolicy.Decision
    private let log: AuditLog
    /// What is known when the request comes.
    private let head: AuditLine
    private let request: KubeRequest
    private let schema: Schema
    private let annotations = Mutex<[(key: String, value: String)]>([])
    private let now: @Sendable () -> Timestamp

    init(
        _ auditor: Auditor, _ decision: AuditPolicy.Decision, _ request: KubeRequest, _ path: RequestPath?,
        _ query: AccessQuery, client: UserInfo, acting: UserInfo?, schema: Schema,
        now: @escaping @Sendable () -> Timestamp
    ) {
        id = RandomID.uuid()
        self.decision = decision
        self.request = request
        self.schema = schema
        self.now = now
        log = auditor.log
        let received = now().rfc3339Micro
        var head = AuditLine(capacity: 1024)
        head.add("kind", "Event")
        head.add("apiVersion", "audit.k8s.io/v1")
        head.add("level", decision.level.rawValue)
        head.add("auditID", id)
        head.add("requestURI", Self.uri(request))
        head.add("verb", query.verb)
        head.add("user", object: { client.add(to: &$0) })
        if let acting { head.add("impersonatedUser", object: { acting.add(to: &$0) }) }
        if !request.sourceAddress.isEmpty { head.add("sourceIPs", [request.sourceAddress]) }
        head.add("userAgent", request.userAgent)
        if let path {
            head.add("objectRef") {
                $0.add("resource", path.plural)
                $0.add("namespace", query.namespace)
                $0.add("name", query.name)
                $0.add("apiGroup", path.group)
                $0.add("apiVersion", path.version)
                $0.add("subresource", query.subresource)
            }
        }
        head.add("requestReceivedTimestamp", received)
        self.head = head
        write(.requestReceived, time: received) { _ in }
    }

    private static func uri(_ request: KubeRequest) -> String {
        guard !request.query.isEmpty else { return request.path }
        let parameters = request.query.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
        return "\(request.path)?\(parameters.joined(separator: "&"))"
    }

    /// Adds an annotation to the events that are still to be written.
    func annotate(_ key: String, _ value: String) {
        annotations.withLock { annotations in
            annotations.removeAll { $0.key == key }
            annotations.append((key, value))
        }
    }

    /// The answer has begun, or is complete.
    func answered(_ response: KubeResponse) {
        let isFailure = response.status >= 400
        var body = JSONValue.null
        if case .bytes(let bytes) = response.body, isFailure || decision.level == .requestResponse {
            body = (try? JSONParser.parse(bytes)) ?? .null
        }
        guard case .bytes = response.body else {
            write(.responseStarted, time: now().rfc3339Micro) { add(&$0, status: response.status, .null) }
            return
        }
        write(.responseComplete, time: now().rfc3339Micro) { line in
            add(&line, status: response.status, isFailure ? body : .null)
            addRequest(to: &line, wasTaken: !isFailure)
            if decision.level == .requestResponse { line.add("responseObject", Self.trimmed(body, decision)) }
        }
    }

    /// An answer that went on has ended.
    func ended() {
        write(.responseComplete, time: now().rfc3339Micro) { line in
            add(&line, status: 200, .null)
            addRequest(to: &line, wasTaken: false)
        }
    }

    private func add(_ line: inout AuditLine, status: Int, _ failure: JSONValue) {
        line.add("responseStatus") {
            $0.add("metadata", raw: Array("{}".utf8))
            $0.add("status", failure["status"])
            $0.add("message", failure["message"])
            $0.add("reason", failure["reason"])
            $0.add("details", failure["details"])
            $0.add("code", .int(Int64(status)))
        }
    }

    /// Adds the body of the request; `wasTaken` says whether the server read it and found nothing wrong.
    private func addRequest(to line: inout AuditLine, wasTaken: Bool) {
        guard decision.level >= .request, !request.body.isEmpty else { return }
        let isPlain =
            wasTaken && !decision.omitsManagedFields && request.contentType.hasPrefix("application/json")
            && !request.body.contains { $0 < 0x20 }
        if isPlain { return line.add("requestObject", raw: request.body) }
        let object = (try? BodyDecoder.json(request, schema: schema).value) ?? .null
        line.add("requestObject", Self.trimmed(object, decision))
    }

    private func write(_ stage: AuditPolicy.Stage, time: String, _ fill: (inout AuditLine) -> Void) {
        guard !decision.omittedStages.contains(stage) else { return }
        var line = AuditLine(following: head, capacity: 512)
        line.add("stage", stage.rawValue)
        line.add("stageTimestamp", time)
        fill(&line)
        let annotations = annotations.withLock { $0 }
        if !annotations.isEmpty {
            line.add(
                "annotations", JSONValue(Dictionary(annotations.map { ($0.key, $0.value) }) { _, last in last }))
        }
        line.end()
        log.append(head.bytes, line.bytes)
    }

    private static func trimmed(_ object: JSONValue, _ decision: AuditPolicy.Decision) -> JSONValue {
        guard decision.omitsManagedFields, object.object != nil else { return object }
        var object = object
        if !object["metadata"]["managedFields"].isNull { object["metadata"]["managedFields"] = .null }
        if !object["items"].isNull {
            object["items"] = .array(
                object["items"].elements.map { item in
                    var item = item
                    if !item["metadata"]["managedFields"].isNull { item["metadata"]["managedFields"] = .null }
                    return item
                })
        }
        return object
    }
}

extension UserInfo {
    /// Tells who a user is (authentication.k8s.io/v1 UserInfo).
    fileprivate func add(to line: inout AuditLine) {
        line.add("username", name)
        line.add("uid", uid)
        line.add("groups", groups)
        if !extra.isEmpty { line.add("extra", .object(extra.mapValues { JSONValue($0) })) }
    }
}

extension APIServer {
    /// The event of a request; nil when the policy wants none.
    func auditEvent(
        _ request: KubeRequest, _ path: RequestPath?, client: UserInfo, acting: UserInfo? = nil
    ) -> AuditEvent? {
        guard let auditor else { return nil }
        let query =
            path.map { Self.query(request, $0) }
            ?? AccessQuery(verb: request.method.lowercased(), path: request.path)
        let decision = auditor.policy.decision(user: client.name, groups: client.groups, query)
        guard decision.level > .none else { return nil }
        return AuditEvent(
            auditor, decision, request, path, query, client: client, acting: acting, schema: schema, now: now)
    }

    /// Runs a request and tells of it.
    func audited(
        _ event: AuditEvent?, _ answer: () async -> KubeResponse
    ) async -> KubeResponse {
        guard let event else { return await answer() }
        var response = await AuditEvent.$current.withValue(event) { await answer() }
        response.headers.append(("Audit-Id", event.id))
        event.answered(response)
        if case .stream = response.body { response.onEnd = { event.ended() } }
        return response
    }
}
