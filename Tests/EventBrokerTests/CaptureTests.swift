// SPDX-License-Identifier: Apache-2.0
import Foundation
import KafkaProtocol
import Testing

@testable import EventBroker

/// Requests as our own codec writes them, and the broker's answers, kept in Captures/: what clients see does not change
/// unnoticed, answers with errors too. What real clients send is in Captures/Clients (``ClientCaptureTests``).
///
/// A file an API; a line a request, `STEP VERSION REQUEST RESPONSE`, both in hex without their lengths. The steps of all
/// files together are replayed in order against a fresh broker. Of answers, ids and times that differ from run to run
/// are not compared. `APUS_RECORD_CAPTURES=1` writes the files anew.
struct CaptureTests {
    @Test func everyVersionIsAnsweredAsBefore() async throws {
        if ProcessInfo.processInfo.environment["APUS_RECORD_CAPTURES"] != nil { try await record() }
        let steps = try Self.load()
        var missing: [String] = []
        for (key, api) in APITable.apis {
            for version in api.versions where !steps.contains(where: { $0.key == key && $0.version == version }) {
                missing.append("\(api.name) \(version)")
            }
        }
        #expect(missing.isEmpty, "there is no capture of \(missing.sorted())")
        try await BrokerFixture.run({ $0.initialRebalanceDelay = .zero }) { fixture in
            try await fixture.connect { client in
                // Ids that this broker gave in place of the ones in the captures; they are equally long.
                var names: [(old: [UInt8], new: [UInt8])] = []
                for step in steps where step.key != SaslAuthenticateRequest.apiKey {
                    let request = Self.replace(names, in: step.request)
                    try await client.send(withUnsafeBytes(of: Int32(request.count).bigEndian) { Array($0) } + request)
                    let answer = try #require(try await client.answer())
                    try Mask.compare(step, with: answer, &names)
                    if step.key == EndTxnRequest.apiKey { #expect(await fixture.transactionsAreComplete()) }
                }
            }
            for step in steps where step.key == SaslAuthenticateRequest.apiKey {
                try await fixture.connect { client in
                    let length = withUnsafeBytes(of: Int32(step.request.count).bigEndian) { Array($0) }
                    try await client.send(length + step.request)
                    var names: [(old: [UInt8], new: [UInt8])] = []
                    try Mask.compare(step, with: try #require(try await client.answer()), &names)
                }
            }
        }
    }

    private static func replace(_ names: [(old: [UInt8], new: [UInt8])], in bytes: [UInt8]) -> [UInt8] {
        names.reduce(bytes) { $0.replacing($1.old, with: $1.new) }
    }

    // MARK: Files

    private static func load() throws -> [Scenario.Step] {
        let steps = try CaptureFiles.lines().map { key, fields in
            (
                number: try #require(Int(fields[0])),
                step: Scenario.Step(
                    key: key, version: try #require(Int16(fields[1])), request: try CaptureFiles.bytes(fields[2]),
                    response: try CaptureFiles.bytes(fields[3]))
            )
        }
        return steps.sorted { $0.number < $1.number }.map(\.step)
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func record() async throws {
        try await BrokerFixture.run({ $0.initialRebalanceDelay = .zero }) { fixture in
            var scenario = Scenario()
            try await fixture.connect { try await scenario.walk(&$0) }
            for version in APITable.apis[SaslAuthenticateRequest.apiKey]?.versions ?? 0...0 {
                try await fixture.connect { try await scenario.authenticate(&$0, version) }
            }
            try FileManager.default.createDirectory(at: CaptureFiles.folder, withIntermediateDirectories: true)
            for (key, steps) in Dictionary(grouping: scenario.steps.enumerated(), by: { $0.element.key }) {
                let name = APITable.name(key)
                let lines = steps.map {
                    "\($0.offset) \($0.element.version) \(Self.hex($0.element.request)) \(Self.hex($0.element.response))"
                }
                var text = "# \(name) (API \(key)), made by our own codec: step, version, request, response\n"
                if let unsent = ClientCaptureTests.unsent[key] {
                    text += "# No client sends version \(unsent.sorted()): it is only here.\n"
                }
                text += lines.joined(separator: "\n") + "\n"
                try text.write(
                    to: CaptureFiles.folder.appendingPathComponent("\(key)-\(name).hex"), atomically: true,
                    encoding: .utf8)
            }
        }
    }
}
