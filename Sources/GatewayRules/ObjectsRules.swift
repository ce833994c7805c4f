// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import LinearRegex

/// The rules of a route, without their hosts, and what is wrong with it.
struct RouteBuild {
    var rules: [RouteRule] = []
    /// Why rules were left out, the first reason.
    var refused: (reason: String, message: String)?
    var unresolved: (reason: String, message: String)?
}

extension TranslationWork {
    /// The most of each that the API allows.
    private static let ruleLimit = 16
    private static let matchLimit = 128

    /// Reads the rules of a route; makes the upstreams of its backends.
    mutating func rules(of route: KubeObject) -> RouteBuild {
        var build = RouteBuild()
        var matches = 0
        for (index, json) in route.spec["rules"].elements.prefix(Self.ruleLimit).enumerated() {
            let name = json["name"].string ?? String(index)
            var rule = RouteRule(id: "\(route.namespace)/\(route.name)/\(name)")
            rule.isGRPC = route.kind == "GRPCRoute"
            rule.created = route.creationTimestamp?.seconds ?? 0
            do throws(ReferenceFault) {
                matches += max(1, json["matches"].elements.count)
                guard matches <= Self.matchLimit else {
                    throw ReferenceFault("UnsupportedValue", "a route has \(Self.matchLimit) matches at most")
                }
                for match in json["matches"].elements {
                    rule.matches.append(try rule.isGRPC ? callMatch(match) : requestMatch(match))
                }
                try addFilters(json["filters"], of: route, to: &rule.filters, &build)
                try addTimes(json, to: &rule)
                try addBackends(json["backendRefs"], of: route, to: &rule, &build)
            } catch {
                let place = "spec.rules[\(index)]: \(error.message)"
                if build.refused == nil { build.refused = (error.reason, place) }
                continue
            }
            build.rules.append(rule)
        }
        return build
    }

    // MARK: Matches

    private func requestMatch(_ json: JSONValue) throws(ReferenceFault) -> RequestMatch {
        var match = RequestMatch()
        let path = json["path"]
        if !path.isNull {
            let value = path["value"].string ?? "/"
            switch path["type"].string ?? "PathPrefix" {
            case "Exact": match.path = .exact(value)
            case "PathPrefix": match.path = .prefix(value)
            case "RegularExpression": match.path = .expression(try Self.checked(value))
            case let other: throw ReferenceFault("UnsupportedValue", "path type \(other) is not supported")
            }
            guard value.hasPrefix("/") || path["type"].string == "RegularExpression" else {
                throw ReferenceFault("UnsupportedValue", "the path '\(value)' must begin with '/'")
            }
        }
        match.method = json["method"].string
        for header in json["headers"].elements {
            let name = (header["name"].string ?? "").lowercased()
            // Of several with the same name the first counts.
            if match.headers[name] == nil { match.headers[name] = try Self.text(header) }
        }
        for parameter in json["queryParams"].elements {
            let name = parameter["name"].string ?? ""
            if match.query[name] == nil { match.query[name] = try Self.text(parameter) }
        }
        return match
    }

    private func callMatch(_ json: JSONValue) throws(ReferenceFault) -> RequestMatch {
        var match = RequestMatch()
        let method = json["method"]
        let isExpression = method["type"].string == "RegularExpression"
        func part(_ name: String) throws(ReferenceFault) -> TextMatch? {
            guard let text = method[name].string, !text.isEmpty else { return nil }
            return isExpression ? .expression(try Self.checked(text)) : .exact(text)
        }
        match.service = try part("service")
        match.call = try part("method")
        for header in json["headers"].elements {
            let name = (header["name"].string ?? "").lowercased()
            if match.headers[name] == nil { match.headers[name] = try Self.text(header) }
        }
        return match
    }

    private static func text(_ json: JSONValue) throws(ReferenceFault) -> TextMatch {
        let value = json["value"].string ?? ""
        switch json["type"].string ?? "Exact" {
        case "Exact": return .exact(value)
        case "RegularExpression": return .expression(try checked(value))
        case let other: throw ReferenceFault("UnsupportedValue", "match type \(other) is not supported")
        }
    }

    private static func checked(_ expression: String) throws(ReferenceFault) -> String {
        do {
            _ = try LinearRegex(expression)
            return expression
        } catch {
            throw ReferenceFault("UnsupportedValue", "the regular expression '\(expression)': \(error)")
        }
    }

    // MARK: Filters

    private mutating func addFilters(
        _ list: JSONValue, of route: KubeObject, to filters: inout [RouteFilter], _ build: inout RouteBuild
    ) throws(ReferenceFault) {
        for json in list.elements {
            switch json["type"].string ?? "" {
            case "RequestHeaderModifier":
                let (set, add, remove) = Self.changes(json["requestHeaderModifier"])
                filters.append(.requestHeaders(set: set, add: add, remove: remove))
            case "ResponseHeaderModifier":
                let (set, add, remove) = Self.changes(json["responseHeaderModifier"])
                filters.append(.responseHeaders(set: set, add: add, remove: remove))
            case "RequestRedirect":
                let redirect = json["requestRedirect"]
                filters.append(
                    .redirect(
                        scheme: redirect["scheme"].string, host: redirect["hostname"].string,
                        port: redirect["port"].int, path: try Self.change(redirect["path"]),
                        status: redirect["statusCode"].int ?? 302))
            case "URLRewrite":
                let rewrite = json["urlRewrite"]
                filters.append(.rewrite(host: rewrite["hostname"].string, path: try Self.change(rewrite["path"])))
            case "RequestMirror":
                let mirror = json["requestMirror"]
                guard let upstream = upstream(mirror["backendRef"], of: route, &build) else { continue }
                filters.append(.mirror(upstream, share: Self.share(mirror)))
            case "CORS" where route.kind == "HTTPRoute": filters.append(.cors(try Self.cors(json["cors"])))
            case let other:
                let name = json["extensionRef"]["kind"].string.map { "\(other) \($0)" } ?? other
                throw ReferenceFault("UnsupportedValue", "the filter \(name) is not supported")
            }
        }
    }

    private static func cors(_ json: JSONValue) throws(ReferenceFault) -> CORSRules {
        /// The most that the API allows of each.
        let most = 64
        func list(_ name: String) throws(ReferenceFault) -> [String] {
            let texts = json[name].elements.compactMap(\.string)
            guard texts.count == json[name].elements.count, texts.count <= most,
                texts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2C } })
            else {
                throw ReferenceFault("UnsupportedValue", "cors.\(name) must be a list of at most \(most) words")
            }
            return texts
        }
        var rules = CORSRules()
        rules.origins = try list("allowOrigins").map(CORSRules.normal)
        for origin in rules.origins where origin != "*" {
            let parts = origin.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
            let rest = parts.count == 2 ? parts[1] : ""
            guard !rest.isEmpty, !rest.contains("/"), !(rest.hasPrefix("*.") ? rest.dropFirst() : rest).contains("*")
            else {
                throw ReferenceFault(
                    "UnsupportedValue",
                    "cors.allowOrigins: '\(origin)' must be *, SCHEME://HOST[:PORT] or SCHEME://*.HOST[:PORT]")
            }
        }
        rules.methods = try list("allowMethods")
        rules.headers = try list("allowHeaders")
        rules.exposed = try list("exposeHeaders")
        rules.allowsCredentials = json["allowCredentials"].bool ?? false
        if !json["maxAge"].isNull {
            guard let age = json["maxAge"].int, (0...Int(Int32.max)).contains(age) else {
                throw ReferenceFault("UnsupportedValue", "cors.maxAge must be a number of seconds")
            }
            rules.maximumAge = age
        }
        return rules
    }

    private static func changes(_ json: JSONValue) -> ([String: String], [String: String], [String]) {
        func pairs(_ list: JSONValue) -> [String: String] {
            Dictionary(
                list.elements.map { (($0["name"].string ?? "").lowercased(), $0["value"].string ?? "") },
                uniquingKeysWith: { first, _ in first })
        }
        return (
            pairs(json["set"]), pairs(json["add"]), json["remove"].elements.compactMap { $0.string?.lowercased() }
        )
    }

    private static func change(_ json: JSONValue) throws(ReferenceFault) -> PathChange? {
        switch json["type"].string {
        case nil: return nil
        case "ReplaceFullPath": return .full(json["replaceFullPath"].string ?? "/")
        case "ReplacePrefixMatch": return .prefix(json["replacePrefixMatch"].string ?? "/")
        case let other?: throw ReferenceFault("UnsupportedValue", "the path modifier \(other) is not supported")
        }
    }

    /// Thousandths.
    private static func share(_ json: JSONValue) -> Int {
        if let percent = json["percent"].int { return min(1000, max(0, percent * 10)) }
        guard let numerator = json["fraction"]["numerator"].int else { return 1000 }
        let denominator = max(1, json["fraction"]["denominator"].int ?? 100)
        return min(1000, max(0, Int((Double(numerator) * 1000 / Double(denominator)).rounded())))
    }

    // MARK: Times, retries, sessions

    private func addTimes(_ json: JSONValue, to rule: inout RouteRule) throws(ReferenceFault) {
        func time(_ value: JSONValue, _ name: String) throws(ReferenceFault) -> Duration? {
            guard !value.isNull else { return nil }
            guard let duration = Self.duration(value.string) else {
                throw ReferenceFault("UnsupportedValue", "\(name) is not a duration such as 10s")
            }
            return duration == .zero ? nil : duration
        }
        rule.timeout = try time(json["timeouts"]["request"], "timeouts.request")
        rule.backendTimeout = try time(json["timeouts"]["backendRequest"], "timeouts.backendRequest")
        if !json["retry"].isNull {
            var retry = RetryRules()
            retry.codes = json["retry"]["codes"].elements.compactMap(\.int)
            if let attempts = json["retry"]["attempts"].int { retry.attempts = min(10, max(0, attempts)) }
            if let backoff = try time(json["retry"]["backoff"], "retry.backoff") { retry.backoff = backoff }
            rule.retry = retry
        }
        let session = json["sessionPersistence"]
        if !session.isNull {
            let name = session["sessionName"].string
            if session["type"].string == "Header" {
                rule.sticky = .header((name ?? "apus-session").lowercased())
            } else {
                let isPermanent = session["cookieConfig"]["lifetimeType"].string == "Permanent"
                let lifetime = try time(session["absoluteTimeout"], "sessionPersistence.absoluteTimeout")
                rule.sticky = .cookie(name: name ?? "apus-session", lifetime: isPermanent ? lifetime : nil)
            }
        }
    }

    // MARK: Backends

    private mutating func addBackends(
        _ list: JSONValue, of route: KubeObject, to rule: inout RouteRule, _ build: inout RouteBuild
    ) throws(ReferenceFault) {
        for reference in list.elements.prefix(Self.ruleLimit) {
            var backend = WeightedBackend(
                upstream(reference, of: route, &build), weight: min(1_000_000, max(0, reference["weight"].int ?? 1)))
            try addFilters(reference["filters"], of: route, to: &backend.filters, &build)
            // A preflight is answered before there is a backend.
            for case .cors in backend.filters {
                throw ReferenceFault("UnsupportedValue", "the filter CORS belongs to the rule, not to its backendRefs")
            }
            rule.backends.append(backend)
        }
    }

    /// The upstream of a reference to a Service; nil where it is not valid, which the route then says.
    private mutating func upstream(
        _ reference: JSONValue, of route: KubeObject, _ build: inout RouteBuild
    ) -> UpstreamID? {
        do throws(ReferenceFault) {
            let id = try checkedUpstream(reference, of: route)
            addUpstream(id, isGRPC: route.kind == "GRPCRoute")
            return id
        } catch {
            if build.unresolved == nil { build.unresolved = (error.reason, error.message) }
            return nil
        }
    }

    private func checkedUpstream(_ reference: JSONValue, of route: KubeObject) throws(ReferenceFault) -> UpstreamID {
        let kind = reference["kind"].string ?? "Service"
        guard (reference["group"].string ?? "").isEmpty, kind == "Service" else {
            throw ReferenceFault("InvalidKind", "a backend of kind \(kind) is not supported: Service is")
        }
        let key = ObjectKey(
            namespace: reference["namespace"].string ?? route.namespace, name: reference["name"].string ?? "")
        guard isGranted(from: route, toGroup: "", kind: "Service", key) else {
            throw ReferenceFault("RefNotPermitted", "no ReferenceGrant in \(key.namespace) permits Service \(key)")
        }
        guard let service = objects.services[key] else {
            throw ReferenceFault("BackendNotFound", "Service \(key) is not there")
        }
        guard let port = reference["port"].int,
            service.spec["ports"].elements.contains(where: { $0["port"].int == port })
        else {
            throw ReferenceFault(
                "BackendNotFound", "Service \(key) has no port \(reference["port"].int.map(String.init) ?? "''")")
        }
        return UpstreamID(namespace: key.namespace, service: key.name, port: port)
    }
}
