// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI
package import KubeClient
import Synchronization

/// Writes core/v1 Events about objects; repeated ones raise the count of the first, as upstream's recorder does.
package final class EventRecorder: Sendable {
    private struct Series {
        var name: String
        var count: Int
        var first: Timestamp
    }

    private let client: KubeClient
    private let component: String
    private let host: String
    private let series = Mutex<[String: Series]>([:])

    /// - Parameters:
    ///   - client: writes the events.
    ///   - component: reported as `source.component`, such as `deployment-controller`.
    ///   - host: reported as `source.host`; the node's name for a node agent.
    package init(client: KubeClient, component: String, host: String = "") {
        self.client = client
        self.component = component
        self.host = host
    }

    /// Writes `Normal`.
    package func normal(_ object: KubeObject, reason: String, _ message: String, fieldPath: String = "") async {
        await record(object.objectReference, type: "Normal", reason: reason, message, fieldPath: fieldPath)
    }

    /// Writes `Warning`.
    package func warning(_ object: KubeObject, reason: String, _ message: String, fieldPath: String = "") async {
        await record(object.objectReference, type: "Warning", reason: reason, message, fieldPath: fieldPath)
    }

    private func record(
        _ reference: JSONValue, type: String, reason: String, _ message: String, fieldPath: String
    ) async {
        let now = Timestamp.now()
        var involved = reference
        if !fieldPath.isEmpty { involved["fieldPath"] = .string(fieldPath) }
        let id = [reference["uid"].string ?? reference["name"].string ?? "", fieldPath, reason, message]
            .joined(separator: "\u{0}")
        let namespace = reference["namespace"].string ?? "default"
        let fresh = "\(reference["name"].string ?? "").\(String(now.nanoseconds, radix: 16))"
        let entry = series.withLock { series in
            if series.count > 4096 { series.removeAll() }
            var entry = series[id] ?? Series(name: fresh, count: 0, first: now)
            entry.count += 1
            series[id] = entry
            return entry
        }
        if entry.count > 1 {
            let key = ObjectKey(namespace: namespace, name: entry.name)
            let change: JSONValue = ["count": JSONValue(entry.count), "lastTimestamp": .string(now.rfc3339)]
            if (try? await client.patch(.events, key, .merge, change)) != nil { return }
        }
        var event = KubeObject(.events, namespace: namespace, name: entry.name)
        event["involvedObject"] = involved
        event["reason"] = .string(reason)
        event["message"] = .string(String(message.prefix(1024)))
        event["type"] = .string(type)
        event["count"] = JSONValue(entry.count)
        event["firstTimestamp"] = .string(entry.first.rfc3339)
        event["lastTimestamp"] = .string(now.rfc3339)
        event["source"] = ["component": .string(component), "host": host.isEmpty ? nil : .string(host)]
        event["reportingComponent"] = .string(component)
        event["reportingInstance"] = .string(host)
        // Events are told on a best-effort basis: what they are about has happened already.
        _ = try? await client.create(.events, event)
    }
}
