// SPDX-License-Identifier: Apache-2.0
import ApusCore
import GatewayRules
import KubeAPI
import KubeClient
import Logging

/// Writes statuses by server-side apply.
struct StatusWriter: Sendable {
    /// Who has the fields then.
    private static let manager = "apus-gateway"

    let client: KubeClient
    let logger: Logger

    /// - Returns: false where one could not be written and has to be tried again.
    func write(_ statuses: [GatewayTranslation.ObjectStatus]) async -> Bool {
        var isWhole = true
        for status in statuses {
            guard let resource = GatewayWatch.custom.first(where: { $0.kind == status.kind }) else { continue }
            // With the version that it was made from: entries of other controllers are not put back.
            var object = KubeObject([
                "apiVersion": .string(status.apiVersion), "kind": .string(status.kind),
                "metadata": ["name": .string(status.key.name), "resourceVersion": .string(status.resourceVersion)],
            ])
            object.namespace = status.key.namespace
            object.status = status.status
            do {
                try await Self.apply(client, resource, object, subresource: "status")
            } catch let error as StatusError where error.isNotFound {
                continue
            } catch {
                if (error as? StatusError)?.isConflict != true {
                    logger.warning("the status of \(status.kind) \(status.key) cannot be written: \(error)")
                }
                isWhole = false
            }
        }
        return isWhole
    }

    static func apply(
        _ client: KubeClient, _ resource: KubeResource, _ object: KubeObject, subresource: String? = nil
    ) async throws {
        _ = try await client.call(
            "PATCH", resource.path(namespace: object.namespace, name: object.name, subresource: subresource),
            query: [("fieldManager", manager), ("force", "true")], contentType: "application/apply-patch+yaml",
            body: object.json)
    }
}
