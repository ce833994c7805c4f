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
    private let head: JSONValue
    private let requestObject: JSONValue
    private let annotations = Mutex<[String: String]>([:])
    private let now: @Sendable () -> Timestamp

    init(
        _ auditor: Auditor, _ decision: AuditPolicy.Decision, _ request: KubeRequest, _ path: RequestPath?,
        _ query: AccessQuery, client: UserInfo, acting: UserInfo?, schema: Schema,
        now: @escaping @Sendable () -> Timestamp
    ) {
        id = RandomID.uuid()
        self.decision = decision
        self.now = now
        log = auditor.log
        let parameters = request.query.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
        let uri = parameters.isEmpty ? request.path : "\(request.path)?\(parameters.joined(separator: "&"))"
        head = [
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": .string(decision.level.rawValue),
            "auditID": .string(id), "requestURI": .string(uri), "verb": .string(query.verb), "user": client.json,
            "impersonatedUser": acting.map(\.json) ?? nil,
            "sourceIPs": request.sourceAddress.isEmpty ? nil : [.string(request.sourceAddress)],
            "userAgent": request.userAgent.isEmpty ? nil : .string(request.userAgent),
            "objectRef": path.map { Self.reference($0, query) } ?? nil,
            "requestReceivedTimestamp": .string(now().rfc3339Micro),
        ]
        var object = JSONValue.null
        if decision.level >= .request, !request.body.isEmpty {
            object = (try? BodyDecoder.json(request, schema: schema).value) ?? .null
        }
        requestObject = Self.trimmed(object, decision)
        write(.requestReceived, [:])
    }

    private static func reference(_ path: RequestPath, _ query: AccessQuery) -> JSONValue {
        func text(_ text: String) -> JSONValue { text.isEmpty ? .null : .string(text) }
        return [
            "resource": .string(path.plural), "namespace": text(query.namespace), "name": text(query.name),
            "apiGroup": text(path.group), "apiVersion": .string(path.version), "subresource": text(query.subresource),
        ]
    }

    /// Adds an annotation to the events that are still to be written.
    func annotate(_ key: String, _ value: String) { annotations.withLock { $0[key] = value } }

    /// The answer has begun, or is complete.
    func answered(_ response: KubeResponse) {
        var body = JSONValue.null
        if case .bytes(let bytes) = response.body, response.status >= 400 || decision.level == .requestResponse {
            body = (try? JSONParser.parse(bytes)) ?? .null
        }
        var status: JSONValue = ["metadata": .object([:]), "code": JSONValue(response.status)]
        if response.status >= 400 {
            for member in ["status", "message", "reason", "details"] { status[member] = body[member] }
        }
        var members: [String: JSONValue] = ["responseStatus": status]
        guard case .bytes = response.body else {
            write(.responseStarted, members)
            return
        }
        if decision.level == .requestResponse { members["responseObject"] = Self.trimmed(body, decision) }
        write(.responseComplete, members)
    }

    /// An answer that went on has ended.
    func ended() { write(.responseComplete, ["responseStatus": ["metadata": .object([:]), "code": 200]]) }

    private func write(_ stage: AuditPolicy.Stage, _ members: [String: JSONValue]) {
        guard !decision.omittedStages.contains(stage) else { return }
        var event = head
        event["stage"] = .string(stage.rawValue)
        event["stageTimestamp"] = .string(now().rfc3339Micro)
        event["requestObject"] = stage == .requestReceived ? .null : requestObject
        for (key, value) in members { event[key] = value }
        let annotations = annotations.withLock { $0 }
        event["annotations"] = annotations.isEmpty ? .null : JSONValue(annotations)
        log.append(event.encoded + [UInt8(ascii: "\n")])
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
