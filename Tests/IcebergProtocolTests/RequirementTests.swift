// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import IcebergProtocol

@Suite struct RequirementTests {
    @Test(
        arguments: [
            (["type": "assert-table-uuid", "uuid": .string(Samples.uuid.uppercased())], true),
            (["type": "assert-table-uuid", "uuid": "x"], false),
            (["type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 12], true),
            (["type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 11], false),
            (["type": "assert-ref-snapshot-id", "ref": "main"], false),
            (["type": "assert-ref-snapshot-id", "ref": "other"], true),
            (["type": "assert-ref-snapshot-id", "ref": "v1", "snapshot-id": 11], true),
            (["type": "assert-last-assigned-field-id", "last-assigned-field-id": 9], true),
            (["type": "assert-last-assigned-field-id", "last-assigned-field-id": 8], false),
            (["type": "assert-current-schema-id", "current-schema-id": 0], true),
            (["type": "assert-current-schema-id", "current-schema-id": 1], false),
            (["type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 1000], true),
            (["type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999], false),
            (["type": "assert-default-spec-id", "default-spec-id": 1], true),
            (["type": "assert-default-spec-id", "default-spec-id": 0], false),
            (["type": "assert-default-sort-order-id", "default-sort-order-id": 1], true),
            (["type": "assert-default-sort-order-id", "default-sort-order-id": 0], false),
            (["type": "assert-create"], false),
        ] as [(JSONValue, Bool)])
    func requirementsAreCheckedAgainstTheTable(_ json: JSONValue, _ holds: Bool) throws {
        let requirement = try TableRequirement(json, "requirements[0]")
        let table = try Samples.table()
        #expect(Samples.code { try requirement.check(table, "n.t") } == (holds ? nil : .commitFailed))
        let isCreation = json["type"] == "assert-create"
        #expect(Samples.code { try requirement.check(nil, "n.t") } == (isCreation ? nil : .noSuchTable))
    }

    @Test(
        arguments: [
            ["type": "assert-moon-phase"], ["type": 3], [:], "x", ["type": "assert-table-uuid"],
            ["type": "assert-create", "x": 1], ["type": "assert-ref-snapshot-id", "snapshot-id": 1],
            ["type": "assert-current-schema-id", "current-schema-id": "0"],
            ["type": "assert-current-schema-id", "current-schema-id": 99_999_999_999],
        ] as [JSONValue])
    func whatIsNotKnownIsRefused(_ json: JSONValue) {
        #expect(Samples.code { _ = try TableRequirement(json, "r") } == .badRequest)
    }
}
