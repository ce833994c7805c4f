// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KubeStore

@Suite struct CommitBatchTests {
    private let existing = StoredObject(key: pod("a"), bytes: [1], revision: 5, createRevision: 3)

    private func committed(_ key: StoreKey) -> StoredObject? { key == existing.key ? existing : nil }

    @Test func mutationsOfABatchSeeEachOther() throws {
        var batch = CommitBatch(after: 9)
        let updated = try batch.apply(.update(pod("a"), expectedRevision: 5, value("")), committed: committed).get()
        #expect(updated.revision == 10 && updated.createRevision == 3)
        #expect(throws: StoreError.self) {
            try batch.apply(.update(pod("a"), expectedRevision: 5, value("")), committed: committed).get()
        }
        _ = try batch.apply(.delete(pod("a"), expectedRevision: 10, value("")), committed: committed).get()
        let created = try batch.apply(.create(pod("a"), value("")), committed: committed).get()
        #expect(created.revision == 12 && created.createRevision == 12)
        #expect(batch.revision == 12)
        #expect(batch.events.map(\.kind) == [.modified, .deleted, .added])
        #expect(batch.events.map { $0.previous?.revision } == [5, 10, nil])
    }

    @Test func onlyTheLastStateOfARowIsWritten() throws {
        var batch = CommitBatch(after: 9)
        _ = try batch.apply(.update(pod("a"), expectedRevision: 5, value("")), committed: committed).get()
        _ = try batch.apply(.delete(pod("a"), expectedRevision: 10, value("")), committed: committed).get()
        let created = try batch.apply(.create(pod("b"), value("")), committed: committed).get()
        let updated = try batch.apply(
            .update(pod("b"), expectedRevision: created.revision, value("")), committed: committed
        ).get()
        #expect(batch.rows.keys.sorted() == [3, 12])
        let removed = try #require(batch.rows[3])
        #expect(removed == nil)
        #expect(batch.rows[12]??.revision == updated.revision)
    }

    @Test func aRefusedMutationUsesNoRevision() {
        var batch = CommitBatch(after: 9, maximumObjectBytes: 3)
        for mutation: StoreMutation in [
            .create(pod("a"), value("")), .update(pod("b"), expectedRevision: 1, value("")),
            .create(pod("c"), value("")),
            .create(pod(""), value("")),
        ] {
            guard case .failure = batch.apply(mutation, committed: committed) else {
                Issue.record("accepted \(mutation.key)")
                return
            }
        }
        #expect(batch.revision == 9 && batch.events.isEmpty && batch.rows.isEmpty && batch.bytes == 0)
    }
}
