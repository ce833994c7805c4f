// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore

/// Up to the choice of an upstream.
extension Exchange {
    func route() {
        facts = ExchangeFacts(head)
        isGRPC = facts.isGRPC
        guard !facts.isAmbiguous else { return refuse(400, "the path has . or .. in it", grpc: 3) }
        if head.method == "OPTIONS", answerPreflight(facts) { return }
        guard let match = listener.table.match(facts) else {
            return refuse(404, "no route for this host and path", grpc: 12)
        }
        let rule = listener.rules[match.rule]
        self.rule = rule
        prefix = match.prefix
        if rule.cors != nil { origin = facts.header("origin") }
        guard head.method != "CONNECT" else { return refuse(405, "no tunnels are made here", grpc: 12) }
        if let timeout = rule.rule.timeout, timeout > .zero { startRequestTimer(timeout) }
        if let keys = rule.keys {
            guard let key = facts.header(keys.header), keys.holder(of: key) != nil else {
                return refuse(401, "an API key is needed in \(keys.header)", grpc: 16)
            }
            head.fields.remove(keys.header)
        }
        guard let verifier = rule.verifier else { return limit() }
        // What a client claims itself counts for nothing.
        for header in rule.rule.policy.tokens?.claims.values ?? [:].values { head.fields.remove(header) }
        guard let words = head.fields.first(.authorization)?.split(separator: " ", maxSplits: 1), words.count == 2,
            words[0].lowercased() == "bearer"
        else { return refuseToken("a token is needed: Authorization: Bearer TOKEN") }
        let token = String(words[1])
        if let claims = verifier.remembered(token) { return verified(claims) }
        let bound = NIOLoopBound(self, eventLoop: client.loop)
        client.loop.makeFutureWithTask { await verifier.verify(token) }.whenSuccess { verdict in
            let exchange = bound.value
            guard case .routing = exchange.phase else { return }
            switch verdict {
            case .good(let claims): exchange.verified(claims)
            case .bad: exchange.refuseToken("the token is not good here")
            case .noKeys:
                exchange.refuse(
                    503, "the keys of the token's issuer cannot be fetched now", grpc: 14,
                    fields: [("retry-after", "1")])
            }
        }
    }

    private func refuseToken(_ text: String) {
        refuse(401, text, grpc: 16, fields: [("www-authenticate", "Bearer")])
    }

    private func verified(_ claims: TokenVerifier.Claims) {
        for claim in claims { head.fields.set(claim.header, claim.value) }
        limit()
    }

    private func limit() {
        guard let rule else { return }
        if let limits = rule.limits {
            let key = rule.rule.policy.rate?.header.flatMap { facts.header($0.lowercased()) } ?? client.peer
            if let wait = limits.take(key, now: start) {
                let seconds = max(1, Int((wait / .seconds(1)).rounded(.up)))
                return refuse(429, "too many requests", grpc: 8, fields: [("retry-after", "\(seconds)")])
            }
        }
        for filter in rule.rule.filters {
            if case .redirect(let scheme, let host, let port, let path, let status) = filter {
                return redirect((scheme, host, port, path), status)
            }
        }
        choose(rule)
    }

    private func redirect(
        _ to: (scheme: String?, host: String?, port: Int?, path: PathChange?), _ status: Int
    ) {
        let scheme = to.scheme ?? head.scheme
        let (oldHost, oldPort) = Authority.parts(head.authority)
        let port: String
        if let given = to.port {
            port = "\(given)"
        } else if let changed = to.scheme {
            port = changed == "https" ? "443" : "80"
        } else {
            port = String(oldPort)
        }
        let isUsual = port.isEmpty || scheme == "http" && port == "80" || scheme == "https" && port == "443"
        let path = to.path?.apply(to: facts.path, matched: prefix) ?? facts.path
        let query = facts.query.isEmpty ? "" : "?" + facts.query
        let location = "\(scheme)://\(to.host ?? String(oldHost))\(isUsual ? "" : ":" + port)\(path)\(query)"
        refuse(status, "it is at \(location)", grpc: 14, fields: [("location", location)])
    }

    private func choose(_ rule: CompiledRule) {
        var number = worker.randomBits()
        switch rule.rule.sticky {
        case .none: break
        case .header(let name):
            if let value = facts.header(name.lowercased()) { number = StableHash.of(value) }
            stickyKey = number
        case .cookie(let name, _):
            if let value = head.fields.first(.cookie).flatMap({ CookieText.value(name, in: $0) }), !value.isEmpty {
                number = StableHash.of(value)
            } else {
                let value = String(number, radix: 16)
                newCookie = value
                number = StableHash.of(value)
            }
            stickyKey = number
        }
        guard let index = rule.choice.pick(number), let upstream = rule.backends[index].upstream else {
            return refuse(500, "the route has no backend for this", grpc: 14)
        }
        let backend = rule.backends[index]
        self.backend = backend
        self.upstream = upstream
        prepare(rule.rule.filters, backend.filters)
        startMirrors(rule)
        admit(upstream)
    }

    /// What the upstream gets.
    private func prepare(_ filters: [RouteFilter], _ more: [RouteFilter]) {
        // What is shared is copied when it is changed.
        facts.dropFields()
        let original = head.authority
        if head.fields.hasHopByHop {
            // gRPC's clients ask by it for trailers (RFC 9110, 10.1.4).
            let wantsTrailers = head.fields.lists("trailers", in: .te)
            head.fields.removeHopByHop()
            if wantsTrailers, isGRPC { head.fields.add("te", "trailers") }
        }
        for filter in filters { change(filter) }
        for filter in more { change(filter) }
        let before = head.fields.first(.forwardedFor)
        head.fields.removeForwarded()
        head.fields.add("x-forwarded-for", .forwardedFor, before.map { "\($0), \(client.peer)" } ?? client.peer)
        head.fields.add("x-forwarded-proto", .forwardedProto, head.scheme)
        head.fields.add("x-forwarded-host", .forwardedHost, original)
    }

    private func change(_ filter: RouteFilter) {
        switch filter {
        case .requestHeaders(let set, let add, let remove):
            for (name, value) in set { head.fields.set(name, value) }
            for (name, value) in add { head.fields.add(name, value) }
            for name in remove { head.fields.remove(name) }
        case .rewrite(let host, let path):
            if let host { head.authority = host }
            if let path {
                let changed = path.apply(to: facts.path, matched: prefix)
                head.target = facts.query.isEmpty ? changed : "\(changed)?\(facts.query)"
            }
        case .responseHeaders, .redirect, .mirror, .cors: break
        }
    }

    private func admit(_ upstream: Upstream) {
        let (admission, isFirst) = upstream.admit(now: start, patience: rule?.rule.timeout, waiter())
        switch admission {
        case .pass:
            isAdmitted = true
            attemptOnce()
        case .refuse: refuse(503, "too many requests wait for \(upstream.id.service)", grpc: 8)
        case .hold(let id):
            phase = .held(id)
            if isFirst { worker.core.activator.watch(upstream) }
        }
    }

    private func waiter() -> Upstream.Waiter {
        let bound = NIOLoopBound(self, eventLoop: client.loop)
        return Upstream.Waiter(loop: client.loop) { bound.value.resumed($0) }
    }

    private func resumed(_ goesOn: Bool) {
        guard case .held = phase else { return }
        guard goesOn else {
            return refuse(503, "no endpoint of \(upstream?.id.service ?? "") came in time", grpc: 14)
        }
        isAdmitted = true
        phase = .routing
        attemptOnce()
    }

    // MARK: timers

    private func startRequestTimer(_ timeout: Duration) {
        requestTimer = client.loop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) { self.requestTimedOut() }
    }

    private func requestTimedOut() {
        switch phase {
        case .over, .tunnel: return
        case .held(let id):
            guard upstream?.withdraw(id) == true else { return }
        case .sending(let side): side.cancel()
        case .routing, .connecting: break
        }
        if answerBegan {
            client.abort()
            finish(.failure, isFailure: true)
        } else {
            refuse(504, "the route's time is over", grpc: 4, outcome: .failure)
        }
    }
}
