// SPDX-License-Identifier: Apache-2.0
import DataFolders
import InferenceProtocol
import Testing

@testable import ModelSources

/// A folder that is gone at the end of `body`.
func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let path =
        "/tmp/apus-sources-"
        + Checksum.hexadecimal(of: "\(ContinuousClock.now) \(Int.random(in: 0...Int.max))").prefix(16)
    try Folder.create(path)
    defer { Tree.remove(path) }
    return try await body(path)
}

/// Writes archives, also such as nobody should write.
enum Archives {
    static func header(_ name: String, size: Int, kind: Character = "0") -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at place: Int) {
            block.replaceSubrange(place..<place + text.utf8.count, with: text.utf8)
        }
        func octal(_ value: Int, _ width: Int) -> String {
            let digits = String(value, radix: 8)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        put(String(name.prefix(100)), at: 0)
        put(octal(0o644, 7), at: 100)
        put(octal(size, 11), at: 124)
        block[156] = kind.asciiValue ?? 0
        put("ustar", at: 257)
        put("00", at: 263)
        let sum = block.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
        put(octal(sum, 6) + "\0 ", at: 148)
        return block
    }

    static func entry(_ name: String, _ content: [UInt8], kind: Character = "0") -> [UInt8] {
        header(name, size: content.count, kind: kind) + content
            + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    static let end = [UInt8](repeating: 0, count: 1024)

    private static func little(_ value: Int, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(value >> (8 * $0) & 0xFF) }
    }

    /// Stored, with what a central directory says.
    static func zip(_ files: [(name: String, content: [UInt8])], mode: Int = 0o100644, sum: Int? = nil) -> [UInt8] {
        var (body, directory) = ([UInt8](), [UInt8]())
        for file in files {
            let name = Array(file.name.utf8)
            let facts =
                little(sum ?? crc(file.content), 4) + little(file.content.count, 4) + little(file.content.count, 4)
                + little(name.count, 2) + little(0, 2)
            directory +=
                little(0x0201_4B50, 4) + little(0x0314, 2) + little(20, 2) + little(0, 8) + facts + little(0, 6)
                + little(mode << 16, 4) + little(body.count, 4) + name
            body += little(0x0403_4B50, 4) + little(20, 2) + little(0, 8) + facts + name + file.content
        }
        return body + directory + little(0x0605_4B50, 4) + little(0, 4) + little(files.count, 2)
            + little(files.count, 2)
            + little(directory.count, 4) + little(body.count, 4) + little(0, 2)
    }

    static func crc(_ bytes: [UInt8]) -> Int {
        var sum: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? 0xEDB8_8320 ^ sum >> 1 : sum >> 1 }
        }
        return Int(~sum)
    }
}

@Suite("Archives")
struct ArchiveTests {
    static let limits = ArchiveLimits(bytes: 100_000, files: 20)

    /// Unpacks bytes, and gives the files that came out by their names.
    static func unpack(
        _ bytes: [UInt8], _ name: String = "a.tar", _ limits: ArchiveLimits = limits
    ) async throws -> [String: [UInt8]] {
        try await withFolder { folder in
            try NewFile(folder + "/" + name, replaces: false).write(bytes)
            try Folder.create(folder + "/out")
            let kind = try #require(Archive.Kind(name))
            defer { #expect((try? Folder.names(in: folder))?.sorted() == [name, "out"]) }
            try Archive.unpack(folder + "/" + name, kind, into: folder + "/out", limits)
            var files: [String: [UInt8]] = [:]
            func collect(_ path: String) throws {
                for name in try Folder.names(in: folder + "/out/" + path) {
                    let inner = path + name
                    if Folder.isFolder(folder + "/out/" + inner) {
                        try collect(inner + "/")
                    } else {
                        files[inner] = try Folder.read(folder + "/out/" + inner) ?? []
                    }
                }
            }
            try collect("")
            return files
        }
    }

    @Test("tar: files, folders, long names of both kinds")
    func tar() async throws {
        let long = String(repeating: "d/", count: 20) + String(repeating: "n", count: 120)
        let record = " path=pax/\(long)\n"
        let length = record.utf8.count + 3
        let bytes =
            Archives.entry("./", [], kind: "5") + Archives.entry("a/", [], kind: "5")
            + Archives.entry("a/b.txt", Array("hi".utf8))
            + Archives.entry("././@LongLink", Array(("gnu/" + long).utf8) + [0], kind: "L") + Archives.entry("cut", [1])
            + Archives.entry("x", Array("\(length)\(record)".utf8), kind: "x") + Archives.entry("cut", [2])
            + Archives.end
        #expect(try await Self.unpack(bytes) == ["a/b.txt": Array("hi".utf8), "gnu/" + long: [1], "pax/" + long: [2]])
    }

    @Test("zip: files and folders; what was cut, changed or is encrypted is refused")
    func zip() async throws {
        let good = Archives.zip([("a/b.txt", Array("hi".utf8)), ("c", [])])
        #expect(try await Self.unpack(good, "a.zip") == ["a/b.txt": Array("hi".utf8), "c": []])
        for count in stride(from: 0, to: good.count, by: 7) {
            await #expect(throws: (any Error).self) { try await Self.unpack(Array(good.prefix(count)), "a.zip") }
        }
        await #expect(throws: InferenceFault.self) {
            try await Self.unpack(Archives.zip([("a", [1])], sum: 7), "a.zip")
        }
        await #expect(throws: InferenceFault.self) {
            try await Self.unpack(Archives.zip([("link", Array("/etc/passwd".utf8))], mode: 0o120777), "a.zip")
        }
    }

    @Test(
        "names that lead elsewhere are refused",
        arguments: [
            "../x", "a/../../x", "/etc/x", "a\\..\\x", "..", "", ".", "a/../b", "a\u{7}b",
            String(repeating: "n", count: 300),
            String(repeating: "d/", count: 40) + "x",
        ])
    func names(_ name: String) async {
        #expect(throws: InferenceFault.self) { try ArchivePath.safe(name) }
        await #expect(throws: InferenceFault.self) {
            try await Self.unpack(Archives.zip([(name, [1])]), "a.zip")
        }
        if name.utf8.count <= 100 {
            await #expect(throws: (any Error).self) {
                try await Self.unpack(Archives.entry(name, [1]) + Archives.end)
            }
        }
    }

    @Test("links, devices, doubles, too much and too many are refused")
    func refusals() async {
        for kind in ["1", "2", "3", "4", "6"] as [Character] {
            await #expect(throws: InferenceFault.self) {
                try await Self.unpack(Archives.entry("x", [], kind: kind) + Archives.end)
            }
        }
        let two = Archives.entry("x", [1]) + Archives.entry("x", [2]) + Archives.end
        await #expect(throws: (any Error).self) { try await Self.unpack(two) }
        let large = Archives.entry("x", [UInt8](repeating: 1, count: 100_001)) + Archives.end
        let fault = await #expect(throws: InferenceFault.self) { try await Self.unpack(large) }
        #expect(fault?.code == .tooLarge)
        let many = (0..<21).flatMap { Archives.entry("f\($0)", []) } + Archives.end
        await #expect(throws: InferenceFault.self) { try await Self.unpack(many) }
        await #expect(throws: InferenceFault.self) {
            try await Self.unpack(Archives.entry("x", [1]).dropLast(513) + [])
        }
        await #expect(throws: InferenceFault.self) { try await Self.unpack(Array("no archive".utf8), "a.tgz") }
    }

    @Test("mutants of archives do no harm")
    func mutants() async throws {
        let tar = Archives.entry("a/b", Array("hello".utf8)) + Archives.entry("c", [1, 2, 3]) + Archives.end
        let zip = Archives.zip([("a/b", Array("hello".utf8)), ("c", [1, 2, 3])])
        var state: UInt64 = 3
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for (bytes, name) in [(tar, "a.tar"), (zip, "a.zip")] {
            for _ in 0..<150 {
                var mutant = bytes
                for _ in 0..<random(6) + 1 { mutant[random(mutant.count)] = UInt8(random(256)) }
                _ = try? await Self.unpack(mutant, name)
            }
        }
    }
}
