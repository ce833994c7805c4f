// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// What pods of a component are made of, without what differs between its revisions.
///
/// The operator's own parts go where a runtime or a container says nothing: ports, a readiness probe, `STORAGE_URI` (where
/// the model is), `INFERENCE_SERVICE_NAME`, `POD_IP`, and the model server's options as `APUS_…`.
package struct PodTemplate: Sendable, Hashable {
    package var spec: JSONValue
    package var labels: [String: String]
    package var annotations: [String: String]
    /// Container ports that the Service leads to.
    package var restPort: Int
    /// Nil: no gRPC.
    package var grpcPort: Int?
    /// Asked by the gateway at pods that have just begun.
    package var readyPath: String

    /// Tells one revision from another; equal for equal pods.
    package var digest: String {
        Digest.of([
            "spec": spec, "labels": JSONValue(labels), "annotations": JSONValue(annotations),
            "ports": [JSONValue(restPort), grpcPort.map { JSONValue($0) } ?? .null],
        ])
    }
}

/// A short text of a JSON value: equal values have equal ones (FNV-1a, 64 bit).
package enum Digest {
    package static func of(_ value: JSONValue) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in value.encoded { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 36)
    }
}

extension PodTemplate {
    /// What a component's pods need to know of the rest.
    package struct Surroundings: Sendable, Hashable {
        /// Host and port by which a transformer or explainer reaches the predictor.
        package var predictorHost: String?
        /// `v1`, `v2`.
        package var predictorProtocol = "v1"
        /// Added to the main container's environment where it does not say otherwise: credentials by KServe's Secrets.
        package var environment: [JSONValue] = []
        /// Name of the ConfigMap with models.json, of a server of several models.
        package var modelsMap: String?

        package init() {}
    }

    /// Pods of a component.
    ///
    /// - Parameters:
    ///   - component: what is declared.
    ///   - kind: which component it is.
    ///   - runtime: serves its model; nil for containers of its own.
    ///   - service: whose component it is.
    ///   - surroundings: the rest.
    /// - Returns: the template.
    /// - Throws: ``SpecFault`` where the pod cannot be put together.
    package static func make(
        _ component: ComponentSpec, _ kind: ServingComponent, runtime: ServingRuntimeSpec?, of service: ServingSpec,
        _ surroundings: Surroundings
    ) throws(SpecFault) -> PodTemplate {
        var pod: JSONValue = runtime?.podSpec ?? [:]
        pod = try merge(component.podSpec, into: pod)
        if let model = component.model {
            var container = model.container
            container["name"] = .string(ServingNames.container)
            // What is declared in arguments is added to the runtime's.
            let extra = container["args"].elements
            container["args"] = .null
            pod = try merge(["containers": [container]], into: pod)
            if !extra.isEmpty {
                let index = try mainIndex(pod)
                pod["containers"][index]["args"] = .array(pod["containers"][index]["args"].elements + extra)
            }
            if let version = model.runtimeVersion { try setTag(version, in: &pod) }
        }
        let index = try mainIndex(pod)
        var main = pod["containers"][index]
        let places = Placeholders(service)
        main["args"] = places.fill(main["args"])
        main["env"] = places.fill(main["env"])
        main["command"] = places.fill(main["command"])
        let (rest, grpc) = addPorts(to: &main, hasModel: component.model != nil)
        let readyPath = addProbe(to: &main, port: rest, hasModel: component.model != nil)
        addEnvironment(to: &main, component, service, surroundings)
        addPeers(to: &main, kind, service, surroundings)
        if let map = surroundings.modelsMap { addModels(map, to: &pod, &main) }
        if let uri = component.model?.uri { try addClaim(of: uri, to: &pod, &main) }
        var containers = pod["containers"].elements
        containers[index] = main
        pod["containers"] = .array(containers)
        if pod["terminationGracePeriodSeconds"].isNull { pod["terminationGracePeriodSeconds"] = 30 }
        var labels = runtime?.labels ?? [:]
        labels.merge(component.labels) { $1 }
        var annotations = runtime?.annotations ?? [:]
        annotations.merge(component.annotations) { $1 }
        return PodTemplate(
            spec: pod, labels: labels, annotations: annotations, restPort: rest, grpcPort: grpc, readyPath: readyPath)
    }

    private static func fault(_ text: String) -> SpecFault { SpecFault(reason: "InvalidPredictorSpec", text) }

    /// As `kubectl apply` of the second over the first: lists by their keys.
    private static func merge(_ patch: JSONValue, into pod: JSONValue) throws(SpecFault) -> JSONValue {
        guard let type = Schema.builtIn.type(named: "core.v1.PodSpec") else { return MergePatch.apply(patch, to: pod) }
        do {
            return try StrategicMergePatch.apply(patch, to: pod, type: type)
        } catch {
            throw fault("the pod cannot be put together: \(error)")
        }
    }

    /// Of `kserve-container`, or of the only one.
    private static func mainIndex(_ pod: JSONValue) throws(SpecFault) -> Int {
        let containers = pod["containers"].elements
        if let index = containers.firstIndex(where: { $0["name"].string == ServingNames.container }) { return index }
        guard containers.count == 1 else {
            throw fault("there are \(containers.count) containers, and none is called \(ServingNames.container)")
        }
        return 0
    }

    private static func setTag(_ tag: String, in pod: inout JSONValue) throws(SpecFault) {
        let index = try mainIndex(pod)
        guard let image = pod["containers"][index]["image"].string else { return }
        let slash = image.lastIndex(of: "/") ?? image.startIndex
        let end = image[slash...].lastIndex { $0 == ":" || $0 == "@" } ?? image.endIndex
        pod["containers"][index]["image"] = .string("\(image[..<end]):\(tag)")
    }

    /// The ports that it has, or 8080 and, of a model, 8081.
    private static func addPorts(to main: inout JSONValue, hasModel: Bool) -> (rest: Int, grpc: Int?) {
        var declared = main["ports"].elements
        if declared.isEmpty {
            declared = [["name": "http", "containerPort": JSONValue(ServingNames.restPort), "protocol": "TCP"]]
            if hasModel {
                declared.append(
                    ["name": "grpc", "containerPort": JSONValue(ServingNames.grpcPort), "protocol": "TCP"])
            }
            main["ports"] = .array(declared)
        }
        let isGRPC = { (port: JSONValue) in
            ["grpc", "h2c", "grpc-port"].contains(port["name"].string ?? "") || port["containerPort"].int == 9000
        }
        let rest = declared.first { !isGRPC($0) }?["containerPort"].int
        let grpc = declared.first(where: isGRPC)?["containerPort"].int
        return (rest ?? grpc ?? ServingNames.restPort, grpc)
    }

    private static func addProbe(to main: inout JSONValue, port: Int, hasModel: Bool) -> String {
        if main["readinessProbe"].isNull {
            main["readinessProbe"] =
                hasModel
                ? ["httpGet": ["path": "/v2/health/ready", "port": JSONValue(port)], "periodSeconds": 1]
                : ["tcpSocket": ["port": JSONValue(port)], "periodSeconds": 1]
        }
        return main["readinessProbe"]["httpGet"]["path"].string ?? (hasModel ? "/v2/health/ready" : "/")
    }

    private static func addEnvironment(
        to main: inout JSONValue, _ component: ComponentSpec, _ service: ServingSpec, _ surroundings: Surroundings
    ) {
        var added: [JSONValue] = [
            ["name": "INFERENCE_SERVICE_NAME", "value": .string(service.name)],
            ["name": "POD_IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]],
        ]
        if let uri = component.model?.uri { added.append(["name": "STORAGE_URI", "value": .string(uri)]) }
        added += ServerOptions.environment(component, of: service)
        added += surroundings.environment
        let present = main["env"].elements
        let names = Set(present.compactMap { $0["name"].string })
        main["env"] = .array(added.filter { !names.contains($0["name"].string ?? "") } + present)
    }

    /// KServe's arguments of transformers and explainers.
    private static func addPeers(
        to main: inout JSONValue, _ kind: ServingComponent, _ service: ServingSpec, _ surroundings: Surroundings
    ) {
        guard kind != .predictor, let host = surroundings.predictorHost else { return }
        var arguments = main["args"].elements
        let given = arguments.compactMap(\.string)
        for (option, value) in [
            ("--model_name", service.name), ("--predictor_host", host),
            ("--predictor_protocol", surroundings.predictorProtocol),
        ] where !given.contains(where: { $0 == option || $0.hasPrefix("\(option)=") }) {
            arguments += [.string(option), .string(value)]
        }
        main["args"] = .array(arguments)
    }

    /// The claim of `pvc://CLAIM/PATH`, where KServe has it. Source: kserve/kserve, pkg/webhook/admission/pod,
    /// storage initializer.
    private static func addClaim(
        of uri: String, to pod: inout JSONValue, _ main: inout JSONValue
    ) throws(SpecFault) {
        let scheme = "pvc://"
        guard uri.lowercased().hasPrefix(scheme) else { return }
        let claim = String(uri.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "#" })
        guard !claim.isEmpty else { throw fault("storageUri '\(uri.prefix(200))' must be pvc://CLAIM/PATH") }
        let volumes = pod["volumes"].elements
        // A runtime or a model may have it mounted itself.
        let present = volumes.first { $0["persistentVolumeClaim"]["claimName"].string == claim }
        let name = present?["name"].string ?? "kserve-pvc-source"
        if present == nil {
            let volume: JSONValue = [
                "name": .string(name), "persistentVolumeClaim": ["claimName": .string(claim), "readOnly": true],
            ]
            pod["volumes"] = .array(volumes.filter { $0["name"].string != name } + [volume])
        }
        let mounts = main["volumeMounts"].elements
        guard !mounts.contains(where: { $0["name"].string == name }) else { return }
        main["volumeMounts"] = .array(
            mounts + [["name": .string(name), "mountPath": "/mnt/pvc", "readOnly": true]])
    }

    private static func addModels(_ map: String, to pod: inout JSONValue, _ main: inout JSONValue) {
        // Where nothing can be mounted the server finds a volume by the last part of its path.
        let volume: JSONValue = ["name": "configs", "configMap": ["name": .string(map)]]
        pod["volumes"] = .array(pod["volumes"].elements.filter { $0["name"] != volume["name"] } + [volume])
        let mount: JSONValue = ["name": "configs", "mountPath": "/mnt/configs", "readOnly": true]
        main["volumeMounts"] = .array(
            main["volumeMounts"].elements.filter { $0["name"] != mount["name"] } + [mount])
    }
}

/// Options of `apus serve inference` that stand for what KServe's agent does beside a model server.
enum ServerOptions {
    static func environment(_ component: ComponentSpec, of service: ServingSpec) -> [JSONValue] {
        var variables: [(String, String)] = []
        if let batching = component.batching {
            variables.append(("APUS_BATCH_SIZE", String(batching.maximum ?? 32)))
            let latency = batching.latency ?? .milliseconds(5000)
            variables.append(("APUS_BATCH_DELAY", String(Int(latency / .milliseconds(1)))))
            if let timeout = batching.timeout {
                variables.append(("APUS_QUEUE_TIMEOUT", String(Int(timeout / .milliseconds(1)))))
            }
        }
        if let logging = component.logging {
            variables.append(("APUS_PAYLOAD_LOG_URL", logging.url))
            variables.append(("APUS_PAYLOAD_LOG_MODE", logging.mode.rawValue))
            variables.append(("APUS_PAYLOAD_LOG_SERVICE", "\(service.namespace)/\(service.name)"))
        }
        return variables.map { ["name": .string($0.0), "value": .string($0.1)] }
    }
}

/// `{{.Name}}`, `{{.Namespace}}`, `{{.Labels.X}}`, `{{.Annotations.X}}` in what a runtime says.
struct Placeholders {
    private let service: ServingSpec

    init(_ service: ServingSpec) { self.service = service }

    func fill(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): .string(fill(text))
        case .array(let elements): .array(elements.map(fill))
        case .object(let members): .object(members.mapValues(fill))
        default: value
        }
    }

    private func fill(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "{{") {
            guard let end = rest[start.upperBound...].firstRange(of: "}}") else { break }
            result += rest[..<start.lowerBound]
            let inside = rest[start.upperBound..<end.lowerBound].filter { $0 != " " }
            result += value(String(inside)) ?? String(rest[start.lowerBound..<end.upperBound])
            rest = rest[end.upperBound...]
        }
        return result + rest
    }

    private func value(_ name: String) -> String? {
        switch name {
        case ".Name": service.name
        case ".Namespace": service.namespace
        case _ where name.hasPrefix(".Labels."): service.labels[String(name.dropFirst(8))] ?? ""
        case _ where name.hasPrefix(".Annotations."): service.annotations[String(name.dropFirst(13))] ?? ""
        default: nil
        }
    }
}
