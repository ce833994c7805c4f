// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// A TrafficPolicy that is used, and whether something has it.
struct PolicyWork {
    var object: KubeObject
    var policy: TrafficPolicy
    var sticky: StickyRules?
    var refused: (reason: String, message: String)?
    /// Reference of a target to what became of it.
    var targets: [(reference: JSONValue, refused: (reason: String, message: String)?)] = []
}

/// Which policies a route has. The route's own fields go before those of its Gateway; of two policies of the same
/// target the older counts.
struct PolicyTable {
    var works: [PolicyWork] = []
    /// `Kind namespace/name [listener]` to a place in `works`.
    var places: [String: Int] = [:]

    func add(to rule: inout RouteRule, route: KubeObject, gateway: KubeObject, listener: String) {
        for name in [
            "Gateway \(gateway.key)", "Gateway \(gateway.key) \(listener)", "\(route.kind) \(route.key)",
            "\(route.kind) \(route.key) \(rule.id.split(separator: "/").last ?? "")",
        ] {
            guard let place = places[name] else { continue }
            let found = works[place]
            rule.policy.merge(found.policy)
            if rule.sticky == nil { rule.sticky = found.sticky }
        }
    }
}

extension TrafficPolicy {
    /// Takes over what the other says.
    fileprivate mutating func merge(_ other: TrafficPolicy) {
        rate = other.rate ?? rate
        tokens = other.tokens ?? tokens
        keys = other.keys ?? keys
        outliers = other.outliers ?? outliers
        breaker = other.breaker ?? breaker
        if other.retryBudget != TrafficPolicy().retryBudget { retryBudget = other.retryBudget }
    }
}

extension TranslationWork {
    mutating func readPolicies() {
        for object in objects.policies.sorted(by: Self.isOlder) where !object.isBeingDeleted {
            var work = PolicyWork(object: object, policy: TrafficPolicy())
            do throws(ReferenceFault) {
                (work.policy, work.sticky) = try policy(object)
            } catch {
                work.refused = (error.reason, error.message)
            }
            for reference in object.spec["targetRefs"].elements {
                let kind = reference["kind"].string ?? ""
                let key = ObjectKey(namespace: object.namespace, name: reference["name"].string ?? "")
                let section = reference["sectionName"].string.map { " \($0)" } ?? ""
                let name = "\(kind) \(key)\(section)"
                let isThere =
                    kind == "Gateway"
                    ? gateways.contains { $0.object.key == key }
                    : objects.routes.contains { $0.kind == kind && $0.key == key }
                var refused = work.refused
                if !isThere {
                    refused = ("TargetNotFound", "\(name) is not there")
                } else if refused == nil, let other = policies.places[name] {
                    refused = ("Conflicted", "\(name) has the older policy \(policies.works[other].object.key)")
                }
                if refused == nil { policies.places[name] = policies.works.count }
                work.targets.append((reference, refused))
            }
            policies.works.append(work)
        }
    }

    mutating func reportPolicies() {
        for work in policies.works {
            let ancestors = work.targets.map { reference, refused -> JSONValue in
                var conditions = ConditionList(generation: work.object.generation)
                conditions.set(
                    "Accepted", refused == nil, refused?.reason ?? "Accepted", refused?.message ?? "")
                return [
                    "ancestorRef": reference, "controllerName": .string(settings.controllerName),
                    "conditions": .array(conditions.json),
                ]
            }
            let others = work.object.status["ancestors"].elements.filter {
                $0["controllerName"].string != settings.controllerName
            }
            report(work.object, ["ancestors": .array(others + ancestors)])
        }
    }

    private func policy(_ object: KubeObject) throws(ReferenceFault) -> (TrafficPolicy, StickyRules?) {
        let spec = object.spec
        var policy = TrafficPolicy()
        if !spec["rateLimit"].isNull {
            let limit = spec["rateLimit"]
            let period = try time(limit["period"], "rateLimit.period") ?? .seconds(1)
            let by = limit["by"]
            let header = by.string == "header" ? limit["header"].string : by["header"].string
            policy.rate = TrafficPolicy.Rate(
                requests: try number(limit["requests"], "rateLimit.requests", 1), period: period,
                header: header?.lowercased())
        }
        if !spec["jwt"].isNull {
            let jwt = spec["jwt"]
            guard let issuer = jwt["issuer"].string, let keys = Self.keySource(jwt) else {
                throw ReferenceFault(
                    "Invalid",
                    "jwt needs issuer, and either in jwks the text of a JSON Web Key Set or in jwksUri its http(s) address"
                )
            }
            policy.tokens = TrafficPolicy.Tokens(
                issuer: issuer, audiences: jwt["audiences"].elements.compactMap(\.string), keys: keys,
                claims: jwt["claimsToHeaders"].stringMembers)
        }
        if !spec["apiKeys"].isNull { policy.keys = try keys(spec["apiKeys"], object) }
        if !spec["outlierEjection"].isNull {
            let rules = spec["outlierEjection"]
            policy.outliers = TrafficPolicy.Outliers(
                consecutiveErrors: try number(rules["consecutiveErrors"], "outlierEjection.consecutiveErrors", 5),
                ejection: try time(rules["ejection"], "outlierEjection.ejection") ?? .seconds(30),
                maximumPercent: try number(rules["maxPercent"], "outlierEjection.maxPercent", 50))
        }
        if !spec["circuitBreaker"].isNull {
            let rules = spec["circuitBreaker"]
            policy.breaker = TrafficPolicy.Breaker(
                connections: try number(rules["maxConnections"], "circuitBreaker.maxConnections", 1024),
                pending: try number(rules["maxPending"], "circuitBreaker.maxPending", 1024),
                requests: try number(rules["maxRequests"], "circuitBreaker.maxRequests", 1024))
        }
        if !spec["retryBudget"].isNull {
            let percent = spec["retryBudget"]["percent"].isNull ? spec["retryBudget"] : spec["retryBudget"]["percent"]
            policy.retryBudget = min(100, try number(percent, "retryBudget", 20))
        }
        var sticky: StickyRules?
        if let header = spec["sticky"]["header"].string {
            sticky = .header(header.lowercased())
        } else if let cookie = spec["sticky"]["cookie"].string {
            sticky = .cookie(name: cookie, lifetime: try time(spec["sticky"]["ttl"], "sticky.ttl"))
        }
        return (policy, sticky)
    }

    private static func keySource(_ jwt: JSONValue) -> TrafficPolicy.KeySource? {
        switch (jwt["jwks"].string, jwt["jwksUri"].string) {
        case (let text?, nil): return .text(text)
        case (nil, let address?):
            guard let place = address.firstRange(of: "://"), address.utf8.count <= 2048,
                ["http", "https"].contains(address[..<place.lowerBound].lowercased()),
                let host = address[place.upperBound...].first, host != "/", !address.contains(" ")
            else { return nil }
            return .address(address)
        default: return nil
        }
    }

    /// Each value of the Secrets is a key; its name is who has it.
    private func keys(_ json: JSONValue, _ object: KubeObject) throws(ReferenceFault) -> TrafficPolicy.Keys {
        var hashes: [String: [UInt8]] = [:]
        for reference in json["secretRefs"].elements {
            let key = ObjectKey(
                namespace: reference["namespace"].string ?? object.namespace, name: reference["name"].string ?? "")
            guard isGranted(from: object, toGroup: "", kind: "Secret", key) else {
                throw ReferenceFault("RefNotPermitted", "no ReferenceGrant in \(key.namespace) permits Secret \(key)")
            }
            guard let secret = objects.secrets[key] else {
                throw ReferenceFault("Invalid", "apiKeys: Secret \(key) is not there")
            }
            for (name, value) in secret["data"].stringMembers {
                if let bytes = try? Base64.decode(value).get(), !bytes.isEmpty { hashes[name] = settings.digest(bytes) }
            }
            for (name, value) in secret["stringData"].stringMembers where !value.isEmpty {
                hashes[name] = settings.digest(Array(value.utf8))
            }
        }
        return TrafficPolicy.Keys(header: (json["header"].string ?? "x-api-key").lowercased(), hashes: hashes)
    }

    private func time(_ json: JSONValue, _ name: String) throws(ReferenceFault) -> Duration? {
        guard !json.isNull else { return nil }
        guard let duration = Self.duration(json.string), duration > .zero else {
            throw ReferenceFault("Invalid", "\(name) must be a duration such as 10s")
        }
        return duration
    }

    private func number(_ json: JSONValue, _ name: String, _ usual: Int) throws(ReferenceFault) -> Int {
        guard !json.isNull else { return usual }
        guard let value = json.int, (0...1_000_000_000).contains(value) else {
            throw ReferenceFault("Invalid", "\(name) must be a whole number from 0 to 1000000000")
        }
        return value
    }
}
