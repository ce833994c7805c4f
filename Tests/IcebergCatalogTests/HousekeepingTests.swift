// SPDX-License-Identifier: Apache-2.0
import ApusCore
import IcebergProtocol
import Testing

@testable import IcebergCatalog

@Suite struct HousekeepingTests {
    @Test func purgedTablesGoWithAllTheirFiles() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            let purged = try await catalog.create(namespace, CatalogFixture.creation("t"))
            _ = try await catalog.create(namespace, CatalogFixture.creation("kept"))
            let place = purged.metadata.location
            for number in 0..<2500 { fixture.storage.put("\(place)/data/\(number).parquet") }
            fixture.storage.put(place + "-beside/x.parquet")
            try await catalog.drop(TableName(namespace, "t"), purges: true)
            let again = await CatalogFixture.error {
                _ = try await catalog.create(namespace, CatalogFixture.creation("t", ["location": .string(place)]))
            }
            #expect(again == .alreadyExists, "its files are still being deleted")
            // The catalog is killed before it comes to that.
            await catalog.close()
            let restarted = try await CatalogFixture.open(fixture.folder, fixture.storage)
            try await CatalogHousekeeping(restarted).emptyTrash()
            #expect(fixture.storage.locations.filter { $0.hasPrefix(place + "/") }.isEmpty)
            #expect(fixture.storage.locations.count == 2)
            _ = try await restarted.create(namespace, CatalogFixture.creation("t", ["location": .string(place)]))
            await restarted.close()
        }
    }

    @Test func tablesThatMustNotBePurgedAreNot() async throws {
        try await CatalogFixture.run { fixture in
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            _ = try await fixture.catalog.create(
                namespace, CatalogFixture.creation("t", ["properties": ["gc.enabled": "false"]]))
            #expect(await CatalogFixture.error { try await fixture.catalog.drop(name, purges: true) } == .validation)
            try await fixture.catalog.drop(name, purges: false)
        }
    }

    @Test func oldMetadataGoesWhereTheTableSaysSo() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            _ = try await catalog.create(
                namespace,
                CatalogFixture.creation(
                    "t",
                    [
                        "properties": [
                            "write.metadata.previous-versions-max": "2",
                            "write.metadata.delete-after-commit.enabled": "true",
                        ]
                    ]))
            for number in 0..<6 {
                _ = try await catalog.commit(name, CatalogFixture.setting(["n": String(number)]))
            }
            #expect(fixture.storage.locations.count == 7)
            try await CatalogHousekeeping(catalog).emptyTrash()
            let table = try await catalog.load(name)
            let kept = table.metadata.metadataLog.map(\.file) + [try #require(table.metadataLocation)]
            #expect(fixture.storage.locations == Set(kept) && kept.count == 3)
        }
    }

    @Test func orphansAreCollectedWithCare() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            let table = try await catalog.create(namespace, CatalogFixture.creation("t"))
            _ = try await catalog.commit(name, CatalogFixture.setting(["a": "b"]))
            let known = fixture.storage.locations
            let folder = table.metadata.metadataFolder
            let orphan = "\(folder)/\(Warehouse.metadataName(number: 1, uuid: RandomID.uuid()))"
            let young = "\(folder)/\(Warehouse.metadataName(number: 1, uuid: RandomID.uuid()))"
            let others = [
                "\(folder)/00001-9c12d441-03fe-4693-9a96-a0705ddf69c1.metadata.json", "\(folder)/snap-1.avro",
                "\(folder)/v1.metadata.json",
            ]
            fixture.storage.put(orphan)
            fixture.storage.put(orphan + ".tmp")
            fixture.storage.put(young, modified: 950_000)
            for other in others { fixture.storage.put(other) }
            try await CatalogHousekeeping(catalog).collectOrphans()
            #expect(fixture.storage.locations == known.union([young]).union(others))
        }
    }

    @Test func theHistoryOfARegisteredTableIsNoOrphan() async throws {
        try await CatalogFixture.run { fixture in
            let catalog = fixture.catalog
            let namespace = try await fixture.namespace("n")
            let name = try TableName(namespace, "t")
            _ = try await catalog.create(namespace, CatalogFixture.creation("t"))
            let last = try await catalog.commit(name, CatalogFixture.setting(["a": "b"]))
            try await catalog.drop(name, purges: false)
            let location = try #require(last.metadataLocation)
            _ = try await catalog.register(
                namespace, RegisterTableRequest(["name": "t", "metadata-location": .string(location)]))
            _ = try await catalog.commit(name, CatalogFixture.setting(["a": "c"]))
            let known = fixture.storage.locations
            try await CatalogHousekeeping(catalog).collectOrphans()
            #expect(fixture.storage.locations == known && known.count == 3)
        }
    }
}
