// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI
import KubeClient

/// Reads the metrics APIs, whoever serves them: `metrics.k8s.io`, `custom.metrics.k8s.io`, `external.metrics.k8s.io`.
struct ScalingMetricsReader: Sendable {
    private static let podMetrics = KubeResource(
        group: "metrics.k8s.io", version: "v1beta1", plural: "pods", kind: "PodMetrics")

    let client: KubeClient

    /// What pods use of a resource, by pod; pods of which a container says nothing are left out.
    func resource(
        _ name: String, container: String?, namespace: String, selector: String
    ) async throws(MetricFailure) -> [String: PodSample] {
        let items: [KubeObject]
        do {
            items = try await client.list(
                Self.podMetrics, namespace: namespace, selection: .init(labels: selector)
            ).items
        } catch {
            throw MetricFailure("unable to fetch metrics from resource metrics API: \(Self.text(error))")
        }
        guard !items.isEmpty else { throw MetricFailure("no metrics returned from resource metrics API") }
        return try Self.samples(items, name, container: container)
    }

    /// Sums up the containers of each pod, or takes the one that is asked for.
    static func samples(
        _ items: [KubeObject], _ name: String, container: String?
    ) throws(MetricFailure) -> [String: PodSample] {
        var result: [String: PodSample] = [:]
        for item in items {
            let containers = item["containers"].elements.filter {
                container == nil || $0["name"].string == container
            }
            if let container, containers.isEmpty {
                throw MetricFailure(
                    "container \(container) not present in metrics for pod \(item.namespace)/\(item.name)")
            }
            let amounts = containers.map { $0["usage"][name].string.flatMap(Quantity.init) }
            guard !amounts.isEmpty, !amounts.contains(nil) else { continue }
            result[item.name] = PodSample(
                value: amounts.compactMap { $0?.millis }.reduce(0) { $0.addingReportingOverflow($1).partialValue },
                timestamp: item["timestamp"].string.flatMap(Timestamp.init(rfc3339:)) ?? .now(),
                window: window(item["window"].string ?? ""))
        }
        return result
    }

    /// Go's text of a duration, such as `15s`, `1m0s`, `14.98s`; a minute where it cannot be read.
    static func window(_ text: String) -> Duration {
        var total = 0.0
        var number = ""
        var rest = text[...]
        let units = [("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)]
        while let first = rest.first {
            if first.isNumber || first == "." {
                number.append(first)
                rest = rest.dropFirst()
                continue
            }
            guard let value = Double(number), let unit = units.first(where: { rest.hasPrefix($0.0) }) else {
                return .seconds(60)
            }
            total += value * unit.1
            number = ""
            rest = rest.dropFirst(unit.0.count)
        }
        return total > 0 && number.isEmpty && total < 86_400 ? .milliseconds(Int(total * 1000)) : .seconds(60)
    }

    /// A metric of each of the selected pods, by pod.
    func pods(
        _ metric: String, metricSelector: JSONValue, namespace: String, selector: String
    ) async throws(MetricFailure) -> [String: PodSample] {
        let list = try await custom("namespaces/\(namespace)/pods/*/\(metric)", selector, metricSelector)
        var result: [String: PodSample] = [:]
        for item in list["items"].elements {
            guard let name = item["describedObject"]["name"].string,
                let value = item["value"].string.flatMap(Quantity.init)
            else { continue }
            result[name] = PodSample(
                value: value.millis,
                timestamp: item["timestamp"].string.flatMap(Timestamp.init(rfc3339:)) ?? .now(),
                window: .seconds(item["windowSeconds"].int ?? item["window"].int ?? 60))
        }
        guard !result.isEmpty else { throw MetricFailure("no metrics returned from custom metrics API") }
        return result
    }

    /// A metric of one object; `resource` is the plural and group that it is known by.
    func object(
        _ metric: String, metricSelector: JSONValue, namespace: String, resource: String, name: String
    ) async throws(MetricFailure) -> Int64 {
        let path =
            resource == "namespaces"
            ? "namespaces/\(name)/metrics/\(metric)" : "namespaces/\(namespace)/\(resource)/\(name)/\(metric)"
        let list = try await custom(path, nil, metricSelector)
        guard let value = list["items"][0]["value"].string.flatMap(Quantity.init) else {
            throw MetricFailure("no metrics returned from custom metrics API")
        }
        return value.millis
    }

    /// The sum of an external metric's values.
    func external(
        _ metric: String, metricSelector: JSONValue, namespace: String
    ) async throws(MetricFailure) -> Int64 {
        let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/\(namespace)/\(metric)"
        do {
            let selector = try LabelSelector(json: metricSelector).description
            let query = selector.isEmpty ? [] : [(name: "labelSelector", value: selector)]
            let list = try await client.call("GET", path, query: query)
            let values = list["items"].elements.compactMap { $0["value"].string.flatMap(Quantity.init)?.millis }
            guard !values.isEmpty else {
                throw MetricFailure("no metrics returned from external metrics API")
            }
            return values.reduce(0) { $0.addingReportingOverflow($1).partialValue }
        } catch let error as MetricFailure {
            throw error
        } catch {
            throw MetricFailure("unable to fetch metrics from external metrics API: \(Self.text(error))")
        }
    }

    private func custom(
        _ path: String, _ selector: String?, _ metricSelector: JSONValue
    ) async throws(MetricFailure) -> JSONValue {
        let group = "custom.metrics.k8s.io"
        do {
            var query: [(name: String, value: String)] = []
            if let selector { query.append(("labelSelector", selector)) }
            let metrics = try LabelSelector(json: metricSelector).description
            if !metrics.isEmpty { query.append(("metricLabelSelector", metrics)) }
            let known: JSONValue
            do {
                known = try await client.call("GET", "/apis/\(group)")
            } catch let error as StatusError where error.isNotFound {
                throw MetricFailure("no custom metrics API (\(group)) registered")
            }
            let version = known["preferredVersion"]["version"].string ?? "v1beta1"
            return try await client.call("GET", "/apis/\(group)/\(version)/\(path)", query: query)
        } catch {
            throw MetricFailure("unable to fetch metrics from custom metrics API: \(Self.text(error))")
        }
    }

    static func text(_ error: any Error) -> String { (error as? StatusError)?.message ?? "\(error)" }
}
