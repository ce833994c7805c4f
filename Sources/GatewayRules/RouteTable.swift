// SPDX-License-Identifier: Apache-2.0
import LinearRegex

/// What of a request decides where it goes.
package protocol RequestFacts {
    /// Lower case, without a port.
    var host: String { get }
    /// As sent, without the query.
    var path: String { get }
    /// Without `?`.
    var query: String { get }
    var method: String { get }
    /// Whether its content type is one of gRPC.
    var isGRPC: Bool { get }
    /// `name`: in lower case.
    func header(_ name: String) -> String?
}

/// The rule that a request goes by.
package struct RouteMatch: Sendable, Hashable {
    /// The rule's place in the list that the table was made of.
    package var rule: Int
    /// The prefix that a rewriting filter replaces; nil where the match has none.
    package var prefix: String?
}

/// Rules of a listener, in the order in which they are asked.
///
/// Source of the order: Gateway API, HTTPRouteRule and GRPCRouteRule: hostname, exact path, longest prefix, method,
/// most headers, most query parameters; then the oldest route, its name, its rules' order.
package struct RouteTable: Sendable {
    private var exact: [String: [Entry]] = [:]
    /// Longest first; each `.SUFFIX`.
    private var suffixes: [(suffix: String, entries: [Entry])] = []
    private var any: [Entry] = []
    /// Regular expressions that are none, with what is wrong: their matches never match.
    package private(set) var invalid: [String] = []

    package init(_ rules: [RouteRule]) {
        var hosts: [String: [Entry]] = [:]
        for (index, rule) in rules.enumerated() {
            var entries: [Entry] = []
            for match in rule.matches.isEmpty ? [RequestMatch()] : rule.matches {
                do {
                    entries.append(try Entry(match, of: rule, at: index))
                } catch {
                    invalid.append("\(rule.id): \(error)")
                }
            }
            for host in rule.hosts.isEmpty ? [""] : rule.hosts { hosts[host.lowercased(), default: []] += entries }
        }
        for (host, entries) in hosts {
            let sorted = entries.sorted { $0.order < $1.order }
            if host.isEmpty || host == "*" {
                any = (any + sorted).sorted { $0.order < $1.order }
            } else if host.hasPrefix("*.") {
                suffixes.append((String(host.dropFirst()), sorted))
            } else {
                exact[host] = sorted
            }
        }
        suffixes.sort { ($0.suffix.utf8.count, $1.suffix) > ($1.suffix.utf8.count, $0.suffix) }
    }

    /// The first rule that fits.
    package func match(_ facts: some RequestFacts) -> RouteMatch? {
        if !exact.isEmpty, let entries = exact[facts.host], let found = Self.first(entries, facts) { return found }
        for (suffix, entries) in suffixes where facts.host.utf8.count > suffix.utf8.count {
            if facts.host.hasSuffix(suffix), let found = Self.first(entries, facts) { return found }
        }
        return Self.first(any, facts)
    }

    private static func first(_ entries: [Entry], _ facts: some RequestFacts) -> RouteMatch? {
        for entry in entries where entry.fits(facts) { return RouteMatch(rule: entry.rule, prefix: entry.prefix) }
        return nil
    }
}

/// One match of a rule.
private struct Entry: Sendable {
    /// Smaller comes first.
    struct Order: Comparable, Sendable {
        /// 0 exact, 1 regular expression, 2 prefix.
        var kind: Int
        var length: Int
        var callLength: Int
        var hasMethod: Bool
        var headers: Int
        var queries: Int
        var created: Int64
        var name: Substring
        var index: Int

        static func < (left: Order, right: Order) -> Bool {
            if left.kind != right.kind { return left.kind < right.kind }
            if left.length != right.length { return left.length > right.length }
            if left.callLength != right.callLength { return left.callLength > right.callLength }
            if left.hasMethod != right.hasMethod { return left.hasMethod }
            if left.headers != right.headers { return left.headers > right.headers }
            if left.queries != right.queries { return left.queries > right.queries }
            if left.created != right.created { return left.created < right.created }
            if left.name != right.name { return left.name < right.name }
            return left.index < right.index
        }
    }

    let rule: Int
    let order: Order
    private let path: CompiledText
    private let method: String?
    private let headers: [(name: String, value: CompiledText)]
    private let queries: [(name: String, value: CompiledText)]
    private let isGRPC: Bool
    private let service: CompiledText?
    private let call: CompiledText?

    init(_ match: RequestMatch, of rule: RouteRule, at index: Int) throws(LinearRegex.InvalidPattern) {
        self.rule = index
        var headers: [(name: String, value: CompiledText)] = []
        for (name, value) in match.headers { headers.append((name.lowercased(), try CompiledText(value))) }
        self.headers = headers
        var queries: [(name: String, value: CompiledText)] = []
        for (name, value) in match.query { queries.append((name, try CompiledText(value))) }
        self.queries = queries
        method = match.method
        isGRPC = rule.isGRPC
        var order = Order(
            kind: 2, length: 1, callLength: 0, hasMethod: match.method != nil, headers: headers.count,
            queries: queries.count, created: rule.created,
            name: rule.id.lastIndex(of: "/").map { rule.id[..<$0] } ?? rule.id[...], index: index)
        if isGRPC {
            path = .prefix("")
            service = if let text = match.service { try CompiledText(text) } else { nil }
            call = if let text = match.call { try CompiledText(text) } else { nil }
            if case .exact = match.service, case .exact = match.call { order.kind = 0 }
            order.length = match.service?.text.utf8.count ?? 0
            order.callLength = match.call?.text.utf8.count ?? 0
        } else {
            (service, call) = (nil, nil)
            var text = match.path
            if case .prefix(let prefix) = text {
                // Prefixes are of whole elements: a slash at the end changes nothing.
                text = .prefix(prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix)
            }
            path = try CompiledText(text)
            switch match.path {
            case .exact: order.kind = 0
            case .expression: order.kind = 1
            case .prefix: order.kind = 2
            }
            order.length = text.text.utf8.count
        }
        self.order = order
    }

    var prefix: String? {
        if !isGRPC, case .prefix(let text) = path { text } else { nil }
    }

    func fits(_ facts: some RequestFacts) -> Bool {
        if isGRPC {
            guard facts.isGRPC, fitsCall(facts.path) else { return false }
        } else {
            switch path {
            case .exact(let text): guard facts.path == text else { return false }
            case .prefix(let text): guard PathPrefix.covers(text, facts.path) else { return false }
            case .expression(let expression): guard expression.matches(facts.path) else { return false }
            }
        }
        if let method, method != facts.method { return false }
        for (name, value) in headers {
            guard let given = facts.header(name), value.equals(given) else { return false }
        }
        guard !queries.isEmpty else { return true }
        return queries.allSatisfy { name, value in
            QueryText.first(name, in: facts.query).map(value.equals) ?? false
        }
    }

    private func fitsCall(_ path: String) -> Bool {
        if service == nil, call == nil { return true }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty else { return false }
        return service?.equals(String(parts[1])) ?? true && call?.equals(String(parts[2])) ?? true
    }
}

/// A text to compare with, its regular expression compiled.
enum CompiledText: Sendable {
    case exact(String)
    case prefix(String)
    case expression(LinearRegex)

    init(_ match: TextMatch) throws(LinearRegex.InvalidPattern) {
        switch match {
        case .exact(let text): self = .exact(text)
        case .prefix(let text): self = .prefix(text)
        // All of the text has to match.
        case .expression(let text): self = .expression(try LinearRegex("^(?:\(text))$"))
        }
    }

    func equals(_ text: String) -> Bool {
        switch self {
        case .exact(let exact): exact == text
        case .prefix(let prefix): text.hasPrefix(prefix)
        case .expression(let expression): expression.matches(text)
        }
    }
}

extension TextMatch {
    var text: String {
        switch self {
        case .exact(let text), .prefix(let text), .expression(let text): text
        }
    }
}
