// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import IcebergProtocol

@Suite struct CreationTests {
    private func create(_ json: JSONValue) throws -> TableMetadata {
        try CreateTableRequest(json).metadata(uuid: Samples.uuid, location: Samples.location, now: 7)
    }

    @Test func partsAreMappedToFreshIds() throws {
        let table = try create([
            "name": "t",
            "schema": Samples.schema([Samples.field(100, "at", "date"), Samples.field(50, "id")]),
            "partition-spec": ["fields": [["source-id": 100, "name": "day", "transform": "day"]]],
            "write-order": [
                "order-id": 9,
                "fields": [["transform": "identity", "source-id": 50, "direction": "asc", "null-order": "nulls-last"]],
            ],
            "properties": ["format-version": "1", "a": "b"],
        ])
        #expect(table.version == 1 && table.properties == ["a": "b"])
        #expect(table.currentSchema?.fields.map(\.id) == [1, 2] && table.lastColumnID == 2)
        #expect(table.defaultSpec?.fields.first?.sourceID == 1 && table.defaultSpec?.fields.first?.fieldID == 1000)
        #expect(table.defaultSortOrderID == 1 && table.defaultSortOrder?.fields.first?.sourceID == 2)
        #expect(table.json()["partition-spec"][0]["field-id"] == 1000)
        #expect(try TableMetadata(table.json()) == table)
    }

    @Test(
        arguments: [
            ["name": "t"], ["schema": Samples.schema([])],
            ["name": "t", "schema": Samples.schema([]), "format": "parquet"],
            ["name": "t", "schema": Samples.schema([]), "properties": ["format-version": "x"]],
            [
                "name": "t", "schema": Samples.schema([]),
                "partition-spec": ["fields": [["source-id": 1, "name": "p", "transform": "day"]]],
            ],
            ["name": "t", "schema": Samples.schema([]), "stage-create": "yes"],
        ] as [JSONValue])
    func requestsThatMakeNoTableAreRefused(_ json: JSONValue) {
        #expect(Samples.code { _ = try create(json) } == .badRequest)
    }

    @Test func transactionsNameEachTableOnce() throws {
        let change = { (name: JSONValue) -> JSONValue in
            ["identifier": ["namespace": ["n"], "name": name], "requirements": [], "updates": []]
        }
        #expect(try CommitRequest.transaction(["table-changes": [change("a"), change("b")]]).count == 2)
        for bad: JSONValue in [
            [:], ["table-changes": []], ["table-changes": [change("a"), change("a")]],
            ["table-changes": [["requirements": [], "updates": []]]], ["table-changes": 3],
        ] {
            #expect(Samples.code { _ = try CommitRequest.transaction(bad) } == .badRequest)
        }
    }

    @Test func propertiesOfNamespaces() throws {
        let request = try UpdateNamespaceRequest(["removals": ["a", "z"], "updates": ["b": "2"]])
        let (properties, answer) = try request.apply(["a": "1", "b": "1"])
        #expect(properties == ["b": "2"])
        #expect(answer == ["updated": ["b"], "removed": ["a"], "missing": ["z"]])
        #expect(
            Samples.code { _ = try UpdateNamespaceRequest(["removals": ["a"], "updates": ["a": "2"]]) }
                == .unprocessable)
    }

    @Test func errorsHaveTheFormOfTheSpecification() {
        let json = IcebergError(.namespaceNotEmpty, "why").json
        #expect(json == ["error": ["message": "why", "type": "NamespaceNotEmptyException", "code": 409]])
    }
}
