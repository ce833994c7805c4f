// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import GatewayRules
import KubeAPI
import Synchronization

/// Which gateways there are: those of the options, and those that renew a Lease.
final class GatewayDirectory: Sendable {
    private let leases: Informer
    private let fixed: [String]
    private let running = Mutex<Set<String>>([])

    init(leases: Informer, fixed: [String]) {
        self.leases = leases
        self.fixed = fixed
    }

    /// Runs `body` for each gateway as long as it is there.
    func follow(_ body: @escaping @Sendable (String) async -> Void) async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                for gateway in present where running.withLock({ $0.insert(gateway).inserted }) {
                    group.addTask {
                        await self.attend(gateway, body)
                        self.running.withLock { _ = $0.remove(gateway) }
                    }
                }
                try? await Task.sleep(for: .seconds(1))
            }
            group.cancelAll()
        }
    }

    private func attend(_ gateway: String, _ body: @escaping @Sendable (String) async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await body(gateway) }
            group.addTask {
                while !Task.isCancelled, self.present.contains(gateway) { try? await Task.sleep(for: .seconds(1)) }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private var present: Set<String> {
        let now = Timestamp.now()
        return Set(fixed).union(leases.list().compactMap { GatewayLease.address($0, now: now) })
    }
}
