// SPDX-License-Identifier: Apache-2.0

/// Who of other origins may read answers (Gateway API's HTTPCORSFilter; Fetch Standard, "CORS protocol").
package struct CORSRules: Sendable, Hashable {
    package typealias Field = (name: String, value: String)

    /// `*`, `https://shop.test`, `https://*.shop.test`, in lower case and without the scheme's usual port.
    package var origins: [String] = []
    /// In capitals as they are sent, `*`: all.
    package var methods: [String] = []
    package var headers: [String] = []
    package var exposed: [String] = []
    package var allowsCredentials = false
    /// Seconds for which a preflight's answer holds.
    package var maximumAge = 5

    package init() {}

    /// What a backend says of it itself counts for nothing: the route decides.
    package static let responseFields = [
        "access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers",
        "access-control-allow-methods", "access-control-allow-headers", "access-control-max-age",
    ]

    /// Whether the same request of another origin would be answered with other fields.
    package var varies: Bool { allowsCredentials || !origins.contains("*") }

    package func allows(_ origin: String) -> Bool {
        let origin = Self.normal(origin)
        return origins.contains { Self.matches(origin, $0) }
    }

    /// Fields of an answer to a request of an origin; none where it is not allowed.
    /// `names`: of the answer's own fields, which are named where credentials forbid `*`.
    package func answer(to origin: String, names: () -> [String]) -> [Field] {
        guard allows(origin) else { return [] }
        var fields = shared(origin)
        let isAll = exposed.contains("*")
        let shown = isAll && allowsCredentials ? names() : isAll ? ["*"] : exposed
        if !shown.isEmpty { fields.append(("access-control-expose-headers", shown.joined(separator: ", "))) }
        return fields
    }

    /// Fields of the answer to a preflight, by its `Origin`, `Access-Control-Request-Method` and
    /// `Access-Control-Request-Headers`.
    package func preflight(of origin: String, method: String, requested: String?) -> [Field] {
        guard allows(origin) else { return [] }
        var fields = shared(origin)
        func add(_ name: String, _ list: [String], asked: String?) {
            let isAll = list.contains("*")
            // With credentials `*` is a name as any other: what was asked for is answered.
            let value = isAll ? (allowsCredentials ? asked ?? "" : "*") : list.joined(separator: ", ")
            if !value.isEmpty { fields.append((name, value)) }
        }
        add("access-control-allow-methods", methods, asked: method)
        add("access-control-allow-headers", headers, asked: requested)
        fields.append(("access-control-max-age", "\(maximumAge)"))
        return fields
    }

    private func shared(_ origin: String) -> [Field] {
        var fields: [Field] = [("access-control-allow-origin", varies ? origin : "*")]
        if allowsCredentials { fields.append(("access-control-allow-credentials", "true")) }
        return fields
    }

    /// `pattern`: `*` as the host's first label stands for one or more labels.
    private static func matches(_ origin: String, _ pattern: String) -> Bool {
        if pattern == "*" || origin == pattern { return true }
        guard let star = pattern.firstRange(of: "://*.") else { return false }
        let scheme = pattern[..<star.lowerBound] + "://"
        let suffix = pattern[pattern.index(before: star.upperBound)...]
        return origin.utf8.count > scheme.utf8.count + suffix.utf8.count && origin.hasPrefix(scheme)
            && origin.hasSuffix(suffix)
    }

    /// In lower case, without the usual port of its scheme.
    package static func normal(_ origin: String) -> String {
        let origin = origin.lowercased()
        if origin.hasPrefix("https://"), origin.hasSuffix(":443") { return String(origin.dropLast(4)) }
        if origin.hasPrefix("http://"), origin.hasSuffix(":80") { return String(origin.dropLast(3)) }
        return origin
    }
}
