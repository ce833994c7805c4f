// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import TrackingModel

@testable import TrackingServer

@Suite("Telling webhooks")
struct WebhookTests {
    @Test("A signature is that of another implementation")
    func signature() {
        // printf 'id.1700000000.{}' | openssl dgst -sha256 -hmac secret -binary | base64
        #expect(
            WebhookSender.signature("secret", id: "id", time: "1700000000", Array("{}".utf8))
                == "v1,GBemBzTgbKoVEGKycqyY3615LbdJbhFLE1oQk+zZ+lo=")
    }

    @Test("A secret is read with its key only, which stays in its file")
    func secrets() async throws {
        let folder = NSTemporaryDirectory() + "apus-webhooks-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var settings = WebhookSettings()
        settings.keyFile = folder + "/key"
        // Long enough not to be in base64 of random bytes by chance.
        let secret = "s\u{E9}cretOfAWebhook"
        let sealed = try await WebhookSecrets(settings).seal(secret)
        #expect(!sealed.contains("cretOfAWebhook"))
        #expect(try await WebhookSecrets(settings).open(sealed) == secret)
        let mode = try FileManager.default.attributesOfItem(atPath: folder + "/key")[.posixPermissions] as? Int
        #expect(mode == 0o600)

        var others = WebhookSettings()
        others.passphrase = "words"
        await #expect(throws: TrackingError.self) { try await WebhookSecrets(others).open(sealed) }
        let shared = try await WebhookSecrets(others).seal("x")
        #expect(try await WebhookSecrets(others).open(shared) == "x")
        for text in ["", "AAAA", "?", String(shared.dropLast(8))] {
            await #expect(throws: TrackingError.self) { try await WebhookSecrets(others).open(text) }
        }

        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: folder + "/key"))
        await #expect(throws: TrackingError.self) { try await WebhookSecrets(settings).open(sealed) }
    }

    @Test(
        "Addresses of this machine are found, and refused where they may not be",
        arguments: [
            "127.0.0.1", "::1", "localhost", "0", "2130706433", "0x7f.1",
        ])
    func addresses(_ host: String) async throws {
        #expect(try await !HostAddresses.find(host, allowsPrivate: true).isEmpty)
        await #expect(throws: TrackingError.self) { try await HostAddresses.find(host, allowsPrivate: false) }
    }

    @Test("The first try again is at once, later ones wait longer, and never long")
    func pauses() {
        #expect(WebhookSender.pause(after: 0) == .zero)
        #expect((Duration.seconds(2)...Duration.seconds(3)).contains(WebhookSender.pause(after: 1)))
        #expect((Duration.seconds(4)...Duration.seconds(5)).contains(WebhookSender.pause(after: 2)))
        #expect(WebhookSender.pause(after: 1000) <= .seconds(61))
    }
}
