// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import KubeClient

/// Creates and deletes the pods of a controller, telling events and keeping its expectations.
struct PodControl: Sendable {
    let client: KubeClient
    let events: EventSink
    let expectations: Expectations

    /// Creates pods in batches of 1, 2, 4, …, so that a refusal that concerns all of them costs few requests.
    ///
    /// Returns the first refusal, after which nothing more is created.
    func create(_ pods: [KubeObject], owner: KubeObject) async -> (any Error)? {
        let key = owner.key
        expectations.expectCreations(pods.count, of: key)
        var index = 0
        var size = 1
        while index < pods.count {
            let batch = pods[index..<min(index + size, pods.count)]
            let failure = await withTaskGroup(of: (any Error)?.self) { group in
                for pod in batch { group.addTask { await create(pod, owner: owner) } }
                return await group.reduce(nil) { $0 ?? $1 }
            }
            index += batch.count
            if let failure {
                expectations.creationSeen(key, count: pods.count - index)
                return failure
            }
            size *= 2
        }
        return nil
    }

    private func create(_ pod: KubeObject, owner: KubeObject) async -> (any Error)? {
        do {
            let created = try await client.create(.pods, pod)
            events.normal(owner, reason: "SuccessfulCreate", "Created pod: \(created.name)")
            return nil
        } catch {
            expectations.creationSeen(owner.key)
            if (error as? StatusError)?.isNamespaceTerminating != true {
                events.warning(owner, reason: "FailedCreate", "Error creating: \(Self.message(of: error))")
            }
            return error
        }
    }

    /// Deletes pods, all at once. Returns the first refusal; pods that are gone already are no refusal.
    func delete(_ pods: [KubeObject], owner: KubeObject) async -> (any Error)? {
        expectations.expectDeletions(pods.map(\.uid), of: owner.key)
        return await withTaskGroup(of: (any Error)?.self) { group in
            for pod in pods {
                group.addTask {
                    do {
                        try await client.delete(.pods, pod.key, .init(uid: pod.uid))
                        events.normal(owner, reason: "SuccessfulDelete", "Deleted pod: \(pod.name)")
                        return nil
                    } catch {
                        expectations.deletionSeen(owner.key, uid: pod.uid)
                        if (error as? StatusError)?.isNotFound == true { return nil }
                        events.warning(owner, reason: "FailedDelete", "Error deleting: \(Self.message(of: error))")
                        return error
                    }
                }
            }
            return await group.reduce(nil) { $0 ?? $1 }
        }
    }

    static func message(of error: any Error) -> String {
        (error as? StatusError)?.message ?? String(describing: error)
    }
}

extension StatusError {
    /// Whether something could not be created because its namespace is being deleted.
    var isNamespaceTerminating: Bool { code == 403 && causes.contains { $0.reason == "NamespaceTerminating" } }
}
