// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import GatewayRules

/// What browsers of other origins are told: the examples of Gateway API's HTTPCORSFilter.
@Suite struct CORSTests {
    static func rules(_ change: (inout CORSRules) -> Void) -> CORSRules {
        var rules = CORSRules()
        change(&rules)
        return rules
    }

    static func text(_ fields: [CORSRules.Field]) -> [String] { fields.map { "\($0.name): \($0.value)" } }

    @Test(arguments: [
        ("https://shop.test", "https://shop.test", true), ("https://shop.test", "http://shop.test", false),
        ("https://shop.test", "https://SHOP.test:443", true), ("https://shop.test", "https://shop.test:8443", false),
        ("https://*.shop.test", "https://a.shop.test", true), ("https://*.shop.test", "https://a.b.shop.test", true),
        ("https://*.shop.test", "https://shop.test", false), ("https://*.shop.test", "https://.shop.test", false),
        ("https://*.shop.test", "https://evil-shop.test", false), ("https://*.shop.test", "http://a.shop.test", false),
        ("https://*.shop.test:8443", "https://a.shop.test:8443", true), ("*", "null", true),
        ("https://shop.test", "null", false),
    ])
    func origins(_ pattern: String, _ origin: String, _ isAllowed: Bool) {
        #expect(Self.rules { $0.origins = [CORSRules.normal(pattern)] }.allows(origin) == isAllowed)
    }

    @Test func everythingWithoutCredentials() {
        let rules = Self.rules {
            ($0.origins, $0.methods, $0.headers, $0.exposed, $0.maximumAge) = (["*"], ["*"], ["*"], ["*"], 60)
        }
        #expect(
            Self.text(rules.preflight(of: "https://a.test", method: "PUT", requested: "x-a,x-b")) == [
                "access-control-allow-origin: *", "access-control-allow-methods: *", "access-control-allow-headers: *",
                "access-control-max-age: 60",
            ])
        #expect(
            Self.text(rules.answer(to: "https://a.test") { ["x-one"] }) == [
                "access-control-allow-origin: *", "access-control-expose-headers: *",
            ])
        #expect(!rules.varies)
    }

    @Test func everythingWithCredentials() {
        let rules = Self.rules {
            ($0.origins, $0.methods, $0.headers, $0.exposed, $0.allowsCredentials) = (["*"], ["*"], ["*"], ["*"], true)
        }
        #expect(
            Self.text(rules.preflight(of: "https://a.test", method: "PUT", requested: "x-a,x-b")) == [
                "access-control-allow-origin: https://a.test", "access-control-allow-credentials: true",
                "access-control-allow-methods: PUT", "access-control-allow-headers: x-a,x-b",
                "access-control-max-age: 5",
            ])
        #expect(
            Self.text(rules.answer(to: "https://a.test") { ["x-one", "x-two"] }) == [
                "access-control-allow-origin: https://a.test", "access-control-allow-credentials: true",
                "access-control-expose-headers: x-one, x-two",
            ])
        #expect(rules.varies)
    }

    @Test func listsAndOthers() {
        let rules = Self.rules {
            ($0.origins, $0.methods, $0.headers, $0.exposed) = (
                ["https://a.test"], ["GET", "DELETE"], ["x-a"], ["x-b", "x-c"]
            )
        }
        #expect(
            Self.text(rules.preflight(of: "https://a.test", method: "PUT", requested: nil)) == [
                "access-control-allow-origin: https://a.test", "access-control-allow-methods: GET, DELETE",
                "access-control-allow-headers: x-a", "access-control-max-age: 5",
            ])
        #expect(rules.preflight(of: "https://b.test", method: "GET", requested: nil).isEmpty)
        #expect(rules.answer(to: "https://b.test") { [] }.isEmpty)
    }

    @Test(arguments: [
        #"{"allowOrigins": ["shop.test"]}"#, #"{"allowOrigins": ["https://a/b"]}"#,
        #"{"allowOrigins": ["https://a.*.test"]}"#, #"{"allowMethods": ["GET\r\nX: y"]}"#, #"{"allowHeaders": [1]}"#,
        #"{"maxAge": -1}"#, #"{"maxAge": "5s"}"#,
    ])
    func whatIsWrongIsSaid(_ text: String) throws {
        let cors = try JSONParser.parse(Array(text.utf8), maxDepth: 8)
        var work = TranslationWork(
            GatewayTranslator(now: Timestamp(seconds: 0)) { $0 }, GatewayObjects([]), [:])
        let build = work.rules(
            of: ObjectsTests.route(["rules": [["filters": [["type": "CORS", "cors": cors]]]]]))
        #expect(build.rules.isEmpty)
        #expect(build.refused?.reason == "UnsupportedValue")
        #expect(build.refused?.message.contains("cors.") == true)
    }
}
