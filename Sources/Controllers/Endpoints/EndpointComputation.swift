// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// A pod behind a service.
struct ServiceEndpoint: Hashable, Sendable {
    var address: String
    var isReady: Bool
    var isServing: Bool
    var isTerminating: Bool
    var nodeName: String
    var hostname: String
    var podNamespace: String
    var podName: String
    var podUID: String

    /// As discovery/v1 Endpoint.
    var sliceJSON: JSONValue {
        [
            "addresses": [.string(address)],
            "conditions": [
                "ready": .bool(isReady), "serving": .bool(isServing), "terminating": .bool(isTerminating),
            ],
            "hostname": hostname.isEmpty ? nil : .string(hostname),
            "nodeName": nodeName.isEmpty ? nil : .string(nodeName),
            "targetRef": target,
        ]
    }

    /// As core/v1 EndpointAddress.
    var addressJSON: JSONValue {
        [
            "ip": .string(address), "hostname": hostname.isEmpty ? nil : .string(hostname),
            "nodeName": nodeName.isEmpty ? nil : .string(nodeName), "targetRef": target,
        ]
    }

    private var target: JSONValue {
        [
            "kind": "Pod", "namespace": .string(podNamespace), "name": .string(podName),
            "uid": .string(podUID),
        ]
    }
}

/// Computes which pods are behind a service, and on which ports.
struct EndpointComputation: Sendable {
    /// Endpoints by the ports they serve; pods that resolve a named port differently are apart.
    private(set) var groups: [[JSONValue]: [ServiceEndpoint]] = [:]

    init(service: KubeObject, pods: [KubeObject]) {
        let selector = LabelSelector(matchLabels: service.spec["selector"].stringMembers)
        let includesUnready = service.spec["publishNotReadyAddresses"].bool ?? false
        for pod in pods where selector.matches(pod.labels) && !pod.isFinishedPod {
            let address = pod.status["podIP"].string ?? ""
            guard !address.isEmpty, !address.contains(":") else { continue }
            let isServing = pod.isReadyPod
            let isHost = pod.spec["subdomain"].string == service.name
            let endpoint = ServiceEndpoint(
                address: address, isReady: includesUnready || (isServing && !pod.isBeingDeleted),
                isServing: isServing, isTerminating: pod.isBeingDeleted, nodeName: pod.nodeName,
                hostname: isHost ? pod.spec["hostname"].string ?? "" : "", podNamespace: pod.namespace,
                podName: pod.name, podUID: pod.uid)
            groups[Self.ports(service, pod: pod), default: []].append(endpoint)
        }
        for (ports, endpoints) in groups { groups[ports] = endpoints.sorted { $0.podName < $1.podName } }
    }

    /// The ports of a service as one pod serves them; named target ports that the pod lacks are left out.
    static func ports(_ service: KubeObject, pod: KubeObject) -> [JSONValue] {
        service.spec["ports"].elements.compactMap { port in
            guard let number = targetPort(port, pod: pod) else { return nil }
            return [
                "name": .string(port["name"].string ?? ""), "port": JSONValue(number),
                "protocol": .string(port["protocol"].string ?? "TCP"), "appProtocol": port["appProtocol"],
            ]
        }
    }

    private static func targetPort(_ port: JSONValue, pod: KubeObject) -> Int? {
        let target = port["targetPort"]
        if let number = target.int, number > 0 { return number }
        guard let name = target.string, !name.isEmpty else { return port["port"].int }
        if let number = Int(name) { return number }
        let containers = pod.spec["containers"].elements + pod.spec["initContainers"].elements.filter(isSidecar)
        for container in containers {
            for candidate in container["ports"].elements
            where candidate["name"].string == name
                && (candidate["protocol"].string ?? "TCP") == (port["protocol"].string ?? "TCP")
            {
                return candidate["containerPort"].int
            }
        }
        return nil
    }

    private static func isSidecar(_ container: JSONValue) -> Bool { container["restartPolicy"].string == "Always" }

    /// The subsets of the legacy Endpoints object.
    ///
    /// `includesUnready`: `publishNotReadyAddresses`; otherwise pods being deleted are left out.
    func subsets(includesUnready: Bool) -> [JSONValue] {
        groups.sorted { JSONValue.array($0.key).text < JSONValue.array($1.key).text }.compactMap { ports, endpoints in
            let present = endpoints.filter { includesUnready || !$0.isTerminating }.sorted { $0.address < $1.address }
            guard !present.isEmpty, !ports.isEmpty else { return nil }
            func list(_ endpoints: [ServiceEndpoint]) -> JSONValue {
                endpoints.isEmpty ? .null : .array(endpoints.prefix(1000).map(\.addressJSON))
            }
            return [
                "addresses": list(present.filter(\.isReady)),
                "notReadyAddresses": list(present.filter { !$0.isReady }),
                "ports": .array(
                    ports.map { port in
                        var port = port
                        if port["name"].string == "" { port["name"] = .null }
                        return port
                    }),
            ]
        }
    }
}
