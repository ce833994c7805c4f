// SPDX-License-Identifier: Apache-2.0
import CMalloc
import Synchronization

/// Documents that only change with the registry, by name.
final class DiscoveryCache: Sendable {
    private let documents = Mutex<[String: [UInt8]]>([:])

    /// The document of a name, made at its first use.
    func document(_ name: String, make: () -> [UInt8]) -> [UInt8] {
        if let document = documents.withLock({ $0[name] }) { return document }
        let document = make()
        documents.withLock { $0[name] = document }
        // What was needed for a moment goes back to the system: an idle server is small.
        if document.count > Self.largeBytes { malloc_trim(0) }
        return document
    }

    /// From here on the values that a document was made of took some MiB.
    private static let largeBytes = 256 << 10

    func reset() { documents.withLock { $0 = [:] } }

    /// Forgets all documents but some.
    func reset(keeping isKept: (String) -> Bool) {
        documents.withLock { documents in documents = documents.filter { isKept($0.key) } }
    }
}
