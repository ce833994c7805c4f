// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import IcebergProtocol

@Suite struct MetadataTests {
    @Test func metadataComeBackAsTheyWere() throws {
        let table = try Samples.table()
        #expect(table.json() == Samples.metadata)
        #expect(table.currentSnapshotID == 12)
        #expect(try TableMetadata(table.json()) == table)
    }

    @Test func onlyReferencedSnapshotsAreShown() throws {
        var json = Samples.metadata
        json["refs"]["v1"] = .null
        let table = try TableMetadata(json)
        #expect(table.json(onlyReferenced: true)["snapshots"].elements.map { $0["snapshot-id"] } == [12])
        #expect(table.json()["snapshots"].elements.count == 2)
    }

    @Test func theFirstVersionIsRead() throws {
        let json: JSONValue = [
            "format-version": 1, "table-uuid": .string(Samples.uuid), "location": .string(Samples.location),
            "last-updated-ms": 1000, "last-column-id": 2,
            "schema": ["type": "struct", "fields": [Samples.field(1, "id"), Samples.field(2, "p", "string")]],
            "partition-spec": [["source-id": 2, "name": "p", "transform": "identity"]],
            "properties": [:], "current-snapshot-id": 5,
            "snapshots": [
                ["snapshot-id": 5, "timestamp-ms": 1000, "manifest-list": "s3://bucket/x.avro", "summary": [:]]
            ],
        ]
        let table = try TableMetadata(json)
        #expect(table.schemas.count == 1 && table.specs.count == 1 && table.sortOrders == [.unsorted])
        #expect(table.specs[0].fields[0].fieldID == 1000 && table.lastPartitionID == 1000)
        #expect(table.currentSnapshotID == 5)
        let written = table.json()
        #expect(written["schema"]["fields"][0]["name"] == "id")
        #expect(written["partition-spec"][0]["name"] == "p")
        #expect(written["last-sequence-number"] == .null && written["snapshots"][0]["sequence-number"] == .null)
        #expect(try TableMetadata(written) == table)
        var none = json
        none["current-snapshot-id"] = -1
        #expect(try TableMetadata(none).currentSnapshotID == nil)
    }

    @Test(
        arguments: [
            ("format-version", 4, IcebergError.Code.unsupported), ("format-version", 0, .unsupported),
            ("format-version", "2", .badRequest), ("table-uuid", "x", .badRequest), ("table-uuid", .null, .badRequest),
            ("current-schema-id", 9, .badRequest), ("default-spec-id", 9, .badRequest),
            ("default-sort-order-id", 9, .badRequest), ("current-snapshot-id", 11, .badRequest),
            ("last-column-id", 3, .badRequest), ("last-partition-id", 5, .badRequest), ("schemas", [], .badRequest),
            ("schemas", 3, .badRequest), ("snapshots", [], .validation), ("last-sequence-number", -1, .badRequest),
            ("location", "", .badRequest), ("something-new", 1, .badRequest),
            ("encryption-keys", [["key-id": "a"]], .unsupported),
            ("properties", ["a": 1], .badRequest), ("last-updated-ms", 1.5, .badRequest),
            ("refs", ["main": ["snapshot-id": 12, "type": "tag"]], .badRequest),
            (
                "refs", ["main": ["snapshot-id": 12, "type": "branch"], "x": ["snapshot-id": 99, "type": "tag"]],
                .validation
            ),
        ] as [(String, JSONValue, IcebergError.Code)])
    func metadataThatContradictThemselvesAreRefused(_ key: String, _ value: JSONValue, _ code: IcebergError.Code) {
        var json = Samples.metadata
        json[key] = value
        #expect(Samples.code { _ = try TableMetadata(json) } == code)
    }

    @Test(
        arguments: [
            ("s3://b/t/metadata/00012-abc.metadata.json", 12), ("s3://b/t/metadata/v3.metadata.json", nil),
            ("00000-x.metadata.json", 0), ("-x", nil), ("99999999999999999999-x", nil), ("", nil),
        ] as [(String, Int?)])
    func filesAreNumbered(_ location: String, _ number: Int?) {
        #expect(TableMetadata.fileNumber(location) == number)
    }

    @Test func namesOfNamespacesAndTables() throws {
        let name = try NamespaceName(joined: "a\u{1F}b c\u{1F}é")
        #expect(name.levels == ["a", "b c", "é"] && name.parent?.levels == ["a", "b c"])
        for bad in ["", "a\u{1F}", "\u{1F}a", "a/b", "..", "a\u{0}b", String(repeating: "x", count: 256)] {
            #expect(throws: IcebergError.self, "\(bad)") { try NamespaceName(joined: bad) }
        }
        #expect(throws: IcebergError.self) { try NamespaceName(Array(repeating: "a", count: 17)) }
        #expect(throws: IcebergError.self) { try TableName(["namespace": ["a"], "name": "x\u{1F}y"], "table") }
        #expect(throws: IcebergError.self) { try TableName(["namespace": "a", "name": "x"], "table") }
    }
}
