// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

/// All that the server counts.
final class ServerMetrics: Sendable {
    /// A kind at a version.
    struct Resource: Hashable, Sendable {
        var group: String
        var version: String
        var resource: String
    }

    let requests = RequestMetrics()
    /// Watches, logs and proxied connections that go on.
    let longRunning = GaugeSet<RequestMetrics.Labels>()
    let watchEvents = CounterSet<Resource>()
}

extension APIServer {
    /// Answers a request and counts it.
    func measured(
        _ request: KubeRequest, _ path: RequestPath?,
        _ answer: () async throws(StatusError) -> KubeResponse
    ) async -> KubeResponse {
        let begin = ContinuousClock.now
        let response: KubeResponse
        do throws(StatusError) {
            response = try await answer()
        } catch {
            response = Self.answer(error)
        }
        let labels = labels(request, path)
        if case .stream = response.body {
            metrics.requests.record(labels, code: response.status, seconds: nil)
        } else {
            let seconds = Double((ContinuousClock.now - begin).nanoseconds) / 1e9
            metrics.requests.record(labels, code: response.status, seconds: seconds)
        }
        return response
    }

    /// The labels of a request. What is not served has none besides its verb.
    func labels(_ request: KubeRequest, _ path: RequestPath?) -> RequestMetrics.Labels {
        var labels = RequestMetrics.Labels(verb: Self.knownMethods.contains(request.method) ? request.method : "OTHER")
        if labels.verb == "HEAD" { labels.verb = "GET" }
        guard let path else {
            let first = request.path.split(separator: "/", maxSplits: 1).first.map(String.init) ?? ""
            if Self.nonResourceRoots.contains(first) { labels.subresource = "/" + first }
            return labels
        }
        guard registry.serves(group: path.group, version: path.version, plural: path.plural) else { return labels }
        labels.group = path.group
        labels.version = path.version
        labels.resource = path.plural
        if let subresource = path.subresource, Self.knownSubresources.contains(subresource) {
            labels.subresource = subresource
        }
        labels.scope = path.name != nil ? "resource" : path.namespace.isEmpty ? "cluster" : "namespace"
        switch labels.verb {
        case _ where Self.connecting.contains(labels.subresource): labels.verb = "CONNECT"
        case "GET":
            if ListOptions.isTrue(request.parameter("watch") ?? "false") {
                labels.verb = "WATCH"
            } else if path.name == nil {
                labels.verb = "LIST"
            }
        case "DELETE" where path.name == nil: labels.verb = "DELETECOLLECTION"
        case "PATCH" where request.contentType.hasPrefix("application/apply-patch"): labels.verb = "APPLY"
        default: break
        }
        labels.isDryRun = request.parameter("dryRun")?.isEmpty == false
        return labels
    }

    private static let knownMethods: Set = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    private static let nonResourceRoots: Set = [
        "api", "apis", "healthz", "livez", "metrics", "openapi", "readyz", "version",
    ]
    private static let knownSubresources: Set = [
        "approval", "attach", "binding", "ephemeralcontainers", "eviction", "exec", "finalize", "log", "portforward",
        "proxy", "resize", "scale", "status", "token",
    ]
    private static let connecting: Set = ["attach", "exec", "log", "portforward", "proxy"]

    /// The document at `/metrics`.
    func metricsText() -> [UInt8] {
        var text = Exposition()
        appendRequests(to: &text)
        appendObjects(to: &text)
        appendFlow(to: &text)
        ProcessMetrics.append(to: &text)
        return text.bytes + (configuration.furtherMetrics.map { Array($0().utf8) } ?? [])
    }

    private func appendRequests(to text: inout Exposition) {
        let series = metrics.requests.series.sorted { Self.isBefore($0.key, $1.key) }
        text.family(
            "apiserver_request_total", .counter,
            "Requests answered, by what they asked for and the code of the answer.")
        for (labels, series) in series {
            for (code, count) in series.codes.sorted(by: { $0.key < $1.key }) {
                text.sample("apiserver_request_total", Self.pairs(labels) + [("code", String(code))], count)
            }
        }
        text.family(
            "apiserver_request_duration_seconds", .histogram,
            "How long requests took to be answered, in seconds, by what they asked for.")
        for (labels, series) in series where series.durations.count > 0 {
            text.histogram("apiserver_request_duration_seconds", Self.pairs(labels), series.durations)
        }
        text.family(
            "apiserver_longrunning_requests", .gauge,
            "Requests that go on now: watches, logs and proxied connections.")
        for (labels, count) in metrics.longRunning.all.sorted(by: { Self.isBefore($0.key, $1.key) }) {
            text.sample(
                "apiserver_longrunning_requests", Self.pairs(labels).filter { $0.0 != "dry_run" }, count)
        }
        text.family(
            "apiserver_watch_events_total", .counter, "Events sent to watchers.")
        for (key, count) in metrics.watchEvents.all.sorted(by: { $0.key.resource < $1.key.resource }) {
            text.sample(
                "apiserver_watch_events_total",
                [("group", key.group), ("version", key.version), ("resource", key.resource)], count)
        }
    }

    private func appendObjects(to text: inout Exposition) {
        let counts = store.counts
        // What is stored under another kind's name is counted once, for the kind that owns the name.
        let rows = registry.declarations.filter { $0.storage == nil && $0.provider == nil }.map(\.resource).map {
            resource in
            (resource, counts[resource.qualifiedName] ?? 0)
        }
        text.family(
            "apiserver_resource_objects", .gauge,
            "Objects stored now.")
        for (resource, count) in rows {
            text.sample(
                "apiserver_resource_objects", [("group", resource.group), ("resource", resource.plural)], count)
        }
        text.family(
            "apiserver_storage_objects", .gauge,
            "Objects stored now.")
        for (resource, count) in rows {
            text.sample("apiserver_storage_objects", [("resource", resource.qualifiedName)], count)
        }
    }

    private func appendFlow(to text: inout Exposition) {
        let levels: [(FlowControl.Level, String)] = [(.mutating, "mutating"), (.readOnly, "readOnly")]
        text.family(
            "apiserver_current_inflight_requests", .gauge,
            "Seats that requests have now, by kind of request.")
        for (level, name) in levels {
            text.sample(
                "apiserver_current_inflight_requests", [("request_kind", name)], flow.counts(level).seatsTaken)
        }
        text.family(
            "apiserver_flowcontrol_current_inqueue_requests", .gauge,
            "Requests that wait for seats.")
        for (level, name) in levels {
            text.sample(
                "apiserver_flowcontrol_current_inqueue_requests", [("flow_schema", name), ("priority_level", name)],
                flow.counts(level).waiting)
        }
        text.family(
            "apiserver_flowcontrol_rejected_requests_total", .counter,
            "Requests that got no seat, by the reason.")
        for (level, name) in levels {
            for (reason, count) in flow.counts(level).refused.sorted(by: { $0.key < $1.key }) {
                text.sample(
                    "apiserver_flowcontrol_rejected_requests_total",
                    [("flow_schema", name), ("priority_level", name), ("reason", reason)], count)
            }
        }
    }

    private static func pairs(_ labels: RequestMetrics.Labels) -> [(String, String)] {
        [
            ("verb", labels.verb), ("dry_run", labels.isDryRun ? "All" : ""), ("group", labels.group),
            ("version", labels.version), ("resource", labels.resource), ("subresource", labels.subresource),
            ("scope", labels.scope), ("component", "apiserver"),
        ]
    }

    private static func isBefore(_ left: RequestMetrics.Labels, _ right: RequestMetrics.Labels) -> Bool {
        let order = { (labels: RequestMetrics.Labels) in
            (labels.group, labels.version, labels.resource, labels.subresource, labels.scope, labels.verb)
        }
        return order(left) < order(right) || (order(left) == order(right) && !left.isDryRun && right.isDryRun)
    }
}
