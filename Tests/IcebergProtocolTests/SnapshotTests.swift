// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import IcebergProtocol

@Suite struct SnapshotTests {
    private func changed(_ updates: JSONValue..., from base: TableMetadata? = nil) throws -> TableMetadata {
        try #require(try Samples.commit(updates, to: try base ?? Samples.table()))
    }

    private func refusal(_ updates: JSONValue..., from base: TableMetadata? = nil) -> IcebergError.Code? {
        Samples.code { _ = try Samples.commit(updates, to: try base ?? Samples.table()) }
    }

    private func add(_ id: Int64, sequence: Int64, at time: Int64 = 4000, parent: Int64? = 12) -> JSONValue {
        ["action": "add-snapshot", "snapshot": Samples.snapshot(id, sequence: sequence, at: time, parent: parent)]
    }

    private func main(_ id: Int64) -> JSONValue {
        ["action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": .int(id)]
    }

    @Test func aSnapshotIsAddedAndBecomesTheCurrentOne() throws {
        let table = try changed(add(13, sequence: 3), main(13))
        #expect(table.currentSnapshotID == 13 && table.lastSequenceNumber == 3 && table.lastUpdated == 4000)
        #expect(table.snapshotLog.last == .init(timestamp: 4000, snapshotID: 13))
    }

    @Test func snapshotsThatDoNotFollowAreRefused() throws {
        #expect(refusal(add(12, sequence: 3)) == .validation, "the id is taken")
        #expect(refusal(add(13, sequence: 2)) == .validation, "the sequence number is taken")
        #expect(refusal(add(13, sequence: 3, at: -5)) == .badRequest, "a time before 1970")
        let late = try changed(add(13, sequence: 3, at: 500_000), main(13))
        #expect(refusal(add(14, sequence: 4, at: 400_000), from: late) == .validation, "long before the last change")
        #expect(refusal(add(14, sequence: 4, at: 450_000), from: late) == nil, "clocks differ a little")
        #expect(refusal(add(13, sequence: 3, at: 200_000_000)) == .validation, "in the future")
        var other = add(13, sequence: 3)
        other["snapshot"]["schema-id"] = 7
        #expect(refusal(other) == .validation, "a schema that is not there")
        other = add(13, sequence: 3)
        other["snapshot"]["summary"] = ["operation": "dance"]
        #expect(refusal(other) == .badRequest, "an operation that is not known")
        #expect(refusal(main(99)) == .validation, "a snapshot that is not there")
    }

    @Test func onlyWhatWasCurrentAfterACommitIsLogged() throws {
        let table = try changed(add(13, sequence: 3), main(13), add(14, sequence: 4, parent: 13), main(14))
        #expect(table.snapshotLog.map(\.snapshotID) == [11, 12, 14] && table.snapshots.count == 4)
    }

    @Test func rollingBackIsLoggedAtItsTime() throws {
        let table = try changed(main(11))
        #expect(table.currentSnapshotID == 11)
        #expect(table.snapshotLog.last == .init(timestamp: 5000, snapshotID: 11))
    }

    @Test func expiredSnapshotsTakeTheirHistoryAndStatistics() throws {
        #expect(refusal(["action": "remove-snapshots", "snapshot-ids": [11]]) == .validation, "a tag has it")
        #expect(refusal(["action": "remove-snapshots", "snapshot-ids": [12]]) == .validation, "main has it")
        let table = try changed(
            ["action": "remove-snapshots", "snapshot-ids": [11]], ["action": "remove-snapshot-ref", "ref-name": "v1"])
        #expect(table.snapshots.map(\.id) == [12] && table.snapshotLog.map(\.snapshotID) == [12])
        #expect(table.statistics.isEmpty && table.partitionStatistics.isEmpty)
    }

    @Test func withoutItsMainBranchATableIsEmpty() throws {
        let table = try changed(["action": "remove-snapshot-ref", "ref-name": "main"])
        #expect(table.currentSnapshotID == nil && table.snapshotLog.isEmpty)
        #expect(table.json()["current-snapshot-id"] == -1)
        #expect(try TableMetadata(table.json()) == table)
    }

    @Test func statisticsAreOnePerSnapshot() throws {
        var file = Samples.metadata["statistics"][0]
        file["statistics-path"] = "s3://bucket/other.puffin"
        let table = try changed(["action": "set-statistics", "snapshot-id": 11, "statistics": file])
        #expect(table.statistics.count == 1 && table.json()["statistics"][0] == file)
        #expect(refusal(["action": "set-statistics", "snapshot-id": 12, "statistics": file]) == .badRequest)
        let none = try changed(
            ["action": "remove-statistics", "snapshot-id": 11],
            ["action": "remove-partition-statistics", "snapshot-id": 11])
        #expect(none.statistics.isEmpty && none.partitionStatistics.isEmpty)
    }

    @Test func rowsAreNumberedInTheThirdVersion() throws {
        let third = try changed(["action": "upgrade-format-version", "format-version": 3])
        #expect(refusal(add(13, sequence: 3), from: third) == .validation, "no row ids")
        var snapshot = add(13, sequence: 3)
        snapshot["snapshot"]["first-row-id"] = 0
        snapshot["snapshot"]["added-rows"] = 10
        #expect(refusal(snapshot) == .validation, "the second version has no row ids")
        let table = try changed(snapshot, main(13), from: third)
        #expect(table.nextRowID == 10 && table.json()["next-row-id"] == 10)
        snapshot["snapshot"]["snapshot-id"] = 14
        snapshot["snapshot"]["sequence-number"] = 4
        #expect(refusal(snapshot, from: table) == .validation, "these row ids are taken")
        #expect(try TableMetadata(table.json()) == table)
    }
}
