// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Hostnames of listeners and routes, lower case; `*.` in front stands for one or more labels.
enum HostName {
    /// What both allow, nil: nothing. Empty: any host.
    static func intersection(_ left: String, _ right: String) -> String? {
        if left.isEmpty { return right }
        if right.isEmpty || left == right { return left }
        switch (suffix(left), suffix(right)) {
        case (nil, nil): return nil
        case (let wide?, nil): return right.hasSuffix(wide) && right.count > wide.count ? right : nil
        case (nil, let wide?): return left.hasSuffix(wide) && left.count > wide.count ? left : nil
        case (let one?, let other?):
            if one.hasSuffix(other) { return left }
            return other.hasSuffix(one) ? right : nil
        }
    }

    /// `.example.com` of `*.example.com`.
    private static func suffix(_ host: String) -> String? { host.hasPrefix("*.") ? String(host.dropFirst()) : nil }
}

extension TranslationWork {
    /// Attaches a route to the listeners of its parents, and reports on it where it has a parent of this controller.
    mutating func attach(_ route: KubeObject) {
        var parents: [JSONValue] = []
        var built: RouteBuild?
        for reference in route.spec["parentRefs"].elements {
            guard (reference["group"].string ?? GatewayObjects.group) == GatewayObjects.group,
                (reference["kind"].string ?? "Gateway") == "Gateway"
            else { continue }
            let key = ObjectKey(
                namespace: reference["namespace"].string ?? route.namespace, name: reference["name"].string ?? "")
            guard let index = gateways.firstIndex(where: { $0.object.key == key }) else { continue }
            let build: RouteBuild
            if let built {
                build = built
            } else {
                build = rules(of: route)
                built = build
            }
            parents.append(attach(route, build, reference, to: index))
        }
        guard !parents.isEmpty || hasReported(route) else { return }
        let others = route.status["parents"].elements.filter {
            $0["controllerName"].string != settings.controllerName
        }
        report(route, ["parents": .array(others + parents)])
    }

    /// Whether the status still has something of this controller, which then is taken out.
    private func hasReported(_ route: KubeObject) -> Bool {
        route.status["parents"].elements.contains { $0["controllerName"].string == settings.controllerName }
    }

    private mutating func attach(
        _ route: KubeObject, _ build: RouteBuild, _ reference: JSONValue, to index: Int
    ) -> JSONValue {
        var conditions = ConditionList(generation: route.generation)
        do throws(ReferenceFault) {
            let places = try listeners(for: route, reference, gateways[index])
            if let refused = build.refused, build.rules.isEmpty {
                throw ReferenceFault(refused.reason, refused.message)
            }
            for (number, hosts) in places {
                gateways[index].listeners[number].attached += 1
                gateways[index].listeners[number].rules += build.rules.map { rule in
                    var rule = rule
                    rule.hosts = hosts
                    policies.add(
                        to: &rule, route: route, gateway: gateways[index].object,
                        listener: gateways[index].listeners[number].name)
                    return rule
                }
            }
            conditions.set("Accepted", true, "Accepted")
            if let refused = build.refused {
                conditions.set("PartiallyInvalid", true, refused.reason, "Dropped Rule: \(refused.message)")
            }
        } catch {
            conditions.set("Accepted", false, error.reason, error.message)
        }
        if let unresolved = build.unresolved {
            conditions.set("ResolvedRefs", false, unresolved.reason, unresolved.message)
        } else {
            conditions.set("ResolvedRefs", true, "ResolvedRefs")
        }
        return [
            "parentRef": reference, "controllerName": .string(settings.controllerName),
            "conditions": .array(conditions.json),
        ]
    }

    /// The listeners that take a route, each with the hosts that both have.
    private func listeners(
        for route: KubeObject, _ reference: JSONValue, _ gateway: GatewayWork
    ) throws(ReferenceFault) -> [(Int, [String])] {
        var found = gateway.listeners.enumerated().filter { _, listener in
            (reference["sectionName"].string.map { $0 == listener.name } ?? true)
                && (reference["port"].int.map { $0 == listener.port } ?? true)
        }
        guard !found.isEmpty else {
            throw ReferenceFault(
                "NoMatchingParent", "Gateway \(gateway.object.key) has no listener of that sectionName and port")
        }
        found = found.filter { _, listener in
            listener.kinds.contains(route.kind) && allows(listener, route, gateway.object)
        }
        guard !found.isEmpty else {
            throw ReferenceFault(
                "NotAllowedByListeners",
                "no listener of Gateway \(gateway.object.key) takes a \(route.kind) of namespace \(route.namespace)")
        }
        let wanted = route.spec["hostnames"].elements.compactMap { $0.string?.lowercased() }
        let hosts = found.compactMap { index, listener -> (Int, [String])? in
            let names = (wanted.isEmpty ? [""] : wanted).compactMap { HostName.intersection(listener.host, $0) }
            guard !names.isEmpty else { return nil }
            return (index, names.contains("") ? [] : names)
        }
        guard !hosts.isEmpty else {
            throw ReferenceFault(
                "NoMatchingListenerHostname",
                "no listener of Gateway \(gateway.object.key) has a hostname of \(wanted.joined(separator: ", "))")
        }
        return hosts
    }

    private func allows(_ listener: ListenerWork, _ route: KubeObject, _ gateway: KubeObject) -> Bool {
        let rules = listener.json["allowedRoutes"]["namespaces"]
        switch rules["from"].string ?? "Same" {
        case "All": return true
        case "Same": return route.namespace == gateway.namespace
        case "Selector":
            guard let selector = try? LabelSelector(json: rules["selector"]) else { return false }
            var labels = objects.namespaces[route.namespace]?.labels ?? [:]
            labels["kubernetes.io/metadata.name"] = route.namespace
            return selector.matches(labels)
        default: return false
        }
    }
}
