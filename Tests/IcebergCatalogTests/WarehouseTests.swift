// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import IcebergProtocol
import Testing

@testable import IcebergCatalog

@Suite struct WarehouseTests {
    @Test(arguments: [
        ("s3://bucket/lake", "s3://bucket/lake/a/b", "lake/a/b"), ("s3://bucket", "s3://bucket/a", "a"),
        ("s3://bucket/lake/", "s3://bucket/lake/a", "lake/a"),
        ("file:///data/lake", "file:///data/lake/a", "/data/lake/a"),
        ("s3://bucket/é", "s3://bucket/é/a", "é/a"),
    ])
    func locationsWithin(_ root: String, _ location: String, _ inner: String) throws {
        let warehouse = try Warehouse(root)
        #expect(try warehouse.inner(location) == inner)
        #expect(warehouse.location(inner: inner) == location)
    }

    @Test(arguments: [
        "s3://bucket/lake", "s3://bucket/lakeside/a", "s3://other/lake/a", "s3://bucket/lake/../a",
        "s3://bucket/lake//a",
        "s3://bucket/lake/./a", "s3://bucket/lake/a/", "s3://bucket/lake/a\u{0}b", "file:///lake/a", "/lake/a", "",
        // A slash with an accent is one character, and a slash all the same.
        "s3://bucket/lake/../\u{301}a", "s3://bucket/lake/a\\..",
    ])
    func locationsOutside(_ location: String) throws {
        let warehouse = try Warehouse("s3://bucket/lake")
        #expect(throws: IcebergError.self) { try warehouse.inner(location) }
    }

    @Test(arguments: [
        "", "bucket", "s3://", "s3://b", "file://", "file:///", "file://x/y", "http://x/y", "s3://bucket//a",
        "s3://bucket/../a",
    ])
    func whatIsNoWarehouse(_ text: String) { #expect(throws: IcebergError.self) { try Warehouse(text) } }

    @Test func filesOfTheCatalogAreKnownByTheirNames() throws {
        let uuid = "9c12d441-03fe-4693-9a96-a0705ddf69c1"
        let own = Warehouse.metadataName(number: 7, uuid: uuid)
        #expect(own == "00007-9c12d441-03fe-8693-a905-a0705ddf69c1.metadata.json")
        #expect(Warehouse.isOwnMetadata("s3://b/t/metadata/" + own))
        #expect(Warehouse.metadataName(number: 123_456, uuid: uuid).hasPrefix("123456-"))
        for other in ["00007-\(uuid).metadata.json", "v1.metadata.json", own + ".bak", "snap-1.avro", "", "/"] {
            #expect(!Warehouse.isOwnMetadata("s3://b/t/metadata/" + other), "\(other)")
        }
    }

    @Test func filesAreWrittenWhileTheirFoldersGo() async throws {
        let root = NSTemporaryDirectory() + "apus-warehouse-\(RandomID.uuid())"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let storage = try FolderStorage(Warehouse("file://" + root))
        try await storage.prepare()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in ["a", "b"] {
                group.addTask {
                    let location = "file://\(root)/n/t/metadata/\(name)"
                    for _ in 0..<500 {
                        try await storage.write(location, [1])
                        try await storage.delete([location])
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await storage.list("file://\(root)/n", limit: 1).isEmpty)
    }

    @Test func placesOfTablesAreTheirOwn() throws {
        let warehouse = try Warehouse("s3://bucket/lake")
        let table = try TableName(NamespaceName(["a b", "é"]), "t.x")
        let place = warehouse.place(of: table, uuid: "9c12d441-03fe-4693-9a96-a0705ddf69c1")
        #expect(place == "s3://bucket/lake/a_b/_/t_x-9c12d441")
        #expect(try warehouse.inner(place) == "lake/a_b/_/t_x-9c12d441")
    }
}
