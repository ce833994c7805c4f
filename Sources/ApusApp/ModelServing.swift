// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI
package import KubeClient

/// One model as an InferenceService, for people at a terminal.
package struct ModelServing: Sendable {
    private static let resource = KubeResource(
        group: "serving.kserve.io", version: "v1beta1", plural: "inferenceservices", kind: "InferenceService")

    private let client: KubeClient
    private let namespace: String
    private let name: String

    /// - Parameters:
    ///   - client: of the cluster.
    ///   - namespace: of the InferenceService.
    ///   - name: its name.
    package init(client: KubeClient, namespace: String, name: String) {
        self.client = client
        self.namespace = namespace.isEmpty ? "default" : namespace
        self.name = name
    }

    private var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }

    /// Applies deploy/serving where the cluster has no InferenceServices.
    package func install(_ folder: () throws -> String) async throws {
        guard await !isServed("/apis/serving.kserve.io/v1beta1", "inferenceservices") else { return }
        try await Self.install(client, try folder())
    }

    /// Applies deploy/serving: the kinds first, the rest when they are served.
    package static func install(_ client: KubeClient, _ folder: String) async throws {
        let objects = try ManifestLoader.kustomization(at: folder)
        let first = objects.filter { ["CustomResourceDefinition", "Namespace"].contains($0.kind) }
        var discovery = try await ResourceDiscovery(client: client)
        for object in first {
            _ = try await client.apply(object, discovery: discovery, defaultNamespace: "default")
        }
        for object in first where object.kind == "CustomResourceDefinition" {
            let kind = object.spec["names"]["kind"].string ?? ""
            let group = object.spec["group"].string ?? ""
            // Discovery has a kind in the preferred one of its versions.
            let versions = object.spec["versions"].elements.compactMap { $0["name"].string }
            while !versions.contains(where: { version in
                (try? discovery.resource(apiVersion: "\(group)/\(version)", kind: kind)) != nil
            }) {
                try await Task.sleep(for: .milliseconds(50))
                discovery = try await ResourceDiscovery(client: client)
            }
        }
        for object in objects where !["CustomResourceDefinition", "Namespace"].contains(object.kind) {
            _ = try await client.apply(object, discovery: discovery, defaultNamespace: "default")
        }
    }

    private func isServed(_ path: String, _ plural: String) async -> Bool {
        let list = try? await client.call("GET", path)
        return list?["resources"].elements.contains { $0["name"].string == plural } ?? false
    }

    /// Declares it.
    package func apply(
        uri: String, format: String, minimum: Int, maximum: Int?, canary: Int?, tracking: String?, token: String?
    ) async throws {
        let discovery = try await ResourceDiscovery(client: client)
        var variables: [JSONValue] = []
        if let tracking { variables.append(["name": "MLFLOW_TRACKING_URI", "value": .string(tracking)]) }
        if let token {
            var secret = KubeObject(.secrets, namespace: namespace, name: "\(name)-tracking")
            secret["stringData"] = ["token": .string(token)]
            _ = try await client.apply(secret, discovery: discovery, defaultNamespace: namespace)
            variables.append([
                "name": "MLFLOW_TRACKING_TOKEN",
                "valueFrom": ["secretKeyRef": ["name": .string(secret.name), "key": "token"]],
            ])
        }
        var object = KubeObject(Self.resource, namespace: namespace, name: name)
        object.spec = [
            "predictor": [
                "minReplicas": JSONValue(minimum),
                "maxReplicas": maximum.map { JSONValue($0) } ?? (minimum == 0 ? 1 : nil),
                "canaryTrafficPercent": canary.map { JSONValue($0) } ?? nil,
                "model": [
                    "modelFormat": ["name": .string(format)], "protocolVersion": "v2", "storageUri": .string(uri),
                    "env": variables.isEmpty ? nil : .array(variables),
                ],
            ]
        ]
        _ = try await client.apply(object, discovery: discovery, defaultNamespace: namespace)
    }

    /// - Returns: the object when it is ready.
    /// - Throws: ``PlatformError`` with what it said last.
    package func waitUntilReady(_ patience: Duration) async throws -> KubeObject {
        let deadline = ContinuousClock.now + patience
        while true {
            let object = try await client.get(Self.resource, key)
            let condition = Conditions.find("Ready", in: object.status)
            let isCurrent = object.status["observedGeneration"].int ?? 0 >= object.generation
            if isCurrent, condition["status"].string == "True" { return object }
            if isCurrent, object.status["modelStatus"]["transitionStatus"].string == "InvalidSpec" {
                throw PlatformError(condition["message"].string ?? "the InferenceService \(name) cannot be used")
            }
            guard ContinuousClock.now < deadline else {
                let failed = ["PredictorReady", "IngressReady"].map { Conditions.find($0, in: object.status) }
                    .first { $0["status"].string != "True" }
                let message =
                    failed?["message"].string ?? "the operator has not looked at it: kubectl get pods -n kserve"
                throw PlatformError("the InferenceService \(name) is not ready after \(patience): \(message)")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// The address of it, and a curl line.
    package func instructions(_ object: KubeObject) async throws -> [String] {
        let url = object.status["url"].string ?? ""
        let host = url.split(separator: "/").last.map(String.init) ?? ""
        let gateway = await gatewayAddress()
        let body = await example()
        let isLocal = gateway?.hasPrefix("127.0.0.1:") == true && host.hasSuffix(".localhost")
        let port = gateway?.split(separator: ":").last.map(String.init) ?? "80"
        let base = isLocal ? "http://\(host):\(port)" : "http://\(gateway ?? host)"
        let header = isLocal || gateway == nil ? "" : " -H 'Host: \(host)'"
        return [
            "\(name) is ready: \(base)",
            "curl\(header) \(base)/v2/models/\(name)/infer -d '\(body)'",
        ]
    }

    /// HOST:PORT of the gateway as it is reached from here; nil where it is not known.
    private func gatewayAddress() async -> String? {
        let resource = KubeResource(
            group: "gateway.networking.k8s.io", version: "v1", plural: "gateways", kind: "Gateway")
        let service = try? await client.get(.services, ObjectKey(namespace: "kserve", name: "gateway"))
        if let port = service?.spec["ports"][0]["nodePort"].int { return "127.0.0.1:\(port)" }
        if let address = service?.spec["clusterIP"].string, let port = service?.spec["ports"][0]["port"].int {
            return "\(address):\(port)"
        }
        let gateway = try? await client.get(
            resource, ObjectKey(namespace: "kserve", name: "kserve-ingress-gateway"))
        guard let address = gateway?.status["addresses"][0]["value"].string else { return nil }
        return "\(address):\(gateway?.spec["listeners"][0]["port"].int ?? 80)"
    }

    /// A request with ones, as the model says what it takes.
    private func example() async -> String {
        var inputs: [JSONValue] = []
        if let metadata = await metadata() {
            for input in metadata["inputs"].elements {
                let shape = input["shape"].elements.map { max(1, $0.int ?? 1) }
                let count = min(shape.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }, 64)
                let value: JSONValue =
                    switch input["datatype"].string ?? "" {
                    case "BYTES": "a"
                    case "BOOL": true
                    default: 1
                    }
                inputs.append([
                    "name": input["name"], "datatype": input["datatype"], "shape": .array(shape.map { JSONValue($0) }),
                    "data": .array(Array(repeating: value, count: max(0, count))),
                ])
            }
        }
        if inputs.isEmpty {
            inputs = [["name": "input", "datatype": "FP32", "shape": [1, 1], "data": [1]]]
        }
        return JSONValue.object(["inputs": .array(inputs)]).text
    }

    private func metadata() async -> JSONValue? {
        guard
            let service = try? await client.get(.services, ObjectKey(namespace: namespace, name: "\(name)-predictor")),
            let address = service.spec["clusterIP"].string,
            let transport = try? HTTPTransport(Kubeconfig(server: "http://\(address)"))
        else { return nil }
        let answer = try? await KubeClient(transport: transport, userAgent: "apus-models").call(
            "GET", "/v2/models/\(name)")
        try? await transport.shutdown()
        return answer
    }
}
