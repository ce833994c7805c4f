// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Documents that only change with the registry, by name.
final class DiscoveryCache: Sendable {
    private let documents = Mutex<[String: [UInt8]]>([:])

    /// The document of a name, made at its first use.
    func document(_ name: String, make: () -> [UInt8]) -> [UInt8] {
        if let document = documents.withLock({ $0[name] }) { return document }
        let document = make()
        documents.withLock { $0[name] = document }
        return document
    }

    func reset() { documents.withLock { $0 = [:] } }

    /// Forgets all documents but some.
    func reset(keeping isKept: (String) -> Bool) {
        documents.withLock { documents in documents = documents.filter { isKept($0.key) } }
    }
}
