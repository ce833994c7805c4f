// SPDX-License-Identifier: Apache-2.0
import DeltaProtocol
import Foundation
import Testing

@testable import DeltaTables

@Suite("Tables' files in a folder")
struct FolderStorageTests {
    @Test("A file is created by exactly one of many")
    func onlyOne() async throws {
        let folder = try TestFolder()
        for round in 0..<20 {
            let winners = await withTaskGroup(of: Int?.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        let storage = FolderStorage(folder.path + "/")
                        let isFirst = try? await storage.putIfAbsent("_delta_log/\(round)", Array("\(writer)".utf8))
                        return isFirst == true ? writer : nil
                    }
                }
                return await group.reduce(into: [Int]()) { if let writer = $1 { $0.append(writer) } }
            }
            #expect(winners.count == 1)
            let found = try await FolderStorage(folder.path).read("_delta_log/\(round)", maximum: 10)
            #expect(found == winners.first.map { Array("\($0)".utf8) })
        }
        // Nothing that is not finished is left.
        #expect(folder.files("_delta_log") == (0..<20).map { "\($0)" }.sorted())
    }

    @Test("Files are listed by prefix and place, read up to a bound, replaced and deleted")
    func files() async throws {
        let folder = try TestFolder()
        let storage = FolderStorage(folder.path)
        #expect(try await storage.list("", after: nil).isEmpty)
        for path in ["a", "p=1/b", "p=1/q=2/c", "_delta_log/00.json", "_delta_log/01.json"] {
            try await storage.put(path, Array(path.utf8))
        }
        #expect(
            try await storage.list("", after: nil).map(\.path) == [
                "_delta_log/00.json", "_delta_log/01.json", "a", "p=1/b", "p=1/q=2/c",
            ])
        #expect(
            try await storage.list("_delta_log/", after: "_delta_log/00.json").map(\.path) == ["_delta_log/01.json"])
        #expect(try await storage.list("p=1/", after: nil).map(\.size) == [5, 9])
        #expect(try await storage.read("none", maximum: 1) == nil)
        await #expect(throws: DeltaError.self) { try await storage.read("p=1/b", maximum: 4) }
        try await storage.put("a", [1])
        #expect(try await storage.read("a", maximum: 4) == [1])
        try await storage.delete(["a", "a", "none"])
        #expect(try await storage.read("a", maximum: 4) == nil)
        let target = try await storage.target("n/e/w")
        try Data([7]).write(to: URL(fileURLWithPath: target))
        #expect(try await storage.publish("n/e/w", as: "final").size == 1)
        #expect(try await storage.read("final", maximum: 4) == [7])
    }

    @Test(
        "No path leads out of the folder", arguments: ["../x", "a/../../x", "/etc/passwd", "", "a//b", "./a", "a\0b"])
    func outside(path: String) async throws {
        let folder = try TestFolder()
        let storage = FolderStorage(folder.path)
        await #expect(throws: DeltaError.self) { try await storage.read(path, maximum: 1) }
        await #expect(throws: DeltaError.self) { try await storage.put(path, []) }
        await #expect(throws: DeltaError.self) { try await storage.putIfAbsent(path, []) }
        await #expect(throws: DeltaError.self) { try await storage.delete([path]) }
        await #expect(throws: DeltaError.self) { try await storage.local(path) }
    }
}
