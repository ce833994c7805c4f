// SPDX-License-Identifier: Apache-2.0
import ApusCore
import IcebergProtocol
import Synchronization
import Testing

@testable import IcebergCatalog

@Suite struct CatalogTests {
    @Test func namespacesNeedTheOneAbove() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let orphan = try CreateNamespaceRequest(["namespace": ["a", "b"]])
            #expect(await CatalogFixture.error { _ = try await catalog.createNamespace(orphan) } == .noSuchNamespace)
            let above = try await fixture.namespace("a")
            let below = try await fixture.namespace("a", "b")
            #expect(await CatalogFixture.error { _ = try await fixture.namespace("a") } == .alreadyExists)
            #expect(try catalog.store.state.children(of: nil) == [above])
            #expect(try catalog.store.state.children(of: above) == [below])
            #expect(await CatalogFixture.error { try await catalog.dropNamespace(above) } == .namespaceNotEmpty)
            try await catalog.dropNamespace(below)
            try await catalog.dropNamespace(above)
            #expect(await CatalogFixture.error { try await catalog.dropNamespace(above) } == .noSuchNamespace)
        }
    }

    @Test func whatIsAcknowledgedIsThereAfterAStart() async throws {
        try await CatalogFixture.run { fixture in
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            _ = try await fixture.catalog.create(namespace, CatalogFixture.creation("t"))
            let changed = try await fixture.catalog.commit(name, CatalogFixture.setting(["a": "b"]))
            await fixture.catalog.close()
            #expect(await CatalogFixture.error { try await fixture.catalog.dropNamespace(namespace) } == .unavailable)
            let again = try await CatalogFixture.open(fixture.folder, fixture.storage)
            let loaded = try await again.load(name)
            #expect(loaded.metadataLocation == changed.metadataLocation && loaded.metadata.properties == ["a": "b"])
            #expect(loaded.metadata == changed.metadata)
            do {
                let second = try await CatalogFixture.open(fixture.folder, fixture.storage)
                await second.close()
                Issue.record("a second catalog has the same file")
            } catch {
                #expect((error as? IcebergError)?.code == .unavailable)
            }
            await again.close()
        }
    }

    @Test func stagedTablesAreThereOnceTheyAreCommitted() async throws {
        try await CatalogFixture.run { fixture in
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            let staged = try await fixture.catalog.create(
                namespace, CatalogFixture.creation("t", ["stage-create": true]))
            #expect(staged.metadataLocation == nil && fixture.storage.locations.isEmpty)
            #expect(await CatalogFixture.error { _ = try await fixture.catalog.load(name) } == .noSuchTable)
            let schema = try #require(staged.metadata.currentSchema)
            let creation = try CommitRequest([
                "requirements": [["type": "assert-create"]],
                "updates": [
                    ["action": "assign-uuid", "uuid": .string(staged.metadata.uuid)],
                    ["action": "add-schema", "schema": schema.json], ["action": "set-current-schema", "schema-id": -1],
                    ["action": "set-location", "location": .string(staged.metadata.location)],
                ],
            ])
            let table = try await fixture.catalog.commit(name, creation)
            #expect(table.metadata.uuid == staged.metadata.uuid)
            #expect(
                await CatalogFixture.error { _ = try await fixture.catalog.commit(name, creation) } == .commitFailed)
            #expect(fixture.storage.locations.count == 1, "what failed left no file")
        }
    }

    @Test func concurrentCommitsLoseNothing() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            _ = try await catalog.create(namespace, CatalogFixture.creation("t"))
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<40 {
                    group.addTask {
                        let code = await CatalogFixture.error {
                            _ = try await catalog.commit(name, CatalogFixture.setting(["p\(writer)": "x"]))
                        }
                        #expect(code == nil)
                    }
                }
            }
            let table = try await catalog.load(name)
            #expect(table.metadata.properties.count == 40)
            #expect(table.metadata.metadataLog.count == 40)
            #expect(table.metadataLocation.flatMap { TableMetadata.fileNumber($0) } == 40)
        }
    }

    @Test func ofCommitsFromTheSameStateOneIsMade() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            _ = try await catalog.create(namespace, CatalogFixture.creation("t"))
            let request = try CommitRequest([
                "requirements": [["type": "assert-current-schema-id", "current-schema-id": 0]],
                "updates": [
                    [
                        "action": "add-schema",
                        "schema": [
                            "type": "struct",
                            "fields": [
                                ["id": 1, "name": "id", "type": "long", "required": true],
                                ["id": 2, "name": "x", "type": "long", "required": false],
                            ],
                        ],
                    ], ["action": "set-current-schema", "schema-id": -1],
                ],
            ])
            let outcomes = await withTaskGroup(of: IcebergError.Code?.self) { group in
                for _ in 0..<20 {
                    group.addTask { await CatalogFixture.error { _ = try await catalog.commit(name, request) } }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == nil }.count == 1)
            #expect(outcomes.filter { $0 == .commitFailed }.count == 19)
            #expect(fixture.storage.locations.count == 2)
        }
    }

    @Test func transactionsAreWhole() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            let first = try TableName(namespace, "a")
            let second = try TableName(namespace, "b")
            _ = try await catalog.create(namespace, CatalogFixture.creation("a"))
            _ = try await catalog.create(namespace, CatalogFixture.creation("b"))
            let files = fixture.storage.locations
            let failing: JSONValue = ["type": "assert-current-schema-id", "current-schema-id": 9]
            let refused = try [
                (first, CatalogFixture.setting(["x": "1"])),
                (second, CatalogFixture.setting(["x": "1"], requirements: [failing])),
            ]
            #expect(await CatalogFixture.error { _ = try await catalog.commit(refused) } == .commitFailed)
            #expect(try await catalog.load(first).metadata.properties.isEmpty)
            #expect(fixture.storage.locations == files)
            let good = try [(first, CatalogFixture.setting(["x": "1"])), (second, CatalogFixture.setting(["x": "1"]))]
            _ = try await catalog.commit(good)
            #expect(try await catalog.load(first).metadata.properties == ["x": "1"])
            #expect(try await catalog.load(second).metadata.properties == ["x": "1"])
        }
    }

    @Test func aCommitThatCannotBeWrittenChangesNothing() async throws {
        try await CatalogFixture.run { fixture in
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            let before = try await fixture.catalog.create(namespace, CatalogFixture.creation("t"))
            fixture.storage.fail(IcebergError(.unavailable, "the disk is full"))
            let code = await CatalogFixture.error {
                _ = try await fixture.catalog.commit(name, CatalogFixture.setting(["a": "b"]))
            }
            #expect(code == .unavailable)
            fixture.storage.fail(nil)
            #expect(try await fixture.catalog.load(name).metadataLocation == before.metadataLocation)
            _ = try await fixture.catalog.commit(name, CatalogFixture.setting(["a": "c"]))
        }
    }

    @Test func tablesHaveTheirPlacesToThemselves() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            func create(_ name: String, _ location: String) async -> IcebergError.Code? {
                await CatalogFixture.error {
                    _ = try await catalog.create(
                        namespace, CatalogFixture.creation(name, ["location": .string(location)]))
                }
            }
            #expect(await create("a", "s3://bucket/lake/x/") == nil)
            #expect(await create("b", "s3://bucket/lake/x") == .alreadyExists)
            #expect(await create("b", "s3://bucket/lake/x/y") == .alreadyExists)
            #expect(await create("b", "s3://bucket/lake/xy") == nil)
            #expect(await create("c", "s3://bucket/lake") == .forbidden)
            #expect(await create("c", "s3://other/x") == .forbidden)
            #expect(await create("c", "s3://bucket/lake/../x") == .forbidden)
            let moved = try CommitRequest([
                "requirements": [], "updates": [["action": "set-location", "location": "s3://bucket/lake/x/z"]],
            ])
            let name = try TableName(namespace, "b")
            #expect(await CatalogFixture.error { _ = try await catalog.commit(name, moved) } == .alreadyExists)
            let elsewhere = try CatalogFixture.setting(["write.metadata.path": "s3://bucket/lake/x/metadata"])
            #expect(await CatalogFixture.error { _ = try await catalog.commit(name, elsewhere) } == .forbidden)
        }
    }

    @Test func tablesAreBounded() async throws {
        try await CatalogFixture.run { fixture in
            let namespace = try await fixture.namespace("n")
            for number in 0..<50 {
                _ = try await fixture.catalog.create(namespace, CatalogFixture.creation("t\(number)"))
            }
            let code = await CatalogFixture.error {
                _ = try await fixture.catalog.create(namespace, CatalogFixture.creation("more"))
            }
            #expect(code == .forbidden)
        }
    }

    @Test func droppedTablesCanBeRegisteredAgain() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            let table = try await catalog.create(namespace, CatalogFixture.creation("t"))
            let location = try #require(table.metadataLocation)
            let request = { (name: String, location: String) in
                try RegisterTableRequest(["name": .string(name), "metadata-location": .string(location)])
            }
            #expect(
                await CatalogFixture.error { _ = try await catalog.register(namespace, request("u", location)) }
                    == .alreadyExists, "its place is in use")
            try await catalog.drop(name, purges: false)
            _ = try await catalog.register(namespace, request("u", location))
            let missing = "s3://bucket/lake/none.metadata.json"
            #expect(
                await CatalogFixture.error { _ = try await catalog.register(namespace, request("v", missing)) }
                    == .notFound)
            fixture.storage.put("s3://bucket/lake/bad.metadata.json", Array("{".utf8))
            let bad = "s3://bucket/lake/bad.metadata.json"
            #expect(
                await CatalogFixture.error { _ = try await catalog.register(namespace, request("v", bad)) }
                    == .validation)
            #expect(
                await CatalogFixture.error { _ = try await catalog.register(namespace, request("v", "s3://other/x")) }
                    == .forbidden)
        }
    }
}
