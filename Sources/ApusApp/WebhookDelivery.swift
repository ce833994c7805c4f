// SPDX-License-Identifier: Apache-2.0
import ServiceLifecycle
import TrackingServer

/// Tells webhooks while the server runs.
struct WebhookDelivery: Service {
    let webhooks: Webhooks

    func run() async throws {
        await cancelWhenGracefulShutdown { await webhooks.run() }
    }
}
