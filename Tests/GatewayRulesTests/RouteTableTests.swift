// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import Testing

private struct Facts: RequestFacts {
    var host = "example.com"
    var path = "/"
    var query = ""
    var method = "GET"
    var isGRPC = false
    var headers: [String: String] = [:]

    func header(_ name: String) -> String? { headers[name] }
}

private func rule(
    _ id: String, hosts: [String] = [], created: Int64 = 0, isGRPC: Bool = false, _ matches: RequestMatch...
) -> RouteRule {
    var rule = RouteRule(id: id)
    rule.hosts = hosts
    rule.matches = matches
    rule.created = created
    rule.isGRPC = isGRPC
    return rule
}

private func match(
    _ path: TextMatch = .prefix("/"), method: String? = nil, headers: [String: TextMatch] = [:],
    query: [String: TextMatch] = [:], service: TextMatch? = nil, call: TextMatch? = nil
) -> RequestMatch {
    var match = RequestMatch()
    match.path = path
    match.method = method
    match.headers = headers
    match.query = query
    match.service = service
    match.call = call
    return match
}

/// Which rule is taken, by Gateway API's order.
struct RouteTableTests {
    private func id(_ rules: [RouteRule], _ facts: Facts) -> String? {
        // The order of the list must not matter but for ties.
        let found = RouteTable(rules).match(facts).map { rules[$0.rule].id }
        let reversed = Array(rules.reversed())
        #expect(RouteTable(reversed).match(facts).map { reversed[$0.rule].id } == found)
        return found
    }

    @Test(arguments: [
        ("/", "n/root/0"), ("/a", "n/exact/0"), ("/a/", "n/prefix/0"), ("/a/b", "n/prefix/0"), ("/ab", "n/root/0"),
        ("/a/b/c", "n/longer/0"), ("/a/b/cd", "n/prefix/0"), ("/v1", "n/expression/0"), ("/v1x", "n/root/0"),
    ])
    func paths(path: String, expected: String) {
        let rules = [
            rule("n/root/0", match()), rule("n/exact/0", match(.exact("/a"))), rule("n/prefix/0", match(.prefix("/a"))),
            rule("n/longer/0", match(.prefix("/a/b/c/"))), rule("n/expression/0", match(.expression("/v[0-9]+"))),
        ]
        #expect(id(rules, Facts(path: path)) == expected)
    }

    @Test(arguments: [
        ("a.example.com", "n/exact/0"), ("b.example.com", "n/suffix/0"), ("x.b.example.com", "n/longer/0"),
        ("example.com", "n/any/0"), ("other.org", "n/any/0"), ("A.example.com", "n/suffix/0"),
    ])
    func hosts(host: String, expected: String) {
        // Hosts come in lower case; one that does not is another.
        let rules = [
            rule("n/any/0", match(.exact("/"))), rule("n/exact/0", hosts: ["a.Example.com"], match()),
            rule("n/suffix/0", hosts: ["*.example.com"], match()),
            rule("n/longer/0", hosts: ["*.b.example.com"], match()),
        ]
        #expect(id(rules, Facts(host: host)) == expected)
    }

    @Test func hostsWithoutAMatchingRuleGoOn() {
        let rules = [
            rule("n/exact/0", hosts: ["a.example.com"], match(.exact("/x"))),
            rule("n/suffix/0", hosts: ["*.example.com"], match()),
        ]
        #expect(id(rules, Facts(host: "a.example.com", path: "/y")) == "n/suffix/0")
        #expect(id(rules, Facts(host: "other.org")) == nil)
    }

    @Test func methodThenHeadersThenQueries() {
        let rules = [
            rule("n/plain/0", match(.prefix("/p"))),
            rule("n/method/0", match(.prefix("/p"), method: "POST")),
            rule("n/headers/0", match(.prefix("/p"), headers: ["X-A": .exact("1"), "x-b": .expression("[0-9]+")])),
            rule("n/header/0", match(.prefix("/p"), headers: ["x-a": .exact("1")])),
            rule("n/query/0", match(.prefix("/p"), query: ["q": .exact("a b")])),
        ]
        #expect(id(rules, Facts(path: "/p")) == "n/plain/0")
        #expect(id(rules, Facts(path: "/p", method: "POST", headers: ["x-a": "1"])) == "n/method/0")
        #expect(id(rules, Facts(path: "/p", headers: ["x-a": "1", "x-b": "22"])) == "n/headers/0")
        #expect(id(rules, Facts(path: "/p", headers: ["x-a": "1", "x-b": "2x"])) == "n/header/0")
        #expect(id(rules, Facts(path: "/p", query: "z=1&q=a%20b")) == "n/query/0")
        #expect(id(rules, Facts(path: "/p", query: "q=a+b", headers: ["x-a": "1"])) == "n/header/0")
    }

    @Test func theOldestRouteThenItsNameThenItsRules() {
        let same = match(.prefix("/p"))
        let rules = [
            rule("n/young/0", created: 9, same), rule("n/old/0", created: 1, same), rule("n/aaa/0", created: 1, same),
        ]
        #expect(id(rules, Facts(path: "/p")) == "n/aaa/0")
        let ordered = [rule("n/a/0", same), rule("n/a/1", same)]
        #expect(RouteTable(ordered).match(Facts(path: "/p"))?.rule == 0)
    }

    @Test func callsOfGRPC() {
        let rules = [
            rule("n/all/0", isGRPC: true, match()),
            rule("n/service/0", isGRPC: true, match(service: .exact("a.B"))),
            rule("n/call/0", isGRPC: true, match(service: .exact("a.B"), call: .exact("Do"))),
            rule("n/http/0", match(.prefix("/web"))),
        ]
        #expect(id(rules, Facts(path: "/a.B/Do", method: "POST", isGRPC: true)) == "n/call/0")
        #expect(id(rules, Facts(path: "/a.B/Other", method: "POST", isGRPC: true)) == "n/service/0")
        #expect(id(rules, Facts(path: "/c.D/Do", method: "POST", isGRPC: true)) == "n/all/0")
        #expect(id(rules, Facts(path: "/a.B/Do", method: "POST")) == nil)
        #expect(id(rules, Facts(path: "/web")) == "n/http/0")
    }

    @Test func expressionsThatAreNoneAreNamedAndNeverMatch() {
        let table = RouteTable([rule("n/bad/0", match(.expression("(")))])
        #expect(table.invalid.count == 1)
        #expect(table.match(Facts()) == nil)
    }

    /// Source: the table of HTTPPathModifier's comment.
    @Test(arguments: [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"), ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/", "/foo", "/xyz", "/xyz/"), ("/foo", "/foo", "/xyz", "/xyz"), ("/foo", "/foo", "/", "/"),
        ("/foo/bar", "/foo", "/", "/bar"), ("/foo/bar", "", "/xyz", "/xyz/foo/bar"),
    ])
    func prefixesAreReplaced(path: String, prefix: String, by: String, expected: String) {
        #expect(PathChange.prefix(by).apply(to: path, matched: prefix) == expected)
    }
}
