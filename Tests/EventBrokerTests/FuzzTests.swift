// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import NIOCore
import NIOPosix
import Testing

@testable import EventBroker

/// Requests that are almost valid: refused or answered, never more.
struct FuzzTests {
    /// A generator whose numbers are the same in every run (SplitMix64).
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    private static func mutated(_ frame: [UInt8], _ random: inout Random) -> [UInt8] {
        var bytes = frame
        // The kind of request and its version stay, so that its decoder is reached.
        func place(_ random: inout Random) -> Int { .random(in: min(8, bytes.count)...bytes.count, using: &random) }
        for _ in 0..<Int.random(in: 1...2, using: &random) {
            let at = place(&random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1 where at < bytes.count: bytes[at] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
            case 2: bytes.removeSubrange(at...)
            case 3:
                bytes.insert(
                    contentsOf: (0..<Int.random(in: 1...9, using: &random)).map { _ in
                        UInt8.random(in: .min ... .max, using: &random)
                    }, at: at)
            case 4:
                let end = min(bytes.count, at + 4)
                bytes.replaceSubrange(at..<end, with: [0x7F, 0xFF, 0xFF, 0xFF].prefix(end - at))
            default:
                let end = min(bytes.count, at + .random(in: 0...8, using: &random))
                bytes.removeSubrange(at..<end)
            }
        }
        return bytes
    }

    @Test func everyDecoder() async throws {
        try await BrokerFixture.run({ $0.maximumPartitions = 60 }) { fixture in
            let broker = fixture.broker
            var scenario = Scenario()
            try await fixture.connect { try await scenario.walk(&$0) }
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: fixture.port).get()
            let client = ClientState(address: "127.0.0.1", connection: channel)
            var random = Random(state: 4)
            var refused = 0
            var begun = 0
            for step in scenario.steps {
                for _ in 0..<40 {
                    let bytes = Self.mutated(step.request, &random)
                    do throws(KafkaProtocolError) {
                        let work = try broker.begin(Frame(bytes: bytes, shares: []), client)
                        // What waits for records or members ends as if the client had gone.
                        let task = Task { await work() }
                        task.cancel()
                        let reply = await task.value
                        if let reply { #expect(reply.byteCount < 4 << 20) }
                        begun += 1
                    } catch {
                        #expect(!error.description.isEmpty)
                        refused += 1
                    }
                }
            }
            #expect(refused > 500 && begun > 500, "refused \(refused), begun \(begun)")
            try await channel.close()
            // It still works.
            try await fixture.connect { client in
                let versions = try await client.call(ApiVersionsRequest(), 0, ApiVersionsResponse.self)
                #expect(versions.errorCode == 0)
            }
        }
    }
}
