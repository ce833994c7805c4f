// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Gateway

/// When an issuer's keys are fetched, and what of a set is used.
@Suite struct RemoteKeysTests {
    private static let start = ContinuousClock.now

    @Test func refreshes() {
        var refresh = KeyRefresh()
        var now = Self.start
        #expect(refresh.step(isKnown: false, now: now) == .fetchFirst)
        refresh.began(now)
        refresh.ended(isGood: false, now: now)
        #expect(refresh.step(isKnown: false, now: now) == .use)
        now += KeyRefresh.firstPause
        #expect(refresh.step(isKnown: false, now: now) == .fetchFirst)
        refresh.ended(isGood: true, now: now)
        #expect(refresh.step(isKnown: true, now: now) == .use)
        // Names out of the air cost one fetch a pause.
        #expect(refresh.step(isKnown: false, now: now + .seconds(9)) == .use)
        #expect(refresh.step(isKnown: false, now: now + KeyRefresh.pause) == .fetchFirst)
        // Old ones go on while they are fetched anew, also where that fails.
        now += KeyRefresh.age
        #expect(refresh.step(isKnown: true, now: now) == .useAndFetch)
        refresh.ended(isGood: false, now: now)
        #expect(refresh.hasKeys)
        #expect(refresh.step(isKnown: true, now: now) == .use)
        #expect(refresh.step(isKnown: true, now: now + KeyRefresh.pause) == .useAndFetch)
    }

    private static let point =
        #""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","#
        + #""y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#

    private static func set(_ keys: String...) -> String { #"{"keys":[\#(keys.joined(separator: ","))]}"# }

    @Test func whatIsNoKeyOfOursIsLeftOut() async throws {
        let text = Self.set(
            #"{"kid":"enc","use":"enc",\#(Self.point)}"#, #"{"kid":"oct","kty":"oct","k":"c2VjcmV0"}"#,
            #"{"kid":"new","kty":"PQ"}"#, #"{"kid":"half","kty":"EC","crv":"P-256","x":"MKBC"}"#, "{}",
            #"{"kid":"a","use":"sig","alg":"ES256",\#(Self.point)}"#, #"{\#(Self.point)}"#)
        let names = try await KeySet(json: text.utf8).names
        #expect(names.contains("a") && names.isDisjoint(with: ["enc", "oct", "new"]))
    }

    @Test(arguments: ["", "{}", "[]", #"{"keys":[]}"#, #"{"keys":[{}]}"#, #"{"keys":{}}"#, "\u{0}"])
    func whatIsNoSet(_ text: String) async {
        await #expect(throws: (any Error).self) { try await KeySet(json: text.utf8) }
    }

    @Test func aSetOfTooMany() async {
        let keys = (0...KeySet.most).map { #"{"kid":"\#($0)",\#(Self.point)}"# }
        await #expect(throws: (any Error).self) {
            try await KeySet(json: #"{"keys":[\#(keys.joined(separator: ","))]}"#.utf8)
        }
    }

    /// Bytes of a set changed at random: a set or an error.
    @Test func damagedSets() async {
        let text = Array(Self.set(#"{"kid":"a","use":"sig","alg":"ES256",\#(Self.point)}"#).utf8)
        var random = UInt64(7)
        for _ in 0..<200 {
            var bytes = text
            for _ in 0..<3 {
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(random >> 33) % bytes.count] = UInt8(truncatingIfNeeded: random >> 24)
            }
            if let set = try? await KeySet(json: bytes) { #expect(set.names.count == 1) }
        }
    }

    @Test func whatCannotBeFetchedLeavesWhatIsThere() async {
        let answers = Mutex([Self.set(#"{"kid":"a",\#(Self.point)}"#)])
        let asked = Atomic(0)
        let start = ContinuousClock.now
        let keys = RemoteKeys("http://issuer.test/keys") { _ in
            asked.wrappingAdd(1, ordering: .relaxed)
            guard let answer = answers.withLock({ $0.popLast() }) else { throw CancellationError() }
            return Array(answer.utf8)
        }
        #expect(await keys.keys(for: "a")?.names == ["a"])
        // Many that name what is not there: within the pause, none is fetched for them.
        for number in 0..<50 { #expect(await keys.keys(for: "\(number)")?.names == ["a"]) }
        #expect(await keys.keys(for: nil)?.names == ["a"])
        // On a slow machine the pause may be over before they all came.
        let pauses = Int((ContinuousClock.now - start) / KeyRefresh.pause)
        #expect((1...1 + pauses).contains(asked.load(ordering: .relaxed)))
    }
}
