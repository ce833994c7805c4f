// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What annotations of a Service say to the gateway.
package enum UpstreamAnnotations {
    /// `"true"`: without pods requests are held, and the autoscaler is told.
    package static let fromZero = "serving.apus.dev/scale-from-zero"
    /// How long a request is held at most, such as `60s`.
    package static let patience = "serving.apus.dev/hold-timeout"
    /// How many are held at most.
    package static let held = "serving.apus.dev/hold-requests"
    /// Path that a new pod is asked for until it answers 200.
    package static let readyPath = "serving.apus.dev/ready-path"
    /// Requests at a time for one pod.
    package static let concurrency = "serving.apus.dev/container-concurrency"
    /// Whose numbers its activity is.
    package static let revision = "serving.apus.dev/revision"
}

extension TranslationWork {
    /// Puts a Service's port and its pods into the snapshot.
    mutating func addUpstream(_ id: UpstreamID, isGRPC: Bool) {
        guard result.snapshot.upstreams[id] == nil else {
            if isGRPC { result.snapshot.upstreams[id]?.isHTTP2 = true }
            return
        }
        let key = ObjectKey(namespace: id.namespace, name: id.service)
        guard let service = objects.services[key],
            let port = service.spec["ports"].elements.first(where: { $0["port"].int == id.port })
        else { return }
        let notes = service.annotations
        var rules = UpstreamRules()
        rules.isHTTP2 = isGRPC || Self.isHTTP2(port)
        rules.concurrency = notes[UpstreamAnnotations.concurrency].flatMap { Int($0) }.map { max(0, $0) } ?? 0
        rules.revision = notes[UpstreamAnnotations.revision] ?? ""
        if notes[UpstreamAnnotations.fromZero] == "true" {
            var activation = ActivationRules()
            if let time = Self.duration(notes[UpstreamAnnotations.patience]) { activation.patience = time }
            if let count = notes[UpstreamAnnotations.held].flatMap({ Int($0) }), count >= 0 {
                activation.maximumHeld = count
            }
            if let path = notes[UpstreamAnnotations.readyPath], path.hasPrefix("/") { activation.readyPath = path }
            rules.activation = activation
        }
        rules.tls = transportSecurity(of: key, portName: port["name"].string ?? "")
        rules.endpoints = endpoints(key, portName: port["name"].string ?? "")
        result.snapshot.upstreams[id] = rules
    }

    /// Whether pods are spoken to in HTTP/2 without TLS: by `appProtocol`, else by the port's name.
    private static func isHTTP2(_ port: JSONValue) -> Bool {
        if let kind = port["appProtocol"].string { return ["kubernetes.io/h2c", "h2c", "grpc"].contains(kind) }
        let name = port["name"].string ?? ""
        return ["h2c", "grpc", "http2"].contains { name == $0 || name.hasPrefix($0 + "-") }
    }

    /// The pods of a Service, those that are not ready too, each once, in the order of their addresses.
    private func endpoints(_ service: ObjectKey, portName: String) -> [UpstreamEndpoint] {
        var found: [UpstreamEndpoint] = []
        var known: [String: Int] = [:]
        for slice in slices[service] ?? [] {
            guard
                let port = slice["ports"].elements.first(where: { ($0["name"].string ?? "") == portName })?["port"].int
            else { continue }
            for endpoint in slice["endpoints"].elements {
                let conditions = endpoint["conditions"]
                let isReady = conditions["ready"].bool ?? true
                guard isReady || conditions["terminating"].bool != true,
                    let address = endpoint["addresses"][0].string
                else { continue }
                let place = "\(address) \(port)"
                if let index = known[place] {
                    // In two slices for a moment.
                    if isReady { found[index].isReady = true }
                    continue
                }
                known[place] = found.count
                found.append(UpstreamEndpoint(address: address, port: port, isReady: isReady))
            }
        }
        return found.sorted { ($0.address, $0.port) < ($1.address, $1.port) }
    }
}

/// BackendTLSPolicy: how pods of a Service are spoken to in TLS.
extension TranslationWork {
    private func transportSecurity(of service: ObjectKey, portName: String) -> UpstreamTLS? {
        let found = objects.backendPolicies.filter { policy in
            policy.namespace == service.namespace && !policy.isBeingDeleted
                && policy.spec["targetRefs"].elements.contains {
                    $0["kind"].string == "Service" && $0["name"].string == service.name
                        && ($0["sectionName"].string ?? portName) == portName
                }
        }
        guard let policy = found.min(by: Self.isOlder) else { return nil }
        let validation = policy.spec["validation"]
        // A policy that cannot be used must not open the way without TLS: nothing is trusted then.
        let authority: String?
        do throws(ReferenceFault) {
            authority = try self.authority(of: policy)
        } catch {
            authority = ""
        }
        return UpstreamTLS(
            authority: authority, hostname: validation["hostname"].string ?? service.name,
            certificate: gateways.compactMap(clientCertificate).first)
    }

    /// Of whom certificates of pods must be; nil: the system's authorities.
    private func authority(of policy: KubeObject) throws(ReferenceFault) -> String? {
        let validation = policy.spec["validation"]
        let references = validation["caCertificateRefs"].elements
        guard !references.isEmpty else {
            guard validation["wellKnownCACertificates"].string == "System" else {
                throw ReferenceFault("Invalid", "validation needs caCertificateRefs or wellKnownCACertificates: System")
            }
            return nil
        }
        return try authorities(validation["caCertificateRefs"], of: policy)
    }

    /// What a Gateway shows to pods (spec.tls.backend.clientCertificateRef).
    private func clientCertificate(_ gateway: GatewayWork) -> ListenerRules.Certificate? {
        let reference = gateway.object.spec["tls"]["backend"]["clientCertificateRef"]
        guard !reference.isNull else { return nil }
        return try? certificate(["certificateRefs": [reference]], of: gateway.object)
    }

    mutating func reportBackendPolicies() {
        for policy in objects.backendPolicies where !policy.isBeingDeleted {
            var conditions = ConditionList(generation: policy.generation)
            do throws(ReferenceFault) {
                _ = try authority(of: policy)
                conditions.set("Accepted", true, "Accepted")
                conditions.set("ResolvedRefs", true, "ResolvedRefs")
            } catch {
                conditions.set("Accepted", false, "NoValidCACertificate", error.message)
                conditions.set("ResolvedRefs", false, error.reason, error.message)
            }
            let mine = gateways.map { gateway -> JSONValue in
                [
                    "ancestorRef": [
                        "group": .string(GatewayObjects.group), "kind": "Gateway",
                        "name": .string(gateway.object.name), "namespace": .string(gateway.object.namespace),
                    ], "controllerName": .string(settings.controllerName), "conditions": .array(conditions.json),
                ]
            }
            let others = policy.status["ancestors"].elements.filter {
                $0["controllerName"].string != settings.controllerName
            }
            report(policy, ["ancestors": .array(others + mine)])
        }
    }
}
