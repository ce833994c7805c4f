// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import IcebergProtocol

/// Documents with random changes: refused, or understood and written as they were understood; never a crash.
@Suite struct FuzzTests {
    /// SplitMix64: the same numbers in every run.
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private static let strangers: [JSONValue] = [
        .null, true, 0, -1, 1, 12, 2_147_483_648, .int(.max), .int(.min), 1.5, "", "main", "x", [], [:], [[]], ["a": 1],
        [1, 2, 3], .double(.greatestFiniteMagnitude), "decimal(1,1)", "bucket[1]", "struct",
    ]

    private func mutate(_ value: JSONValue, _ random: inout Random, depth: Int = 0) -> JSONValue {
        if Int.random(in: 0..<12, using: &random) == 0 { return Self.strangers.randomElement(using: &random) ?? .null }
        switch value {
        case .object(var members):
            guard let key = members.keys.sorted().randomElement(using: &random) else { return value }
            switch Int.random(in: 0..<8, using: &random) {
            case 0: members[key] = nil
            case 1: members["unknown"] = 1
            default: members[key] = mutate(members[key] ?? .null, &random, depth: depth + 1)
            }
            return .object(members)
        case .array(var elements):
            guard !elements.isEmpty else { return value }
            let index = Int.random(in: elements.indices, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: elements.remove(at: index)
            case 1: elements.append(elements[index])
            case 2: elements.swapAt(0, index)
            default: elements[index] = mutate(elements[index], &random, depth: depth + 1)
            }
            return .array(elements)
        default: return Self.strangers.randomElement(using: &random) ?? .null
        }
    }

    @Test func metadata() throws {
        var random = Random(state: 1)
        var understood = 0
        for _ in 0..<3000 {
            let json = mutate(Samples.metadata, &random)
            guard let table = try? TableMetadata(json) else { continue }
            understood += 1
            #expect(try TableMetadata(table.json()) == table)
        }
        #expect(understood > 20)
    }

    @Test func commits() throws {
        let base = try Samples.table()
        let request: JSONValue = [
            "requirements": [
                ["type": "assert-table-uuid", "uuid": .string(Samples.uuid)],
                ["type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 12],
            ],
            "updates": [
                ["action": "add-schema", "schema": Samples.schema(Samples.fields + [Samples.field(10, "new")])],
                ["action": "set-current-schema", "schema-id": -1],
                ["action": "add-spec", "spec": ["fields": [["source-id": 10, "name": "p", "transform": "identity"]]]],
                ["action": "set-default-spec", "spec-id": -1],
                ["action": "set-properties", "updates": ["a": "b"]],
                ["action": "add-snapshot", "snapshot": Samples.snapshot(13, sequence: 3, at: 4000, parent: 12)],
                ["action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 13],
                ["action": "remove-snapshot-ref", "ref-name": "v1"],
                ["action": "remove-snapshots", "snapshot-ids": [11]],
                ["action": "set-location", "location": "s3://bucket/other"],
            ],
        ]
        var random = Random(state: 2)
        var made = 0
        for _ in 0..<3000 {
            let json = mutate(mutate(request, &random), &random)
            guard let commit = try? CommitRequest(json),
                let table = try? commit.apply(to: base, file: "s3://bucket/m/00001-x", name: "n.t", now: 5000)
            else { continue }
            made += 1
            #expect(try TableMetadata(table.json()) == table)
            #expect(table.uuid == base.uuid && table.lastColumnID >= base.lastColumnID)
        }
        #expect(made > 20)
    }

    @Test func creations() throws {
        let request: JSONValue = [
            "name": "t", "schema": Samples.schema(Samples.fields), "stage-create": false,
            "partition-spec": ["fields": [["source-id": 9, "name": "day", "transform": "day"]]],
            "write-order": [
                "order-id": 1,
                "fields": [["transform": "identity", "source-id": 2, "direction": "asc", "null-order": "nulls-last"]],
            ],
            "properties": ["format-version": "2", "owner": "me"],
        ]
        var random = Random(state: 3)
        for _ in 0..<3000 {
            guard let creation = try? CreateTableRequest(mutate(request, &random)),
                let table = try? creation.metadata(uuid: Samples.uuid, location: Samples.location, now: 1)
            else { continue }
            #expect(try TableMetadata(table.json()) == table)
        }
    }
}
