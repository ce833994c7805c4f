// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing
import TrackingModel

@Suite("Webhooks")
struct WebhookTests {
    @Test(
        "Addresses of the Internet are public, all others are not",
        arguments: [
            ([8, 8, 8, 8], true), ([1, 1, 1, 1], true), ([192, 167, 255, 255], true), ([172, 32, 0, 1], true),
            ([0, 0, 0, 0], false), ([10, 1, 2, 3], false), ([100, 64, 0, 1], false), ([100, 128, 0, 1], true),
            ([127, 0, 0, 1], false), ([169, 254, 169, 254], false), ([172, 16, 0, 1], false), ([172, 31, 9, 9], false),
            ([192, 168, 1, 1], false), ([198, 19, 0, 1], false), ([224, 0, 0, 1], false),
            ([255, 255, 255, 255], false),
        ] as [([UInt8], Bool)])
    func fourBytes(_ address: [UInt8], _ isPublic: Bool) {
        #expect(PublicAddress.contains(address) == isPublic)
        // Wrapped: mapped, NAT64, 6to4.
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + address
        let translated: [UInt8] = [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0] + address
        let sixToFour: [UInt8] = [0x20, 0x02] + address + [UInt8](repeating: 0, count: 10)
        for wrapped in [mapped, translated, sixToFour] { #expect(PublicAddress.contains(wrapped) == isPublic) }
    }

    @Test(
        "Addresses of IPv6",
        arguments: [
            ([0x26, 0x06, 0x47, 0x00], true), ([0x2A, 0x00, 0x14, 0x50], true), ([], false), ([0xFE, 0x80], false),
            ([0xFC, 0x00], false), ([0xFD, 0x12], false), ([0xFF, 0x02], false), ([0x20, 0x01, 0x0D, 0xB8], false),
            ([0x01, 0x00], false), ([0x20, 0x01, 0x00, 0x00], false),
        ] as [([UInt8], Bool)])
    func sixteenBytes(_ start: [UInt8], _ isPublic: Bool) {
        var address = start + [UInt8](repeating: 0, count: 16 - start.count)
        address[15] = 1
        #expect(PublicAddress.contains(address) == isPublic)
        #expect(!PublicAddress.contains(start + [1]))
    }

    @Test(
        "URLs of which the host is clear",
        arguments: [
            ("https://example.com/hook", "example.com"), ("HTTPS://Example.COM:8443?x=1", "example.com"),
            ("https://[2001:db8::1]:9/", "2001:db8::1"), ("https://8.8.8.8#x", "8.8.8.8"),
        ])
    func urls(_ text: String, _ host: String) throws {
        let url = try WebhookURL(text, schemes: ["https"])
        #expect(url.host == host && url.scheme == "https" && url.text == text)
    }

    @Test(
        "Other URLs are refused",
        arguments: [
            "", "  ", "http://example.com", "ftp://example.com", "example.com", "https:", "https://", "https:///path",
            "https://user@example.com/", "https://a:b@example.com", "https://evil.com\\@example.com/",
            "https://exa mple.com",
            "https://example.com/\u{7}", "https://ex\u{E4}mple.com", "https://ex%61mple.com", "https://[::1%25lo]",
            "https://" + String(repeating: "a", count: 500),
            "1https://example.com", "://example.com", "https://?x", "https://:80",
        ])
    func otherURLs(_ text: String) {
        #expect(throws: TrackingError.self) { try WebhookURL(text, schemes: ["https"]) }
    }

    @Test("Bytes of all kinds are a URL or are refused")
    func damagedURLs() {
        var random = Repeated(seed: 7)
        let start = Array("https://user:x@[::1]example.com:80/a?b#c".unicodeScalars)
        for _ in 0..<3000 {
            var scalars = start
            for _ in 0..<Int(random.next() % 5) {
                let place = Int(random.next() % UInt64(scalars.count))
                let scalar = Unicode.Scalar(UInt32(random.next() % 0x250)) ?? "x"
                if random.next() % 3 == 0 { scalars.remove(at: place) } else { scalars[place] = scalar }
            }
            var text = ""
            text.unicodeScalars.append(contentsOf: scalars)
            guard let url = try? WebhookURL(text, schemes: ["https"]) else { continue }
            #expect(!url.host.isEmpty && !url.host.contains("@") && !url.host.contains("/"))
        }
    }

    @Test("Events are those of MLflow")
    func events() throws {
        let event = try WebhookEvent(["entity": "MODEL_VERSION_ALIAS", "action": "CREATED"])
        #expect(event.name == "model_version_alias.created" && WebhookEvent(name: event.name[...]) == event)
        #expect(try WebhookEvent(event.json) == event)
        #expect(WebhookEvent(name: "model_version.deleted") == nil && WebhookEvent(name: "prompt") == nil)
        #expect(event.example == ["name": "example_model", "alias": "example_alias", "version": "1"])
        for (entity, action, words) in [
            ("REGISTERED_MODEL", "DELETED", "Valid actions are: ['created']"),
            ("PROMPT_TAG", "CREATED", "Valid actions are: ['deleted', 'set']"),
            ("NOTHING", "CREATED", "'nothing' is not a valid WebhookEntity"),
        ] {
            do {
                _ = try WebhookEvent(["entity": .string(entity), "action": .string(action)])
                Issue.record("\(entity).\(action) was taken")
            } catch {
                #expect(error.code == .invalidParameterValue && error.description.contains(words))
            }
        }
        #expect(throws: TrackingError.self) { try WebhookChange.events([]) }
        #expect(try WebhookChange.events([event.json, event.json]) == [event])
    }

    @Test("Names")
    func names() throws {
        for name in ["a", "A-b.c_9", String(repeating: "x", count: 63)] {
            #expect(try WebhookChange.checkedName(name) == name)
        }
        for name in ["", "-a", "a-", "a b", "\u{E4}", "a\n", String(repeating: "x", count: 64)] {
            #expect(throws: TrackingError.self) { try WebhookChange.checkedName(name) }
        }
    }
}

/// Numbers that are the same at each run (SplitMix64).
private struct Repeated {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
