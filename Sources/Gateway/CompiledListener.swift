// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOSSL
import Synchronization

/// A rule, ready to be used by requests.
final class CompiledRule: Sendable {
    struct Backend: Sendable {
        let upstream: Upstream?
        let filters: [RouteFilter]
    }

    let rule: RouteRule
    let backends: [Backend]
    let choice: WeightedChoice
    let mirrors: [(upstream: Upstream, share: Int)]
    let limits: SharedBuckets?
    let cors: CORSRules?
    let verifier: TokenVerifier?
    let keys: KeyChecker?

    let counts: RuleCounts

    init(_ rule: RouteRule, upstreams: [UpstreamID: Upstream], before: CompiledRule?, metrics: GatewayMetrics) {
        self.rule = rule
        counts = metrics.rule(rule.id)
        backends = rule.backends.map { backend in
            Backend(upstream: backend.upstream.flatMap { upstreams[$0] }, filters: backend.filters)
        }
        choice = WeightedChoice(rule.backends.map(\.weight))
        mirrors = (rule.filters + rule.backends.flatMap(\.filters)).compactMap { filter in
            guard case .mirror(let id, let share) = filter, let upstream = upstreams[id] else { return nil }
            return (upstream, share)
        }
        cors =
            rule.filters.lazy.compactMap { filter -> CORSRules? in
                if case .cors(let rules) = filter { rules } else { nil }
            }.first
        // What clients have left, and tokens that were good, outlive a reload.
        if let before, before.rule.policy.rate == rule.policy.rate, let kept = before.limits {
            limits = kept
        } else {
            limits = rule.policy.rate.map(SharedBuckets.init)
        }
        if let before, before.rule.policy.tokens == rule.policy.tokens {
            verifier = before.verifier
        } else {
            verifier = rule.policy.tokens.map(TokenVerifier.init)
        }
        keys = rule.policy.keys.map(KeyChecker.init)
    }
}

/// Buckets that several event loops take from.
final class SharedBuckets: Sendable {
    private let buckets: Mutex<TokenBuckets>

    init(_ rate: TrafficPolicy.Rate) { buckets = Mutex(TokenBuckets(rate)) }

    func take(_ client: String, now: Instant) -> Duration? { buckets.withLock { $0.take(client, now: now) } }
}

/// A listener's rules, ready to be used by requests; replaced as a whole.
final class CompiledListener: Sendable {
    let table: RouteTable
    let rules: [CompiledRule]
    /// By host; the pattern `*` or empty for all others. Nil without TLS.
    let certificates: [String: NIOSSLContext]?

    init(
        _ listener: ListenerRules, upstreams: [UpstreamID: Upstream], before: CompiledListener?,
        certificates: [String: NIOSSLContext]?, metrics: GatewayMetrics
    ) {
        let old = Dictionary((before?.rules ?? []).map { ($0.rule.id, $0) }) { first, _ in first }
        table = RouteTable(listener.rules)
        rules = listener.rules.map { CompiledRule($0, upstreams: upstreams, before: old[$0.id], metrics: metrics) }
        self.certificates = certificates
    }

    /// The certificate for a name: exact, then by suffix, then any.
    func certificate(for name: String?) -> NIOSSLContext? {
        guard let certificates else { return nil }
        if let name = name?.lowercased() {
            if let context = certificates[name] { return context }
            if let dot = name.firstIndex(of: ".") {
                var suffix = name[dot...]
                while true {
                    if let context = certificates["*" + suffix] { return context }
                    guard let next = suffix.dropFirst().firstIndex(of: ".") else { break }
                    suffix = suffix[next...]
                }
            }
        }
        return certificates["*"] ?? certificates[""] ?? certificates.min { $0.key < $1.key }?.value
    }
}
