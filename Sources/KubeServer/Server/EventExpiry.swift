// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore
import Logging

extension APIServer {
    /// Removes the events that nobody has written for ``Configuration/eventLifetime``.
    ///
    /// Upstream gives each write of an event a lease of that length (`--event-ttl`); here somebody calls this now and
    /// then. An event that is repeated meanwhile stays.
    package func removeOldEvents() async {
        guard let declaration = registry.declaration(.events),
            let list = try? store.list(resource: declaration.storageName)
        else { return }
        let oldest = now() + .nanoseconds(-configuration.eventLifetime.nanoseconds)
        for stored in list.objects {
            guard let event = try? decode(stored, declaration), Self.lastWritten(event) < oldest else { continue }
            let deletion = StoreMutation.delete(
                stored.key, expectedRevision: stored.revision, value(event, declaration))
            do {
                try await store.commit(deletion)
            } catch  where error.code == .storageFull || error.code == .inputOutput || error.code == .closed {
                return logger.warning("old events cannot be removed", metadata: ["error": "\(error)"])
            } catch {
                continue
            }
        }
    }

    private static func lastWritten(_ event: KubeObject) -> Timestamp {
        let times = [
            event["lastTimestamp"], event["eventTime"], event["series"]["lastObservedTime"],
            event.metadata["creationTimestamp"],
        ]
        return times.compactMap { $0.string.flatMap(Timestamp.init(rfc3339:)) }.max() ?? Timestamp(seconds: 0)
    }
}
