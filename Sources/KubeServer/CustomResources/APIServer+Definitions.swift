// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI
import KubeStore
import Logging

/// What the API server does when definitions change: it accepts their names, serves their kinds, and takes their
/// objects away before they go.
///
/// Upstream has controllers for that; here it has happened when the client gets its answer.
extension APIServer {
    private static let crds = ResourceDeclaration.customResourceDefinitions

    private var storedDefinitions: [StoredObject] {
        ((try? store.list(resource: Self.crds.storageName))?.objects ?? []).sorted {
            $0.createRevision < $1.createRevision
        }
    }

    /// Serves the kinds of the established definitions, from now on.
    func serveDefinitions() {
        let entries = definitions.update(storedDefinitions)
        var declarations = entries.flatMap(\.declarations)
        declarations.sort { left, right in
            let (left, right) = (left.resource, right.resource)
            if left.group != right.group { return left.group < right.group }
            if left.version != right.version { return VersionOrder.isBefore(left.version, right.version) }
            return left.plural < right.plural
        }
        serve(custom: declarations)
        for resource in definitions.takeChanged() { store.endWatches(resource: resource) }
    }

    /// A definition was changed or removed.
    func definitionsChanged(_ stored: StoredObject, isRemoved: Bool) async {
        await definitions.gate.enter()
        await decideNames()
        serveDefinitions()
        await definitions.gate.leave()
        if !isRemoved, definitions.isTerminating(stored.key.name) { await removeObjects(of: stored.key.name) }
    }

    /// Goes on with what an earlier process has not finished. Called once when the server starts.
    func resumeDefinitions() async {
        guard !storedDefinitions.isEmpty else { return }
        await definitions.gate.enter()
        await decideNames()
        serveDefinitions()
        await definitions.gate.leave()
        for stored in storedDefinitions where definitions.isTerminating(stored.key.name) {
            await removeObjects(of: stored.key.name)
        }
    }

    // MARK: Names

    /// Sets accepted names and conditions, until they fit each other: a name that one definition gives up may be what
    /// another waits for.
    private func decideNames() async {
        // Each change settles one definition; conflicts of concurrent writers are read again.
        for _ in 0..<1_000 {
            let entries = definitions.update(storedDefinitions)
            var isChanged = false
            for entry in entries where !entry.isTerminating {
                isChanged = await decideNames(of: entry, among: entries)
                if isChanged { break }
            }
            if !isChanged { return }
        }
    }

    /// Tells whether something was written, or has to be read again.
    private func decideNames(
        of entry: DefinitionKeeper.Entry, among entries: [DefinitionKeeper.Entry]
    ) async -> Bool {
        let name = entry.stored.key.name
        let others = entries.filter { $0.group == entry.group && $0.stored.key.name != name }.map(\.accepted)
        let decision = NamesDecision(wanted: entry.wanted, present: entry.accepted, others: others)
        let isSettled =
            decision.accepted == entry.accepted && decision.isAccepted == entry.hasAcceptedNames
            && (entry.isEstablished || !decision.isAccepted)
        if isSettled, decision.isAccepted || hasCondition(entry.stored, decision) { return false }
        guard var changed = try? decode(entry.stored, Self.crds) else { return false }
        changed.status["acceptedNames"] = decision.accepted.json
        Conditions.set(
            "NamesAccepted", decision.isAccepted ? "True" : "False", reason: decision.reason,
            message: decision.message, now: now(), in: &changed.status)
        if decision.isAccepted {
            Conditions.set(
                "Established", "True", reason: "InitialNamesAccepted",
                message: "the initial names have been accepted", now: now(), in: &changed.status)
        } else if !entry.isEstablished {
            Conditions.set(
                "Established", "False", reason: "NotAccepted", message: "not all names are accepted", now: now(),
                in: &changed.status)
        }
        do throws(StoreError) {
            try await store.commit(
                .update(entry.stored.key, expectedRevision: entry.stored.revision, value(changed, Self.crds)))
            return true
        } catch {
            if error.code == .conflict || error.code == .notFound { return true }
            logger.warning("a definition's status is not written", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func hasCondition(_ stored: StoredObject, _ decision: NamesDecision) -> Bool {
        guard let object = try? decode(stored, Self.crds) else { return true }
        let condition = Conditions.find("NamesAccepted", in: object.status)
        return condition["reason"].string == decision.reason && condition["message"].string == decision.message
    }

    // MARK: Deletion

    /// How many objects of a kind are deleted at once.
    private static let deletionWidth = 64

    /// Deletes all objects of a definition that is being deleted.
    private func removeObjects(of name: String) async {
        let objects = (try? store.list(resource: name))?.objects ?? []
        if !objects.isEmpty, let declaration = registry.declarations.first(where: { $0.storageName == name }) {
            await withTaskGroup(of: Void.self) { group in
                for (index, object) in objects.enumerated() {
                    if index >= Self.deletionWidth { await group.next() }
                    group.addTask { await self.remove(object, declaration) }
                }
            }
        }
        await finishDefinition(of: name)
    }

    private func remove(_ object: StoredObject, _ declaration: ResourceDeclaration) async {
        let call = ResourceCall(
            request: KubeRequest(method: "DELETE", path: ""), user: .component("apiserver"), declaration: declaration,
            namespace: object.key.namespace, name: object.key.name, subresource: "", form: .object, isDryRun: false)
        do throws(StatusError) {
            _ = try await delete(call)
        } catch {
            guard !error.isNotFound else { return }
            logger.warning("an object of a deleted definition stays", metadata: ["error": "\(error)"])
        }
    }

    /// Lets a definition go that is being deleted, once none of its objects is left.
    func finishDefinition(of name: String) async {
        guard definitions.isTerminating(name) else { return }
        guard let left = try? store.list(resource: name, limit: 1), left.objects.isEmpty else { return }
        let call = ResourceCall(
            request: KubeRequest(method: "PUT", path: ""), user: .component("apiserver"), declaration: Self.crds,
            namespace: "", name: name, subresource: "", form: .object, isDryRun: false)
        // Not validated again: a definition that rules of today refuse must still go.
        for _ in 0..<8 {
            do throws(StatusError) {
                let stored = try stored(call)
                var object = try decode(stored, Self.crds)
                guard object.finalizers.contains(DefinitionRules.cleanupFinalizer) else { return }
                object.finalizers.removeAll { $0 == DefinitionRules.cleanupFinalizer }
                let value = value(object, Self.crds)
                let mutation: StoreMutation =
                    Self.mayBeRemoved(object)
                    ? .delete(call.key, expectedRevision: stored.revision, value)
                    : .update(call.key, expectedRevision: stored.revision, value)
                _ = try await commit(mutation, call, name: name)
                return
            } catch {
                if error.isNotFound { return }
                guard error.isConflict else {
                    return logger.warning("a definition is not removed", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
