// SPDX-License-Identifier: Apache-2.0
import ContainerRuntimes
import Synchronization

/// The addresses of a node's pods, shared by their workers; a pod's own status is where they are kept.
final class PodAddresses: Sendable {
    private let pool: Mutex<PodAddressPool>

    /// - Throws: `RuntimeError` when the prefix is not two bytes of a loopback address.
    init(prefix: String) throws(RuntimeError) { pool = Mutex(try PodAddressPool(prefix: prefix)) }

    /// The pod's address: the one it has, else the preferred one when that is free, else a new one.
    func allocate(_ uid: String, preferred: String?) throws -> String {
        try pool.withLock { pool in
            if let preferred, pool.adopt(uid, address: preferred) { return preferred }
            return try pool.allocate(uid)
        }
    }

    /// Notes that a pod has this address from before.
    func adopt(_ uid: String, _ address: String) { pool.withLock { pool in _ = pool.adopt(uid, address: address) } }

    func release(_ uid: String) { pool.withLock { $0.release(uid) } }
}
