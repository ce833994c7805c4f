// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import IcebergProtocol

@Suite struct BuilderTests {
    private func changed(_ updates: JSONValue..., from base: TableMetadata? = nil) throws -> TableMetadata {
        try #require(try Samples.commit(updates, to: try base ?? Samples.table()))
    }

    private func refusal(_ updates: JSONValue...) -> IcebergError.Code? {
        Samples.code { _ = try Samples.commit(updates, to: try Samples.table()) }
    }

    @Test func aTableIsCreatedByUpdates() throws {
        let updates: [JSONValue] = [
            ["action": "assign-uuid", "uuid": .string(Samples.uuid)],
            ["action": "upgrade-format-version", "format-version": 2],
            ["action": "add-schema", "schema": Samples.schema(Samples.fields), "last-column-id": 9],
            ["action": "set-current-schema", "schema-id": -1],
            ["action": "add-spec", "spec": ["fields": [["source-id": 1, "name": "p", "transform": "bucket[4]"]]]],
            ["action": "set-default-spec", "spec-id": -1],
            ["action": "add-sort-order", "sort-order": ["order-id": 0, "fields": []]],
            ["action": "set-default-sort-order", "sort-order-id": -1],
            ["action": "set-location", "location": "s3://bucket/lake/n/t/"],
            ["action": "set-properties", "updates": ["a": "b"]],
            ["action": "add-snapshot", "snapshot": Samples.snapshot(5, sequence: 1, at: 4000)],
            ["action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 5],
        ]
        let table = try #require(try Samples.commit(updates, to: nil))
        #expect(table.location == "s3://bucket/lake/n/t" && table.properties == ["a": "b"])
        #expect(table.specs.map(\.id) == [0] && table.lastPartitionID == 1000 && table.currentSnapshotID == 5)
        #expect(table.metadataLog.isEmpty && table.lastColumnID == 9)
        #expect(try TableMetadata(table.json()) == table)
        for missing in [0, 3, 8] {
            var some = updates
            some.remove(at: missing)
            #expect(Samples.code { _ = try Samples.commit(some, to: nil) } == .validation, "\(updates[missing])")
        }
        let request = try CommitRequest(["requirements": [], "updates": .array(updates)])
        #expect(Samples.code { _ = try request.apply(to: nil, file: nil, name: "n.t", now: 0) } == .noSuchTable)
    }

    @Test func whatChangesNothingIsNoCommit() throws {
        #expect(try Samples.commit([], to: Samples.table()) == nil)
        #expect(
            try Samples.commit([["action": "set-properties", "updates": ["owner": "me"]]], to: Samples.table()) == nil)
        #expect(
            try Samples.commit([["action": "remove-properties", "removals": ["none"]]], to: Samples.table()) == nil)
    }

    @Test func everyCommitIsDatedAndLogged() throws {
        let table = try changed(["action": "set-properties", "updates": ["owner": "you"]])
        #expect(table.lastUpdated == 5000)
        #expect(table.metadataLog.last == .init(timestamp: 2000, file: "s3://bucket/m/00001-x.metadata.json"))
        let short = try changed(
            ["action": "set-properties", "updates": ["write.metadata.previous-versions-max": "1"]])
        #expect(short.metadataLog.map(\.file) == ["s3://bucket/m/00001-x.metadata.json"])
    }

    @Test func schemasEvolve() throws {
        let more = Samples.schema(Samples.fields + [Samples.field(10, "score", "double")], id: 77)
        let table = try changed(
            ["action": "add-schema", "schema": more], ["action": "set-current-schema", "schema-id": -1])
        #expect(table.schemas.map(\.id) == [0, 1] && table.currentSchemaID == 1 && table.lastColumnID == 10)
        let back = try changed(
            ["action": "add-schema", "schema": Samples.schema(Samples.fields, id: 9)],
            ["action": "set-current-schema", "schema-id": -1], from: table)
        #expect(back.schemas.count == 2 && back.currentSchemaID == 0 && back.lastColumnID == 10)
        let pruned = try changed(["action": "remove-schemas", "schema-ids": [1]], from: back)
        #expect(pruned.schemas.map(\.id) == [0])
        #expect(refusal(["action": "remove-schemas", "schema-ids": [0]]) == .validation)
        #expect(refusal(["action": "set-current-schema", "schema-id": 4]) == .validation)
        #expect(refusal(["action": "set-current-schema", "schema-id": -1]) == .badRequest)
        #expect(
            refusal(["action": "add-schema", "schema": Samples.schema(Samples.fields), "last-column-id": 3])
                == .validation)
    }

    @Test func aColumnThatPartitionsOrSortsCannotGo() throws {
        let without = { (id: Int) in
            Samples.schema(Samples.fields.filter { $0["id"] != JSONValue(id) })
        }
        for id in [1, 2] {
            #expect(
                refusal(
                    ["action": "add-schema", "schema": without(id)], ["action": "set-current-schema", "schema-id": -1])
                    == .validation)
        }
    }

    @Test func columnsMayBeNamedLikePartitionsLater() throws {
        let table = try changed(
            ["action": "add-spec", "spec": ["fields": [["source-id": 2, "name": "name", "transform": "identity"]]]],
            ["action": "set-default-spec", "spec-id": -1])
        let renamed = Samples.schema(
            Samples.fields.map { $0["id"] == 2 ? Samples.field(2, "title", "string") : $0 } + [
                Samples.field(10, "name")
            ])
        let later = try changed(
            ["action": "add-schema", "schema": renamed], ["action": "set-current-schema", "schema-id": -1], from: table)
        #expect(later.currentSchema?.fields.last?.name == "name")
    }

    @Test func specsEvolveAndKeepTheirFieldIds() throws {
        let table = try changed(
            [
                "action": "add-spec",
                "spec": [
                    "spec-id": 50,
                    "fields": [
                        ["source-id": 2, "name": "name", "transform": "identity"],
                        ["source-id": 1, "name": "bucket", "transform": "bucket[16]"],
                    ],
                ],
            ], ["action": "set-default-spec", "spec-id": -1])
        #expect(table.defaultSpecID == 2)
        #expect(table.defaultSpec?.fields.map(\.fieldID) == [1001, 1000] && table.lastPartitionID == 1001)
        let same = try changed(
            ["action": "add-spec", "spec": ["fields": []]], ["action": "set-default-spec", "spec-id": -1], from: table)
        #expect(same.defaultSpecID == 0 && same.specs.count == 3)
        let pruned = try changed(["action": "remove-partition-specs", "spec-ids": [1, 2]], from: same)
        #expect(pruned.specs.map(\.id) == [0])
        #expect(refusal(["action": "remove-partition-specs", "spec-ids": [1]]) == .validation)
    }

    @Test(
        arguments: [
            [["source-id": 99, "name": "p", "transform": "identity"]],
            [["source-id": 3, "name": "p", "transform": "identity"]],
            [["source-id": 4, "name": "p", "transform": "identity"]],
            [["source-id": 1, "name": "p", "transform": "day"]],
            [["source-id": 1, "name": "name", "transform": "identity"]],
            [["source-id": 1, "name": "id", "transform": "bucket[2]"]],
            [
                ["source-id": 1, "name": "p", "transform": "identity"],
                ["source-id": 2, "name": "p", "transform": "identity"],
            ],
            [
                ["source-id": 1, "name": "p", "transform": "identity"],
                ["source-id": 1, "name": "q", "transform": "identity"],
            ],
            [
                ["source-id": 1, "field-id": 1005, "name": "p", "transform": "identity"],
                ["source-id": 2, "field-id": 1005, "name": "q", "transform": "identity"],
            ],
        ] as [JSONValue])
    func specsThatDoNotFitTheSchemaAreRefused(_ fields: JSONValue) {
        let code = refusal(
            ["action": "add-spec", "spec": ["fields": fields]], ["action": "set-default-spec", "spec-id": -1])
        #expect(code == .validation || code == .badRequest)
    }

    @Test func sortOrdersAreNumberedFromOne() throws {
        let table = try changed(
            [
                "action": "add-sort-order",
                "sort-order": [
                    "order-id": 1,
                    "fields": [
                        ["transform": "identity", "source-id": 1, "direction": "desc", "null-order": "nulls-last"]
                    ],
                ],
            ], ["action": "set-default-sort-order", "sort-order-id": -1])
        #expect(table.defaultSortOrderID == 2 && table.sortOrders.count == 3)
        let unsorted = try changed(
            ["action": "add-sort-order", "sort-order": ["order-id": 5, "fields": []]],
            ["action": "set-default-sort-order", "sort-order-id": -1], from: table)
        #expect(unsorted.defaultSortOrderID == 0)
        #expect(refusal(["action": "set-default-sort-order", "sort-order-id": 8]) == .validation)
    }

    @Test func versionsOnlyGoUp() throws {
        #expect(try changed(["action": "upgrade-format-version", "format-version": 3]).version == 3)
        #expect(refusal(["action": "upgrade-format-version", "format-version": 1]) == .validation)
        #expect(refusal(["action": "upgrade-format-version", "format-version": 4]) == .unsupported)
        #expect(refusal(["action": "assign-uuid", "uuid": "00000000-0000-0000-0000-000000000000"]) == .validation)
    }

    @Test(
        arguments: [
            ["action": "dance"], ["action": "add-encryption-key", "encryption-key": [:]], ["action": 1], [:], "x",
            ["action": "set-properties"], ["action": "set-properties", "updates": ["a": 1]],
            ["action": "set-properties", "updates": ["format-version": "3"]],
            ["action": "set-properties", "updates": ["write.metadata.previous-versions-max": "0"]],
            ["action": "add-schema"], ["action": "add-snapshot", "snapshot": ["snapshot-id": 1]],
            ["action": "set-snapshot-ref", "ref-name": "x", "type": "twig", "snapshot-id": 12],
            [
                "action": "set-snapshot-ref", "ref-name": "x", "type": "tag", "snapshot-id": 12,
                "min-snapshots-to-keep": 1,
            ],
            ["action": "set-snapshot-ref", "ref-name": "x", "type": "branch", "snapshot-id": 12, "max-ref-age-ms": 0],
            ["action": "set-location", "location": "s3://x", "surprise": true],
            ["action": "remove-snapshots"],
        ] as [JSONValue])
    func whatIsNotKnownIsRefused(_ update: JSONValue) {
        #expect(refusal(update) == .badRequest)
    }

    @Test func compressedMetadataIsRefusedByName() {
        #expect(
            refusal(["action": "set-properties", "updates": ["write.metadata.compression-codec": "gzip"]])
                == .unsupported)
    }
}
