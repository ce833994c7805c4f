// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient

/// Reads and writes the ControllerRevisions of one kind of owner.
struct RevisionControl: Sendable {
    let client: KubeClient
    let revisions: ObjectIndex
    let kind: KubeResource
    let hashLabel: String

    /// The name of a revision is taken by another template: counted, so that the next hash differs.
    struct Collision: Error {}

    /// The revisions of an owner with those that it adopts, the present one written.
    func history(_ owner: KubeObject, selector: LabelSelector) async throws -> RevisionHistory {
        let ownership = Ownership(
            owner: owner, selector: selector, owned: revisions.owned(by: owner.uid),
            orphans: revisions.orphans(in: owner.namespace))
        let owned = try await ownership.apply(.controllerRevisions, owner: owner, as: kind, client: client)
        let collisions = owner.status["collisionCount"].int ?? 0
        let history = RevisionHistory(owner, revisions: owned, hashLabel: hashLabel, collisions: collisions)
        guard !owner.isBeingDeleted else { return history }
        switch history.change {
        case .none: return history
        case .renumber(let revision): _ = try await client.update(.controllerRevisions, revision)
        case .create(let revision): try await create(revision, owner)
        }
        return history
    }

    private func create(_ revision: KubeObject, _ owner: KubeObject) async throws {
        do {
            _ = try await client.create(.controllerRevisions, revision)
        } catch let error as StatusError where error.isAlreadyExists {
            let live = try await client.get(.controllerRevisions, revision.key)
            if live.controllerOwner?.uid == owner.uid, RevisionHistory.areEqual(live["data"], revision["data"]) {
                return
            }
            throw Collision()
        }
    }

    /// Deletes old revisions past the owner's limit.
    func trim(_ history: RevisionHistory, of owner: KubeObject, inUse: Set<String>) async throws {
        let limit = owner.spec["revisionHistoryLimit"].int ?? 10
        for revision in history.expired(limit: limit, inUse: inUse) {
            do {
                try await client.delete(.controllerRevisions, revision.key, .init(uid: revision.uid))
            } catch let error as StatusError where error.isNotFound {
                continue
            }
        }
    }
}
