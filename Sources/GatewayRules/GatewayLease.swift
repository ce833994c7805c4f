// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// How a running gateway says where its activity is told: a Lease that it renews, by which autoscalers find it.
package enum GatewayLease {
    package static let resource = KubeResource.leases
    /// Of all such Leases.
    package static let label = "serving.apus.dev/role=gateway"
    /// Its admin address, such as `http://10.1.2.3:8081`.
    package static let annotation = "serving.apus.dev/activity"
    /// Without being renewed it counts for so long.
    package static let duration: Duration = .seconds(30)

    /// The Lease of a gateway.
    /// - Parameters:
    ///   - key: where; one a gateway.
    ///   - address: its admin address.
    ///   - now: the time of renewal.
    /// - Returns: to be applied.
    package static func object(_ key: ObjectKey, address: String, now: Timestamp) -> KubeObject {
        var lease = KubeObject(resource, namespace: key.namespace, name: key.name)
        lease.labels = ["serving.apus.dev/role": "gateway"]
        lease.annotations = [annotation: address]
        lease.spec = [
            "holderIdentity": .string(key.name), "renewTime": .string(now.rfc3339Micro),
            "leaseDurationSeconds": JSONValue(Int(duration / .seconds(1))),
        ]
        return lease
    }

    /// The admin address of a gateway that still runs.
    package static func address(_ lease: KubeObject, now: Timestamp) -> String? {
        guard let renewed = lease.spec["renewTime"].string.flatMap(Timestamp.init(rfc3339:)), renewed + duration > now
        else { return nil }
        return lease.annotations[annotation]
    }
}
