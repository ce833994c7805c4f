// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import S3Protocol

@Suite("Policies")
struct PolicyTests {
    private static func statement(_ content: String) -> [UInt8] {
        Array("{\"Version\":\"2012-10-17\",\"Statement\":[{\(content)}]}".utf8)
    }

    private static func identity(_ content: String) throws -> IAMPolicy { try IAMPolicy(json: statement(content)) }

    private static func request(
        _ action: String, _ resource: String, user: String? = "anna", _ context: [String: [String]] = [:]
    ) -> PolicyRequest {
        PolicyRequest(
            principal: user.map { .user($0) } ?? .anonymous, action: action, resource: "arn:aws:s3:::" + resource,
            context: context)
    }

    @Test("Public read lets everyone read, and nothing else")
    func publicRead() throws {
        let policy = try BucketPolicy(
            json: Self.statement(
                #""Sid":"PublicRead","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::web/*"]"#
            ),
            bucket: "web")
        #expect(policy.isPublic)
        #expect(policy.decision(Self.request("s3:GetObject", "web/index.html", user: nil)) == .allow)
        #expect(policy.decision(Self.request("s3:GetObject", "web/index.html")) == .allow)
        #expect(policy.decision(Self.request("s3:PutObject", "web/index.html", user: nil)) == .none)
        #expect(policy.decision(Self.request("s3:ListBucket", "web", user: nil)) == .none)
        #expect(policy.decision(Self.request("s3:GetObject", "web2/index.html", user: nil)) == .none)
    }

    @Test("A denial counts more than any allowance, in one policy and over two")
    func denial() throws {
        let json = """
            {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},
            {"Effect":"Deny","Action":"s3:Delete*","Resource":"arn:aws:s3:::data/keep/*"}]}
            """
        let policy = try IAMPolicy(json: Array(json.utf8))
        #expect(policy.decision(Self.request("s3:DeleteObject", "data/x")) == .allow)
        #expect(policy.decision(Self.request("s3:DeleteObject", "data/keep/x")) == .deny)
        #expect(PolicyDecision.allow.combined(.deny) == .deny)
        #expect(PolicyDecision.none.combined(.allow) == .allow)
        #expect(PolicyDecision.none.combined(.none) == .none)
    }

    @Test("Principals by name, ARN and account; and their opposite")
    func principals() throws {
        func decision(_ principal: String, _ user: String?) throws -> PolicyDecision {
            try BucketPolicy(
                json: Self.statement(
                    "\(principal),\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::b-1/*\"")
            ).decision(Self.request("s3:GetObject", "b-1/k", user: user))
        }
        #expect(try decision(#""Principal":{"AWS":"arn:aws:iam::000000000000:user/anna"}"#, "anna") == .allow)
        #expect(try decision(#""Principal":{"AWS":"arn:aws:iam::000000000000:user/anna"}"#, "ann") == .none)
        #expect(try decision(#""Principal":{"AWS":["bert","anna"]}"#, "anna") == .allow)
        #expect(try decision(#""Principal":{"AWS":"arn:aws:iam::000000000000:root"}"#, "anna") == .allow)
        #expect(try decision(#""Principal":{"AWS":"arn:aws:iam::000000000000:root"}"#, nil) == .none)
        #expect(try decision(#""Principal":{"AWS":"*"}"#, nil) == .allow)
        #expect(try decision(#""NotPrincipal":{"AWS":"anna"}"#, "anna") == .none)
        #expect(try decision(#""NotPrincipal":{"AWS":"anna"}"#, "bert") == .allow)
    }

    @Test("NotAction and NotResource")
    func negations() throws {
        let policy = try Self.identity(
            #""Effect":"Allow","NotAction":"s3:Delete*","NotResource":"arn:aws:s3:::secret*""#)
        #expect(policy.decision(Self.request("s3:GetObject", "data/k")) == .allow)
        #expect(policy.decision(Self.request("s3:DeleteObject", "data/k")) == .none)
        #expect(policy.decision(Self.request("s3:GetObject", "secret/k")) == .none)
    }

    private static let patterns: [(String, String, Bool)] = [
        ("*", "", true), ("*", "anything/at all", true), ("a*c", "abc", true), ("a*c", "ac", true),
        ("a*c", "acb", false),
        ("a?c", "abc", true), ("a?c", "aéc", true), ("a?c", "ac", false), ("*.log", "x.log.log", true),
        ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-c-b", false), ("", "", true), ("", "a", false), ("**a", "ba", true),
        ("logs/*/x", "logs/1/2/x", true), ("a", "A", false),
    ]

    @Test("Wildcards", arguments: patterns)
    func wildcards(pattern: String, value: String, expected: Bool) throws {
        #expect(try PolicyPattern(pattern, hasWildcards: true, hasVariables: true).matches(value) == expected)
    }

    @Test("A pattern of many stars is decided soon")
    func stars() throws {
        let pattern = String(repeating: "*a", count: 200)
        let value = String(repeating: "a", count: 1000) + "b"
        #expect(try !PolicyPattern(pattern, hasWildcards: true, hasVariables: true).matches(value))
    }

    @Test("Variables stand for what the request has")
    func variables() throws {
        let policy = try Self.identity(
            #""Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*""#)
        #expect(policy.decision(Self.request("s3:GetObject", "home/anna/x")) == .allow)
        #expect(policy.decision(Self.request("s3:GetObject", "home/bert/x")) == .none)
        #expect(policy.decision(Self.request("s3:GetObject", "home/bert/x", user: "be*")) == .none)
        let literal = try Self.identity(#""Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${*}""#)
        #expect(literal.decision(Self.request("s3:GetObject", "b/*")) == .allow)
        #expect(literal.decision(Self.request("s3:GetObject", "b/x")) == .none)
        #expect(throws: S3Error.self) {
            try Self.identity(#""Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:unknown}""#)
        }
    }

    private static let conditions: [(String, [String: [String]], Bool)] = [
        (#"{"StringEquals":{"s3:prefix":["a","b"]}}"#, ["s3:prefix": ["b"]], true),
        (#"{"StringEquals":{"S3:Prefix":"a"}}"#, ["s3:prefix": ["A"]], false),
        (#"{"StringEquals":{"s3:prefix":"a"}}"#, [:], false),
        (#"{"StringEqualsIfExists":{"s3:prefix":"a"}}"#, [:], true),
        (#"{"StringNotEquals":{"s3:prefix":"a"}}"#, [:], true),
        (#"{"StringNotEquals":{"s3:prefix":["a","b"]}}"#, ["s3:prefix": ["b"]], false),
        (#"{"StringEqualsIgnoreCase":{"s3:prefix":"AbC"}}"#, ["s3:prefix": ["aBc"]], true),
        (#"{"StringLike":{"s3:prefix":"home/${aws:username}/*"}}"#, ["s3:prefix": ["home/anna/x"]], true),
        (#"{"StringNotLike":{"s3:prefix":"home/*"}}"#, ["s3:prefix": ["home/anna/x"]], false),
        (#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}"#, ["aws:sourceip": ["10.1.2.3"]], true),
        (#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, ["aws:sourceip": ["11.0.0.0"]], false),
        (#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/9"}}"#, ["aws:sourceip": ["10.128.0.1"]], false),
        (#"{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}"#, ["aws:sourceip": ["2001:db8:1::5"]], true),
        (#"{"IpAddress":{"aws:SourceIp":"10.0.0.1"}}"#, ["aws:sourceip": ["::ffff:10.0.0.1"]], true),
        (#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, ["aws:sourceip": ["10.1.2.3"]], false),
        (#"{"Bool":{"aws:SecureTransport":"true"}}"#, ["aws:securetransport": ["false"]], false),
        (#"{"Bool":{"aws:SecureTransport":false}}"#, ["aws:securetransport": ["false"]], true),
        (#"{"NumericLessThanEquals":{"s3:max-keys":10}}"#, ["s3:max-keys": ["10"]], true),
        (#"{"NumericLessThanEquals":{"s3:max-keys":"10"}}"#, ["s3:max-keys": ["11"]], false),
        (
            #"{"DateLessThan":{"aws:CurrentTime":"2013-06-01T00:00:00Z"}}"#,
            ["aws:currenttime": ["2013-05-24T00:00:00.000Z"]], true
        ),
        (#"{"Null":{"s3:x-amz-server-side-encryption":"true"}}"#, [:], true),
        (#"{"Null":{"s3:prefix":"true"}}"#, ["s3:prefix": ["a"]], false),
        (#"{"StringEquals":{"s3:ExistingObjectTag/Class":"open"}}"#, ["s3:existingobjecttag/Class": ["open"]], true),
        (
            #"{"StringEquals":{"s3:prefix":"a"},"Bool":{"aws:SecureTransport":"true"}}"#,
            ["s3:prefix": ["a"], "aws:securetransport": ["false"]], false
        ),
    ]

    @Test("Conditions", arguments: conditions)
    func holds(condition: String, context: [String: [String]], expected: Bool) throws {
        let policy = try Self.identity(
            "\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":\(condition)")
        #expect((policy.decision(Self.request("s3:ListBucket", "b", context)) == .allow) == expected)
    }

    private static let refusals: [(String, String)] = [
        (
            #""Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringMatches":{"s3:prefix":"a"}}"#,
            "StringMatches"
        ),
        (
            #""Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"s3:prefix":"a"}}"#,
            "ForAllValues"
        ),
        (
            #""Effect":"Allow","Action":"*","Resource":"*","Condition":{"NullIfExists":{"s3:prefix":"true"}}"#,
            "NullIfExists"
        ),
        (
            #""Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:VpcSourceIp":"a"}}"#,
            "aws:VpcSourceIp"
        ),
        (
            #""Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}"#,
            "10.0.0.0/33"
        ),
        (
            #""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"maybe"}}"#,
            "neither true nor false"
        ),
        (#""Effect":"Permit","Action":"*","Resource":"*""#, "Effect"), (#""Effect":"Allow","Resource":"*""#, "Action"),
        (#""Effect":"Allow","Action":"*""#, "Resource"), (#""Effect":"Allow","Action":[],"Resource":"*""#, "Action"),
        (#""Effect":"Allow","Action":"*","NotAction":"*","Resource":"*""#, "NotAction"),
        (#""Effect":"Allow","Action":"*","Resource":"bucket/*""#, "bucket/*"),
        (#""Effect":"Allow","Action":"*","Resource":"*","Principal":"*""#, "Principal"),
        (#""Effect":"Allow","Action":"*","Resource":"*","Extra":1"#, "Extra"),
        (#""Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*""#, "twice"),
    ]

    @Test("What is not understood is refused, by name", arguments: refusals)
    func refused(content: String, name: String) {
        #expect { try Self.identity(content) } throws: { error in
            guard let error = error as? S3Error else { return false }
            return error.code == .malformedPolicy && error.message.contains(name)
        }
    }

    @Test("Documents that are no policies")
    func documents() {
        for text in [
            "", "{}", "[]", "null", "{\"Statement\":[]}", "{\"Version\":\"2020-01-01\",\"Statement\":[{}]}",
            String(repeating: "[", count: 1000), "{\"Statement\":\"" + String(repeating: "a", count: 70_000) + "\"}",
        ] {
            #expect(throws: S3Error.self) { try IAMPolicy(json: Array(text.utf8)) }
        }
        let foreign = #""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*""#
        #expect(throws: S3Error.self) { try BucketPolicy(json: Self.statement(foreign), bucket: "web") }
        let service =
            #""Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::web/*""#
        #expect(throws: S3Error.self) { try BucketPolicy(json: Self.statement(service), bucket: "web") }
    }

    @Test("Random changes of a policy are refused or decided")
    func fuzz() {
        let document = Self.statement(
            #""Effect":"Allow","Action":["s3:Get*"],"Resource":"arn:aws:s3:::b/${aws:username}/*","#
                + #""Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringLike":{"s3:prefix":"a?*"}}"#)
        #expect((try? IAMPolicy(json: document)) != nil)
        var dice = Dice(state: 17)
        var read = 0
        for _ in 0..<2000 {
            var bytes = document
            for _ in 0..<Int.random(in: 1...2, using: &dice) {
                let index = Int.random(in: 0..<bytes.count, using: &dice)
                switch Int.random(in: 0..<3, using: &dice) {
                case 0: bytes[index] = UInt8.random(in: 0x20...0x80, using: &dice)
                case 1: bytes.remove(at: index)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &dice)], at: index)
                }
            }
            guard let policy = try? IAMPolicy(json: bytes) else { continue }
            read += 1
            let request = Self.request(
                "s3:PutObject", "b/anna/x", ["aws:sourceip": ["10.0.0.1"], "s3:prefix": ["abc"]])
            #expect(policy.decision(request) != .deny)
        }
        #expect(read > 100, "\(read)")
        #expect(read < 1900, "\(read)")
    }

    @Test("A request's own context")
    func context() throws {
        let head = S3RequestHead(
            method: "GET", target: "/bucket?list-type=2&prefix=a%2F&max-keys=5",
            headers: [(name: "user-agent", value: "test"), (name: "x-amz-tagging", value: "k=v")])
        let context = try S3Request(head, domain: nil).policyContext(
            sourceIP: "127.0.0.1", isSecure: false, isPresigned: true, now: Vectors.now)
        #expect(context["s3:prefix"] == ["a/"] && context["s3:max-keys"] == ["5"])
        #expect(context["aws:sourceip"] == ["127.0.0.1"] && context["aws:securetransport"] == ["false"])
        #expect(context["s3:requestobjecttag/k"] == ["v"] && context["s3:authtype"] == ["REST-QUERY-STRING"])
        #expect(context.keys.allSatisfy { PolicyConditions.isKnown($0) })
    }
}
