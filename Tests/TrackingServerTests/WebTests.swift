// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import TrackingServer

@Suite struct WebTests {
    private static let text = [UInt8](String(repeating: "hello ", count: 50).utf8)
    private static let gzip: [UInt8] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 87, 200, 24, 37, 137, 32, 1, 193, 72, 66, 89, 44, 1, 0,
        0,
    ]
    private static let zlib: [UInt8] = [
        120, 156, 203, 72, 205, 201, 201, 87, 200, 24, 37, 137, 32, 1, 231, 170, 110, 41,
    ]
    private static let raw: [UInt8] = [203, 72, 205, 201, 201, 87, 200, 24, 37, 137, 32, 1]

    @Test func bodiesAreInflated() {
        #expect(Inflated.bytes(Self.gzip, .gzip, limit: 300) == Self.text)
        #expect(Inflated.bytes(Self.gzip + Self.gzip, .gzip, limit: 600) == Self.text + Self.text)
        #expect(Inflated.bytes(Self.zlib, .deflate, limit: 300) == Self.text)
        #expect(Inflated.bytes(Self.raw, .deflate, limit: 300) == Self.text)
    }

    @Test func noMoreThanTheLimit() {
        #expect(Inflated.bytes(Self.gzip, .gzip, limit: 299) == nil)
        #expect(Inflated.bytes(Self.zlib, .deflate, limit: 10) == nil)
    }

    @Test func damagedBodiesAreRefused() {
        #expect(Inflated.bytes([], .gzip, limit: 300) == nil)
        #expect(Inflated.bytes(Self.zlib, .gzip, limit: 300) == nil)
        for length in 0..<Self.gzip.count {
            #expect(Inflated.bytes(Array(Self.gzip[..<length]), .gzip, limit: 300) == nil)
        }
        for index in Self.gzip.indices {
            var bytes = Self.gzip
            bytes[index] ^= 0x55
            // What does not matter of a header may differ; a text never does.
            let inflated = Inflated.bytes(bytes, .gzip, limit: 300)
            #expect(inflated == nil || inflated == Self.text)
        }
    }

    @Test func aFolderHasToHaveThePage() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("web-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let error = #expect(throws: WebFiles.Refusal.self) { try WebFiles(folder: folder.path) }
        #expect(error?.description.contains("has no index.html") == true)
        // A link that leads elsewhere is no file of the folder.
        try FileManager.default.createSymbolicLink(
            atPath: folder.appendingPathComponent("index.html").path, withDestinationPath: "/etc/passwd")
        #expect(throws: WebFiles.Refusal.self) { try WebFiles(folder: folder.path) }
        try FileManager.default.removeItem(at: folder.appendingPathComponent("index.html"))
        try Data("page".utf8).write(to: folder.appendingPathComponent("index.html"))
        _ = try WebFiles(folder: folder.path)
    }
}
