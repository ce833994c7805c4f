// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TrackingServer

@Suite struct ArtifactPathTests {
    @Test(arguments: [
        ("", ""), ("a", "a"), ("a/b.txt", "a/b.txt"), ("./a//b/", "a/b"), ("a%20b", "a b"), ("a%2520b", "a b"),
        ("100%.txt", "100%.txt"), ("a%", "a%"), ("a%4", "a%4"), ("..a/b..", "..a/b.."), ("a%0ab", "a%0ab"),
        ("caf%C3%A9", "café"), ("a\\b", "a\\b"), ("c:d", "c:d"), ("%2e/a", "a"),
    ])
    func takes(_ text: String, _ expected: String) throws {
        #expect(try ArtifactPath(text).text == expected)
    }

    @Test(arguments: [
        "..", "../a", "a/../b", "a/..", "%2e%2e/a", "a/%2e%2e", "%252e%252e/a", "/a", "%2fa", "//a",
        "file:///etc/passwd",
        "file:a", "a#b", "a%23b", "C:\\a", "c:/a", "\\\\server\\share", "a\0b", "a%00b", "a%2500b", "..%2f..%2fa",
        "%25252525252525252525252e",
    ])
    func refuses(_ text: String) {
        #expect(throws: ArtifactError.invalid("Invalid path")) { try ArtifactPath(text) }
    }

    @Test func refusesWhatIsTooLong() throws {
        #expect(throws: ArtifactError.self) { try ArtifactPath(String(repeating: "a", count: 256)) }
        #expect(throws: ArtifactError.self) { try ArtifactPath(String(repeating: "a/", count: 65)) }
        #expect(throws: ArtifactError.self) { try ArtifactPath(String(repeating: "é/", count: 400)) }
        #expect(throws: ArtifactError.self) { try ArtifactPath(String(repeating: "a", count: 1 << 20)) }
        let deep = try ArtifactPath(String(repeating: "a/", count: 40))
        #expect(throws: ArtifactError.self) { try deep.appending(deep) }
    }

    @Test func keepsItsOwnNames() {
        let message = "Artifact names starting with '.artifact.uploading.' are reserved."
        #expect {
            try ArtifactPath("a/.artifact.uploading.x")
        } throws: { error in
            "\(error)".hasSuffix(message)
        }
    }

    /// A combining character makes one Character of what stands before it; names are split by bytes all the same.
    @Test func splitsByBytes() throws {
        #expect(throws: ArtifactError.self) { try ArtifactPath("a/\u{338}../../b") }
        #expect(throws: ArtifactError.self) { try ArtifactPath("a#\u{338}b") }
        #expect(try ArtifactPath("a/\u{338}b").names.count == 2)
    }

    /// Whatever comes: a path that is taken has names that lead nowhere else, and is taken again as it is.
    @Test func fuzz() throws {
        var generator = Seeded(state: 7)
        let pieces = [
            "..", ".", "/", "%", "%2e", "%2f", "%25", "a", "#", "\\", "\u{338}", "é", "\0", "%00", "file:", " ",
        ]
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 1...8, using: &generator))
                .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            guard let path = try? ArtifactPath(text) else { continue }
            for name in path.names {
                #expect(
                    !["", ".", ".."].contains(name) && !name.utf8.contains(0) && !name.utf8.contains(0x2F), "\(text)")
            }
        }
    }
}

struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
