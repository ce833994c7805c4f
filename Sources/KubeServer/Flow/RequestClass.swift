// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import KubeStore

/// How flow control treats a request.
struct RequestClass: Equatable {
    /// nil: not bounded.
    var level: FlowControl.Level?
    /// How many seats it takes.
    var width = 1
    /// Whether it is passed on to a backend.
    var isProxied = false

    /// What goes on for as long as somebody listens: bounded by the connections only, as upstream.
    private static let longRunning: Set = ["proxy", "log", "exec", "attach", "portforward"]
    private static let probes = ["/healthz", "/livez", "/readyz"]
    /// Objects of a list that make it one seat wider, and the widest list; as upstream.
    private static let objectsPerSeat = 100
    private static let widest = 10

    /// - Parameters:
    ///   - request: what is asked.
    ///   - address: what ``RequestPath`` makes of the request's path.
    ///   - store: tells how many objects a list is of.
    ///   - registry: tells which kinds there are.
    init(
        _ request: KubeRequest, _ address: RequestPath?, store: KubeStore,
        registry: @autoclosure () -> ResourceRegistry
    ) {
        if address == nil, Self.probes.contains(where: request.path.hasPrefix) { return }
        let isRead = request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS"
        level = isRead ? .readOnly : .mutating
        guard let address else { return }
        if let subresource = address.subresource {
            if Self.longRunning.contains(subresource) { level = nil }
            isProxied = subresource == "proxy"
            return
        }
        guard isRead, address.name == nil,
            let declaration = registry().declaration(
                group: address.group, version: address.version, plural: address.plural)
        else { return }
        var count = store.count(
            resource: declaration.storageName, namespace: address.namespace.isEmpty ? nil : address.namespace)
        if let limit = request.parameter("limit").flatMap({ Int($0) }), limit > 0 { count = min(count, limit) }
        width = min(max(1, (count + Self.objectsPerSeat - 1) / Self.objectsPerSeat), Self.widest)
    }

    /// Whose turn a request takes. The administrator's key is shared by many programs, which are told apart.
    static func flow(of user: UserInfo, userAgent: String) -> String {
        user.groups.contains("system:masters") ? "\(user.name) \(userAgent)" : user.name
    }
}
