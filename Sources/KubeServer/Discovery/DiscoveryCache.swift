// SPDX-License-Identifier: Apache-2.0
import CMalloc
import Synchronization

/// Documents that only change with the registry, by name.
final class DiscoveryCache: Sendable {
    private struct State {
        var documents: [String: [UInt8]] = [:]
        var resets = 0
    }

    private let state = Mutex(State())

    /// The document of a name, made at its first use. `make` reads the registry itself: what it made of one that was
    /// replaced meanwhile is not kept.
    func document(_ name: String, make: () -> [UInt8]) -> [UInt8] {
        let (known, resets) = state.withLock { ($0.documents[name], $0.resets) }
        if let known { return known }
        let document = make()
        state.withLock { if $0.resets == resets { $0.documents[name] = document } }
        // What was needed for a moment goes back to the system: an idle server is small.
        if document.count > Self.largeBytes { malloc_trim(0) }
        return document
    }

    /// From here on the values that a document was made of took some MiB.
    private static let largeBytes = 256 << 10

    /// Forgets all documents but some. To be called after the registry was replaced.
    func reset(keeping isKept: (String) -> Bool = { _ in false }) {
        state.withLock { state in
            state.documents = state.documents.filter { isKept($0.key) }
            state.resets += 1
        }
    }
}
