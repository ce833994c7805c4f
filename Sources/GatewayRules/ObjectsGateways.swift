// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// One listener of a Gateway, and what is found out about it.
struct ListenerWork {
    var name: String
    /// Lower case, empty: any host.
    var host: String
    /// As declared, and as bound.
    var port: Int
    var boundPort: Int
    var isTLS: Bool
    /// HTTPRoute, GRPCRoute.
    var kinds: Set<String>
    var json: JSONValue
    var certificate: ListenerRules.Certificate?
    var rules: [RouteRule] = []
    var attached = 0
    /// Reason and message; nil: the condition is as it should be.
    var refused: (reason: String, message: String)?
    var conflict: (reason: String, message: String)?
    var unresolved: (reason: String, message: String)?

    /// Whether requests are taken.
    var isServed: Bool { refused == nil && conflict == nil && (!isTLS || certificate != nil) }
}

/// One Gateway of this controller.
struct GatewayWork {
    var object: KubeObject
    var addresses: [String]
    var published: [JSONValue]
    var refused: (reason: String, message: String)?
    var clientAuthority: String?
    var listeners: [ListenerWork]
}

extension TranslationWork {
    static let routeKinds = ["HTTPRoute", "GRPCRoute"]

    /// Names of the classes that are this controller's; nil: there are no classes (objects of a file), all gateways are.
    private var classNames: Set<String>? {
        guard !objects.classes.isEmpty else { return nil }
        return Set(
            objects.classes.filter { $0.spec["controllerName"].string == settings.controllerName }.map(\.name))
    }

    mutating func readGateways() {
        let names = classNames
        for gateway in objects.gateways.sorted(by: Self.isOlder) where !gateway.isBeingDeleted {
            if let names, !names.contains(gateway.spec["gatewayClassName"].string ?? "") { continue }
            gateways.append(read(gateway))
        }
        findConflicts()
    }

    private func read(_ gateway: KubeObject) -> GatewayWork {
        var work = GatewayWork(
            object: gateway, addresses: [settings.address],
            published: settings.published.map { ["type": "IPAddress", "value": .string($0)] }, listeners: [])
        let wanted = gateway.spec["addresses"].elements
        if !wanted.isEmpty {
            let texts = wanted.filter { ($0["type"].string ?? "IPAddress") == "IPAddress" }
                .compactMap(\.["value"].string)
            if texts.count == wanted.count {
                work.addresses = texts
                work.published = texts.map { ["type": "IPAddress", "value": .string($0)] }
            } else {
                work.refused = ("UnsupportedAddress", "spec.addresses: only type IPAddress with a value is supported")
            }
        }
        let frontend = gateway.spec["tls"]["frontend"]
        // What is not understood must not open the way.
        if !frontend["perPort"].isEmpty {
            work.refused = ("Invalid", "spec.tls.frontend.perPort is not supported: use spec.tls.frontend.default")
        }
        let validation = frontend["default"]["validation"]
        if (validation["mode"].string ?? "AllowValidOnly") != "AllowValidOnly" {
            work.refused = ("Invalid", "spec.tls.frontend.default.validation.mode must be AllowValidOnly")
        }
        if !validation.isNull {
            do throws(ReferenceFault) {
                work.clientAuthority = try authorities(validation["caCertificateRefs"], of: gateway)
            } catch {
                work.refused = ("Invalid", "spec.tls.frontend.default.validation: \(error.message)")
            }
        }
        work.listeners = gateway.spec["listeners"].elements.map { read($0, of: gateway) }
        return work
    }

    private func read(_ json: JSONValue, of gateway: KubeObject) -> ListenerWork {
        let port = json["port"].int ?? 0
        let name = json["protocol"].string ?? ""
        var listener = ListenerWork(
            name: json["name"].string ?? "", host: (json["hostname"].string ?? "").lowercased(), port: port,
            boundPort: settings.ports[port] ?? port, isTLS: name == "HTTPS", kinds: Set(Self.routeKinds), json: json)
        let asked = json["allowedRoutes"]["kinds"].elements
        if !asked.isEmpty {
            let known = asked.filter {
                ($0["group"].string ?? GatewayObjects.group) == GatewayObjects.group
                    && Self.routeKinds.contains($0["kind"].string ?? "")
            }
            listener.kinds = Set(known.compactMap(\.["kind"].string))
            if known.count != asked.count {
                listener.unresolved = (
                    "InvalidRouteKinds", "allowedRoutes.kinds: only HTTPRoute and GRPCRoute are supported"
                )
            }
        }
        guard name == "HTTP" || name == "HTTPS" else {
            listener.refused = ("UnsupportedProtocol", "protocol \(name) is not supported: HTTP and HTTPS are")
            listener.kinds = []
            return listener
        }
        guard (1...65535).contains(listener.boundPort) else {
            listener.refused = ("PortUnavailable", "port \(port) is not between 1 and 65535")
            return listener
        }
        if listener.isTLS {
            do throws(ReferenceFault) {
                listener.certificate = try certificate(json["tls"], of: gateway)
            } catch {
                listener.unresolved = (error.reason, error.message)
            }
        }
        return listener
    }

    /// The first certificate that a listener refers to.
    func certificate(
        _ tls: JSONValue, of gateway: KubeObject
    ) throws(ReferenceFault) -> ListenerRules.Certificate {
        guard (tls["mode"].string ?? "Terminate") == "Terminate" else {
            throw ReferenceFault("InvalidCertificateRef", "tls.mode must be Terminate with protocol HTTPS")
        }
        guard let reference = tls["certificateRefs"].elements.first else {
            throw ReferenceFault("InvalidCertificateRef", "tls.certificateRefs names no Secret")
        }
        let secret = try referred(reference, kinds: ["Secret"], of: gateway, objects.secrets)
        guard let chain = Self.text(secret, "tls.crt"), let key = Self.text(secret, "tls.key"),
            chain.contains("-----BEGIN CERTIFICATE-----"), key.contains("-----BEGIN ")
        else {
            throw ReferenceFault(
                "InvalidCertificateRef", "Secret \(secret.key) has no PEM in tls.crt and tls.key")
        }
        return ListenerRules.Certificate(chain: chain, key: key)
    }

    func authorities(_ references: JSONValue, of gateway: KubeObject) throws(ReferenceFault) -> String {
        var text = ""
        for reference in references.elements {
            let isSecret = reference["kind"].string == "Secret"
            let holder = try referred(
                reference, kinds: ["ConfigMap", "Secret"], of: gateway,
                isSecret ? objects.secrets : objects.configMaps)
            guard let found = Self.text(holder, "ca.crt"), found.contains("-----BEGIN CERTIFICATE-----") else {
                throw ReferenceFault("InvalidCACertificateRef", "\(holder.kind) \(holder.key) has no PEM in ca.crt")
            }
            text += found.hasSuffix("\n") ? found : found + "\n"
        }
        guard !text.isEmpty else {
            throw ReferenceFault("InvalidCACertificateRef", "caCertificateRefs names nothing")
        }
        return text
    }

    private func referred(
        _ reference: JSONValue, kinds: [String], of gateway: KubeObject, _ known: [ObjectKey: KubeObject]
    ) throws(ReferenceFault) -> KubeObject {
        let kind = reference["kind"].string ?? "Secret"
        guard (reference["group"].string ?? "").isEmpty, kinds.contains(kind) else {
            throw ReferenceFault(
                "InvalidCertificateRef", "a reference to \(kind) is not supported: \(kinds.joined(separator: ", "))")
        }
        let key = ObjectKey(
            namespace: reference["namespace"].string ?? gateway.namespace, name: reference["name"].string ?? "")
        guard isGranted(from: gateway, toGroup: "", kind: kind, key) else {
            throw ReferenceFault("RefNotPermitted", "no ReferenceGrant in \(key.namespace) permits \(kind) \(key)")
        }
        guard let object = known[key] else {
            throw ReferenceFault("InvalidCertificateRef", "\(kind) \(key) is not there")
        }
        return object
    }

    /// A value of a Secret or ConfigMap.
    static func text(_ object: KubeObject, _ name: String) -> String? {
        if let plain = object["stringData"][name].string { return plain }
        guard let value = object["data"][name].string else { return nil }
        guard object.kind != "ConfigMap" else { return value }
        return (try? Base64.decode(value).get()).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Listeners that cannot be at one port together: another protocol, or the same host. In a Gateway all of them are
    /// in conflict; between gateways the older wins.
    private mutating func findConflicts() {
        var protocols: [String: Bool] = [:]
        var hosts: Set<String> = []
        for index in gateways.indices where gateways[index].refused == nil {
            let places = gateways[index].addresses
            let listeners = gateways[index].listeners
            for (number, listener) in listeners.enumerated() where listener.refused == nil {
                let others = listeners.enumerated().filter {
                    $0.offset != number && $0.element.boundPort == listener.boundPort && $0.element.refused == nil
                }.map(\.element)
                if others.contains(where: { $0.isTLS != listener.isTLS })
                    || places.contains(where: { protocols["\($0) \(listener.boundPort)"] == !listener.isTLS })
                {
                    gateways[index].listeners[number].conflict = (
                        "ProtocolConflict", "another listener has another protocol at port \(listener.port)"
                    )
                } else if others.contains(where: { $0.host == listener.host })
                    || places.contains(where: { hosts.contains("\($0) \(listener.boundPort) \(listener.host)") })
                {
                    gateways[index].listeners[number].conflict = (
                        "HostnameConflict",
                        "another listener has the hostname '\(listener.host)' at port \(listener.port)"
                    )
                }
            }
            for listener in gateways[index].listeners where listener.refused == nil && listener.conflict == nil {
                for place in places {
                    protocols["\(place) \(listener.boundPort)"] = listener.isTLS
                    hosts.insert("\(place) \(listener.boundPort) \(listener.host)")
                }
            }
        }
    }

    /// One of the snapshot for each place that is listened at.
    mutating func collectListeners() {
        var order: [String] = []
        var found: [String: ListenerRules] = [:]
        for gateway in gateways where gateway.refused == nil {
            for listener in gateway.listeners where listener.isServed {
                for address in gateway.addresses {
                    let place = "\(address) \(listener.boundPort)"
                    if found[place] == nil { order.append(place) }
                    var rules = found[place] ?? ListenerRules(address: address, port: listener.boundPort)
                    if let certificate = listener.certificate { rules.certificates[listener.host] = certificate }
                    if let authority = gateway.clientAuthority, listener.isTLS { rules.clientAuthority = authority }
                    rules.rules += listener.rules
                    found[place] = rules
                }
            }
        }
        result.snapshot.listeners = order.compactMap { found[$0] }
    }
}

/// Why something that is referred to cannot be used.
struct ReferenceFault: Error {
    var reason: String
    var message: String

    init(_ reason: String, _ message: String) {
        self.reason = reason
        self.message = message
    }
}

extension TranslationWork {
    mutating func reportClasses() {
        for object in objects.classes where object.spec["controllerName"].string == settings.controllerName {
            var conditions = ConditionList(generation: object.generation)
            conditions.set("Accepted", true, "Accepted", "served by \(settings.controllerName)")
            report(object, ["conditions": .array(conditions.json)])
        }
    }

    mutating func reportGateways() {
        for gateway in gateways {
            var conditions = ConditionList(generation: gateway.object.generation)
            let bad = gateway.listeners.filter { !isRight($0) }
            if let refused = gateway.refused {
                conditions.set("Accepted", false, refused.reason, refused.message)
                conditions.set("Programmed", false, "Invalid", refused.message)
            } else {
                let served = gateway.listeners.contains { $0.isServed && faults[$0.boundPort] == nil }
                conditions.set(
                    "Accepted", gateway.listeners.contains { $0.refused == nil && $0.conflict == nil },
                    bad.isEmpty ? "Accepted" : "ListenersNotValid",
                    bad.isEmpty ? "" : "listeners not valid: \(bad.map(\.name).joined(separator: ", "))")
                conditions.set(
                    "Programmed", served, served ? "Programmed" : "Invalid",
                    served ? "" : "no listener takes requests")
            }
            let listeners = gateway.listeners.map { report($0, gateway) }
            report(
                gateway.object,
                [
                    "addresses": gateway.refused == nil ? .array(gateway.published) : nil,
                    "conditions": .array(conditions.json), "listeners": .array(listeners),
                ])
        }
    }

    private func isRight(_ listener: ListenerWork) -> Bool {
        listener.refused == nil && listener.conflict == nil && listener.unresolved == nil
            && faults[listener.boundPort] == nil
    }

    private func report(_ listener: ListenerWork, _ gateway: GatewayWork) -> JSONValue {
        var conditions = ConditionList(generation: gateway.object.generation)
        if let refused = listener.refused {
            conditions.set("Accepted", false, refused.reason, refused.message)
        } else if let fault = faults[listener.boundPort], !fault.isCertificate {
            conditions.set("Accepted", false, "PortUnavailable", fault.message)
        } else {
            conditions.set("Accepted", true, "Accepted")
        }
        if let conflict = listener.conflict {
            conditions.set("Conflicted", true, conflict.reason, conflict.message)
        } else {
            conditions.set("Conflicted", false, "NoConflicts")
        }
        if let unresolved = listener.unresolved {
            conditions.set("ResolvedRefs", false, unresolved.reason, unresolved.message)
        } else if let fault = faults[listener.boundPort], fault.isCertificate {
            conditions.set("ResolvedRefs", false, "InvalidCertificateRef", fault.message)
        } else {
            conditions.set("ResolvedRefs", true, "ResolvedRefs")
        }
        let runs = listener.isServed && gateway.refused == nil && faults[listener.boundPort] == nil
        conditions.set("Programmed", runs, runs ? "Programmed" : "Invalid")
        let kinds = Self.routeKinds.filter(listener.kinds.contains)
        return [
            "name": .string(listener.name), "attachedRoutes": JSONValue(listener.attached),
            "conditions": .array(conditions.json),
            "supportedKinds": .array(
                kinds.map { ["group": .string(GatewayObjects.group), "kind": .string($0)] }),
        ]
    }
}
