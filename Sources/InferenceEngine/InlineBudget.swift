// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Which requests a model may run on the thread that asks, learned from what runs took.
///
/// A run is taken to cost a part of its own and a part for each element of its inputs.
final class InlineBudget: Sendable {
    /// What warm runs took.
    struct Sample: Sendable {
        let elements: Int
        let nanoseconds: Int
    }

    /// Elements of a request that may run on the thread that asks; below 0: none.
    private let elements: Atomic<Int>
    private let limit: Int
    private let strikes = Atomic(0)

    /// - Parameters:
    ///   - samples: of one row and, where there are, of many rows.
    ///   - limit: nanoseconds of a run.
    init(_ samples: [Sample], limit: Int) {
        self.limit = limit
        elements = Atomic(Self.elements(samples, limit: limit))
    }

    static func elements(_ samples: [Sample], limit: Int) -> Int {
        guard let small = samples.min(by: { $0.elements < $1.elements }), small.nanoseconds <= limit else { return -1 }
        guard let large = samples.max(by: { $0.elements < $1.elements }), large.elements > small.elements else {
            // Nothing is known of larger inputs.
            return max(small.elements, 1) * 4
        }
        let slope = Double(max(large.nanoseconds - small.nanoseconds, 0)) / Double(large.elements - small.elements)
        // Twice what was tried is believed at most.
        let most = Double(large.elements) * (large.nanoseconds <= limit ? 2 : 1)
        guard slope > 0 else { return Int(most) }
        return Int(min(most, Double(small.elements) + Double(limit - small.nanoseconds) / slope))
    }

    func allows(_ count: Int) -> Bool { count <= elements.load(ordering: .relaxed) }

    /// A run on the thread that asked took so long. After three in a row that took very much longer than they should,
    /// requests of their size are not run there any more.
    func ran(elements count: Int, nanoseconds: Int) {
        guard nanoseconds > limit * 10 else {
            if strikes.load(ordering: .relaxed) != 0 { strikes.store(0, ordering: .relaxed) }
            return
        }
        guard strikes.wrappingAdd(1, ordering: .relaxed).newValue >= 3, allows(count) else { return }
        strikes.store(0, ordering: .relaxed)
        elements.store(count > 1 ? count / 2 : -1, ordering: .relaxed)
    }
}
