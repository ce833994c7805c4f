// SPDX-License-Identifier: Apache-2.0
import Foundation
import HummingbirdCore
import NIOCore
import S3Protocol
import Testing

@testable import TrackingServer

@Suite struct ArtifactFolderTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent("artifacts-\(UUID())").path

    private func withStore(_ body: (ArtifactFolder) async throws -> Void) async throws {
        let store = ArtifactFolder(root)
        try await store.prepare()
        defer { try? FileManager.default.removeItem(atPath: root) }
        try await body(store)
    }

    private func write(_ store: ArtifactFolder, _ path: String, _ text: String, length: Int64? = nil) async throws {
        try await store.write(ArtifactPath(path), RequestBody(buffer: ByteBuffer(string: text)), length: length)
    }

    private func read(_ store: ArtifactFolder, _ path: String, _ range: ByteRange? = nil) async throws -> String {
        String(buffer: try await bytes(try await store.read(ArtifactPath(path), range: range)))
    }

    private func bytes(_ content: ArtifactContent) async throws -> ByteBuffer {
        let collected = Collected()
        try await content.body.write(CollectingWriter(collected: collected))
        return collected.buffer.withLock { $0 }
    }

    /// What is in the folder for uploads.
    private func aside() -> [String]? {
        try? FileManager.default.contentsOfDirectory(atPath: root + "/" + ArtifactFolder.aside)
    }

    @Test func roundTrip() async throws {
        try await withStore { store in
            try await write(store, "1/run/artifacts/a.txt", "hello", length: 5)
            try await write(store, "1/run/artifacts/empty", "", length: 0)
            try await write(store, "1/run/artifacts/sub/b", "x")
            #expect(try await read(store, "1/run/artifacts/a.txt") == "hello")
            #expect(try await read(store, "1/run/artifacts/empty") == "")
            #expect(
                try await store.list(ArtifactPath("1/run/artifacts")) == [
                    ArtifactEntry(name: "a.txt", size: 5), ArtifactEntry(name: "empty", size: 0),
                    ArtifactEntry(name: "sub", size: nil),
                ])
            #expect(try await store.list(.root).map(\.name) == ["1"])
            #expect(try await store.list(ArtifactPath("1/none")).isEmpty)
            #expect(try await store.list(ArtifactPath("1/run/artifacts/a.txt")).isEmpty)
            try await write(store, "1/run/artifacts/a.txt", "other")
            #expect(try await read(store, "1/run/artifacts/a.txt") == "other")
            #expect(aside() == [])
        }
    }

    @Test func largeBodiesOfManyParts() async throws {
        try await withStore { store in
            let parts = (0..<100).map { ByteBuffer(repeating: UInt8($0), count: 30_001) }
            let path = try ArtifactPath("large")
            let body = RequestBody(
                asyncSequence: AsyncStream { stream in
                    for part in parts { stream.yield(part) }
                    stream.finish()
                })
            try await store.write(path, body, length: 3_000_100)
            let whole = parts.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
            #expect(try await bytes(try await store.read(path, range: nil)) == whole)
            let part = try await store.read(path, range: .closed(29_990, 600_000))
            #expect(part.range == 29_990..<600_001 && part.size == 3_000_100)
            #expect(try await bytes(part) == whole.getSlice(at: 29_990, length: 570_011))
        }
    }

    @Test func ranges() async throws {
        try await withStore { store in
            try await write(store, "a", "0123456789")
            #expect(try await read(store, "a", .from(7)) == "789")
            #expect(try await read(store, "a", .suffix(2)) == "89")
            await #expect(throws: ArtifactError.range(size: 10)) { try await read(store, "a", .from(10)) }
        }
    }

    @Test func bodiesThatEndEarlyLeaveNothing() async throws {
        try await withStore { store in
            try await write(store, "a", "old")
            await #expect(throws: ArtifactError.incomplete("the body of a ended after 3 of 4 bytes: send it again")) {
                try await write(store, "a", "new", length: 4)
            }
            await #expect(throws: ArtifactError.self) { try await write(store, "a", "new", length: 2) }
            let failing = AsyncThrowingStream<ByteBuffer, any Error> { stream in
                stream.yield(ByteBuffer(string: "new"))
                stream.finish(throwing: ChannelError.inputClosed)
            }
            await #expect(throws: ArtifactError.self) {
                try await store.write(ArtifactPath("a"), RequestBody(asyncSequence: failing), length: nil)
            }
            #expect(try await read(store, "a") == "old")
            #expect(aside() == [])
        }
    }

    @Test func deletion() async throws {
        try await withStore { store in
            for name in ["x/a", "x/b/c", "x/b/d/e", "y"] { try await write(store, name, name) }
            try await store.delete(ArtifactPath("x/b"))
            #expect(try await store.list(ArtifactPath("x")).map(\.name) == ["a"])
            try await store.delete(ArtifactPath("x/b"))
            try await store.delete(ArtifactPath("x/a"))
            try await store.delete(ArtifactPath("none/at/all"))
            #expect(try await store.list(.root).map(\.name) == ["x", "y"])
            await #expect(throws: ArtifactError.invalid("Invalid path")) { try await store.delete(.root) }
            #expect(aside() == [])
        }
    }

    @Test func whatIsNotThereOrOfAnotherKind() async throws {
        try await withStore { store in
            try await write(store, "a/b", "1")
            await #expect(throws: ArtifactError.missing("a/c")) { try await read(store, "a/c") }
            await #expect(throws: ArtifactError.missing("a/b/c")) { try await read(store, "a/b/c") }
            await #expect(throws: ArtifactError.invalid("Artifact path refers to a directory, not a file: 'a'")) {
                try await read(store, "a")
            }
            await #expect(throws: ArtifactError.invalid("Invalid path: a is a folder")) {
                try await write(store, "a", "1")
            }
            await #expect(throws: ArtifactError.invalid("Invalid path: a part of a/b/c is a file")) {
                try await write(store, "a/b/c", "1")
            }
            #expect(aside() == [])
        }
    }

    @Test func linksAreNotFollowed() async throws {
        try await withStore { store in
            let outside = root + "-outside"
            try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: outside) }
            try Data("secret".utf8).write(to: URL(fileURLWithPath: outside + "/s"))
            try FileManager.default.createSymbolicLink(atPath: root + "/link", withDestinationPath: outside)
            try FileManager.default.createSymbolicLink(atPath: root + "/file", withDestinationPath: outside + "/s")
            let refusal = ArtifactError.invalid("Invalid path: resolved path is outside the artifact directory")
            await #expect(throws: refusal) { try await read(store, "link/s") }
            await #expect(throws: refusal) { try await read(store, "file") }
            await #expect(throws: refusal) { try await write(store, "link/new", "x") }
            await #expect(throws: refusal) { _ = try await store.list(ArtifactPath("link")) }
            await #expect(throws: refusal) { try await store.delete(ArtifactPath("link/s")) }
            #expect(try await store.list(.root).isEmpty)
            // The link itself may be replaced and removed, and what it leads to stays.
            try await write(store, "file", "own")
            try await store.delete(ArtifactPath("link"))
            #expect(try Data(contentsOf: URL(fileURLWithPath: outside + "/s")) == Data("secret".utf8))
        }
    }

    @Test func whatACrashLeftIsCollected() async throws {
        try await withStore { store in
            try await write(store, "kept", "1")
            let aside = root + "/" + ArtifactFolder.aside
            try Data("half".utf8).write(to: URL(fileURLWithPath: aside + "/upload"))
            try FileManager.default.createDirectory(atPath: aside + "/removed/x", withIntermediateDirectories: true)
            let running = try OpenFolder(root: aside).newFile("running")
            #expect(running.lock())
            try await ArtifactFolder(root).prepare()
            #expect(self.aside() == ["running"])
            #expect(try await read(store, "kept") == "1")
        }
    }
}
