// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import CEL

/// What the libraries of Kubernetes give.
@Suite struct LibraryTests {
    @Test func strings() {
        let table = #"""
            "hello".contains("ell") => true
            "hello".startsWith("he") => true
            "hello".endsWith("lo") => true
            "tacocat".charAt(3) => "o"
            "abc".charAt(3) => ""
            "abc".charAt(4) => error: index out of range: 4
            "hello mellow".indexOf("ello") => 1
            "hello mellow".indexOf("jello") => -1
            "hello mellow".indexOf("", 2) => 2
            "hello mellow".indexOf("ello", 2) => 7
            "hello mellow".indexOf("ello", 20) => error: index out of range: 20
            "hello mellow".lastIndexOf("ello") => 7
            "hello mellow".lastIndexOf("ello", 6) => 1
            "hello mellow".lastIndexOf("") => 12
            "TacoCÆt".lowerAscii() => "tacocÆt"
            "tacoCæt".upperAscii() => "TACOCæT"
            "hello hello".replace("he", "we") => "wello wello"
            "hello hello".replace("he", "we", 1) => "wello hello"
            "hello hello".replace("he", "we", 0) => "hello hello"
            "ab".replace("", "_") => "_a_b_"
            "a,b,c".split(",") => ["a", "b", "c"]
            "a,b,c".split(",", 2) => ["a", "b,c"]
            "a,b,c".split(",", 0) => []
            "héy".split("") => ["h", "é", "y"]
            ["a", "b"].join() => "ab"
            ["a", "b"].join("-") => "a-b"
            [].join("-") => ""
            "tacocat".substring(4) => "cat"
            "tacocat".substring(0, 4) => "taco"
            "tacocat".substring(4, 3) => error: invalid substring range. start: 4, end: 3
            "tacocat".substring(8) => error: index out of range: 8
            "  \ttrim\n ".trim() => "trim"
            "héy".reverse() => "yéh"
            strings.quote("a\n\"b\"") => "\"a\\n\\\"b\\\"\""
            "%s is %d years".format(["Ann", 5]) => "Ann is 5 years"
            "%.2f".format([3.14159]) => "3.14"
            "%.3e".format([1234.5678]) => "1.235e+03"
            "%f".format([0.5]) => "0.500000"
            "%.0f".format([2.5]) => "2"
            "%x %X %o %b".format([255, 255, 8, 5]) => "ff FF 10 101"
            "%x".format(["hi"]) => "6869"
            "100%%".format([]) => "100%"
            "%s".format([[1, 2], dyn("a")][0]) => error: too many arguments
            "%s".format([dyn([dyn(1), 2.5, "a"])]) => "[1, 2.5, a]"
            "%s".format([{"k": true}]) => "{k: true}"
            "%d".format(["a"]) => error: %d cannot be used on string
            "%s".format([]) => error: index 0 out of range
            "%s".format([1, 2]) => error: too many arguments
            "%z".format([1]) => error: unrecognized formatting clause
            base64.encode(b"hello") => "aGVsbG8="
            base64.decode("aGVsbG8=") => b"\x68\x65\x6c\x6c\x6f"
            base64.decode("aGVsbG8") => b"\x68\x65\x6c\x6c\x6f"
            """#
        #expect(ExpressionTable.run(table) == 52)
    }

    @Test func lists() {
        let table = #"""
            [1, 2, 2].isSorted() => true
            [2, 1].isSorted() => false
            ["a", "b"].isSorted() => true
            [1, 2, 3].sum() => 6
            [1.5, 2.5].sum() => 4.0
            [duration("1m"), duration("1s")].sum() => duration("61s")
            [].sum() => 0
            [3, 1].min() => 1
            [3, 1].max() => 3
            ["b", "a"].min() => "a"
            [1].filter(x, x > 1).min() => error: min called on empty list
            [1, 2, 1].indexOf(1) => 0
            [1, 2, 1].lastIndexOf(1) => 2
            [1, 2].indexOf(3) => -1
            [1, 2, 3, 4].slice(1, 3) => [2, 3]
            [1].slice(0, 2) => error: cannot slice(0, 2), list is length 1
            [[1], [2, 3]].flatten() => [1, 2, 3]
            [dyn([1, [2, dyn([3])]])].flatten(2) => compile: expected type 'int'
            [1, 2, 1].distinct() => [1, 2]
            [3, 1, 2].sort() => [1, 2, 3]
            ["b", "a"].sort() => ["a", "b"]
            [{"n": 2}, {"n": 1}].sortBy(e, e.n) => [{"n": 1}, {"n": 2}]
            [1, 2].reverse() => [2, 1]
            lists.range(3) => [0, 1, 2]
            sets.contains([1, 2, 3], [2]) => true
            sets.contains([1], [2]) => false
            sets.equivalent([1, 2, 2], [2, 1]) => true
            sets.intersects([1], [2]) => false
            sets.intersects([1, 2], [2, 3]) => true
            """#
        #expect(ExpressionTable.run(table) == 29)
    }

    @Test func patterns() {
        let table = #"""
            "abc123".matches("^[a-z]+[0-9]+$") => true
            "abc".matches("b") => true
            matches("abc", "^b") => false
            "abc 123".find("[0-9]+") => "123"
            "abc".find("[0-9]+") => ""
            "123 abc 456".findAll("[0-9]+") => ["123", "456"]
            "123 abc 456".findAll("[0-9]+", 1) => ["123"]
            "abc".findAll("x") => []
            "baab".findAll("a*") => ["", "aa", ""]
            "abc".matches("(") => compile: invalid matches argument
            "abc".matches("(?=a)") => compile: invalid matches argument
            "abc".matches("(" + "") => error: error parsing regexp
            """#
        #expect(ExpressionTable.run(table) == 12)
    }

    @Test func quantities() {
        let table = #"""
            quantity("1Gi").isGreaterThan(quantity("1G")) => true
            quantity("1000m").compareTo(quantity("1")) => 0
            quantity("1Mi").isLessThan(quantity("1Ki")) => false
            quantity("50k").add(quantity("20k")) == quantity("70k") => true
            quantity("50k").sub(20000) == quantity("30k") => true
            quantity("0.5Ki").asInteger() => 512
            quantity("1500m").isInteger() => false
            quantity("1500m").asInteger() => error: cannot convert value to integer
            quantity("1500m").asApproximateFloat() => 1.5
            quantity("-1").sign() => -1
            quantity("1e3").asInteger() => 1000
            quantity("100m") < quantity("1") => compile: found no matching overload for '_<_'
            quantity("x") => error: quantities must match the regular expression
            isQuantity("10Mi") => true
            isQuantity("10MI") => false
            type(quantity("1")) == kubernetes.Quantity => true
            semver("1.2.3").compareTo(semver("1.10.0")) => -1
            semver("1.0.0-rc.1").isLessThan(semver("1.0.0")) => true
            semver("1.2.3").minor() => 2
            isSemver("v1.0") => false
            isSemver("v1.0", true) => true
            """#
        #expect(ExpressionTable.run(table) == 21)
    }

    @Test func networks() {
        let table = #"""
            ip("192.168.0.1").family() => 4
            ip("2001:db8::1").family() => 6
            isIP("1.2.3.256") => false
            isIP("01.2.3.4") => false
            isIP("::ffff:1.2.3.4") => false
            isIP("fe80::1%eth0") => false
            ip("x") => error: parse error during conversion from string
            ip.isCanonical("2001:db8::abcd") => true
            ip.isCanonical("2001:DB8::ABCD") => false
            ip("127.0.0.1").isLoopback() => true
            ip("::1").isLoopback() => true
            ip("0.0.0.0").isUnspecified() => true
            ip("224.0.0.1").isLinkLocalMulticast() => true
            ip("169.254.169.254").isLinkLocalUnicast() => true
            ip("8.8.8.8").isGlobalUnicast() => true
            ip("255.255.255.255").isGlobalUnicast() => false
            string(ip("2001:db8:0:0:0:0:0:1")) => "2001:db8::1"
            cidr("192.168.0.0/24").containsIP(ip("192.168.0.7")) => true
            cidr("192.168.0.0/24").containsIP("192.168.1.7") => false
            cidr("10.0.0.0/8").containsCIDR(cidr("10.1.0.0/16")) => true
            cidr("10.0.0.0/8").containsCIDR("11.0.0.0/8") => false
            cidr("192.168.1.5/24").masked() => cidr("192.168.1.0/24")
            cidr("192.168.1.5/24").ip() => ip("192.168.1.5")
            cidr("192.168.0.0/24").prefixLength() => 24
            isCIDR("192.168.0.0/33") => false
            isCIDR("192.168.0.0/024") => false
            url("https://user:pw@example.com:8443/a%20b?x=1&x=2&y#z").getHost() => "example.com:8443"
            url("https://example.com:8443/").getHostname() => "example.com"
            url("https://example.com:8443/").getPort() => "8443"
            url("https://[::1]:80/").getHostname() => "::1"
            url("HTTPS://example.com/").getScheme() => "https"
            url("/a/b?k=v").getEscapedPath() => "/a/b"
            url("https://e.com/?k=a&k=b&e=").getQuery() => {"e": [""], "k": ["a", "b"]}
            isURL("../relative") => false
            isURL("https://e.com/%zz") => false
            url("relative") => error: URL parse error
            """#
        #expect(ExpressionTable.run(table) == 36)
    }

    @Test func formats() {
        let table = #"""
            format.dns1123Label().validate("my-name") => optional.none()
            format.dns1123Label().validate("My").hasValue() => true
            format.dns1123Subdomain().validate("a.b.c") => optional.none()
            format.dns1123LabelPrefix().validate("name-") => optional.none()
            format.dns1035Label().validate("1a").hasValue() => true
            format.qualifiedName().validate("example.com/name") => optional.none()
            format.qualifiedName().validate("/name").hasValue() => true
            format.labelValue().validate("") => optional.none()
            format.labelValue().validate("a b").hasValue() => true
            format.uuid().validate("123e4567-e89b-12d3-a456-426614174000") => optional.none()
            format.date().validate("2024-13-01") => optional.of(["invalid date"])
            format.datetime().validate("2024-01-01T00:00:00Z") => optional.none()
            format.byte().validate("aGk=") => optional.none()
            format.uri().validate("https://e.com") => optional.none()
            format.named("dns1123Label").hasValue() => true
            format.named("nothing") => optional.none()
            """#
        #expect(ExpressionTable.run(table) == 16)
    }

    @Test func maths() {
        let table = #"""
            math.greatest(1, 2) => 2
            math.greatest([1, 5, 3]) => 5
            math.greatest(1, 2.5, 2u) => 2.5
            math.least(-1, 2) => -1
            math.ceil(1.2) => 2.0
            math.floor(-1.2) => -2.0
            math.round(2.5) => 3.0
            math.round(-2.5) => -3.0
            math.trunc(-1.9) => -1.0
            math.abs(-3) => 3
            math.abs(-9223372036854775808) => error: integer overflow
            math.sign(-2.5) => -1.0
            math.isNaN(0.0 / 0.0) => true
            math.isInf(1.0 / 0.0) => true
            math.sqrt(16) => 4.0
            math.bitAnd(6, 3) => 2
            math.bitOr(6, 3) => 7
            math.bitXor(6, 3) => 5
            math.bitNot(0) => -1
            math.bitShiftLeft(1, 4) => 16
            math.bitShiftRight(-1, 60) => 15
            math.bitShiftLeft(1, -1) => error: negative offset
            math.bitShiftLeft(1, 64) => 0
            """#
        #expect(ExpressionTable.run(table) == 23)
    }

    /// Signatures are text: each must have been understood.
    @Test func everySignatureIsRead() {
        for function in CELFunction.table.values { #expect(!function.overloads.isEmpty, "\(function.name)") }
        #expect(
            CELSignatureParser.overload(".list(A), A -> int")?.parameters == [.list(.parameter("A")), .parameter("A")])
        #expect(CELSignatureParser.overload("lost(A) -> int") == nil)
        #expect(CELFunction.table["indexOf"]?.overloads.count == 3)
    }

    @Test func accessIsAskedOfTheHost() throws {
        let environment = CELEnvironment(variables: ["authorizer": .authorizer])
        let program = try CELProgram(
            compiling: "authorizer.group('apps').resource('deployments').subresource('scale').namespace('n').name('d')"
                + ".check('get').allowed()", environment: environment)
        var asked = CELAccessQuestion()
        (asked.verb, asked.group, asked.resource, asked.subresource) = ("get", "apps", "deployments", "scale")
        (asked.namespace, asked.name) = ("n", "d")
        var budget = CELBudget()
        let values: [String: CELValue] = ["authorizer": .access(.authorizer)]
        let allowing = CELActivation(values) { [asked] in CELDecision(isAllowed: $0 == asked) }
        #expect(ExpressionTable.literal(try program.evaluate(allowing, budget: &budget)) == "true")
        #expect(budget.remaining < 10_000_000 - 350_000)
        let unknowing = CELActivation(values) { _ in nil }
        #expect(throws: CELError(code: .needsDecision(asked), message: "the authorizer was not asked yet")) {
            try program.evaluate(unknowing, budget: &budget)
        }
    }
}
