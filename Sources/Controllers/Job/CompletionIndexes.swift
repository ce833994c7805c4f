// SPDX-License-Identifier: Apache-2.0

/// Completion indexes in the text form of a Job's status: `1,3-5,7`.
struct CompletionIndexes: Equatable, Sendable, CustomStringConvertible {
    private(set) var values: Set<Int>

    init(_ values: Set<Int> = []) { self.values = values }

    /// Reads the text form; what is not a number, or not below `limit`, is left out.
    init(text: String, limit: Int) {
        var values: Set<Int> = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-", maxSplits: 1).compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first >= 0, first <= last else { continue }
            values.formUnion(first..<min(last + 1, max(limit, first)))
        }
        self.values = values
    }

    mutating func insert(_ index: Int) { values.insert(index) }

    var description: String {
        var parts: [String] = []
        var run: ClosedRange<Int>?
        func text(_ run: ClosedRange<Int>) -> String {
            switch run.count {
            case 1: "\(run.lowerBound)"
            case 2: "\(run.lowerBound),\(run.upperBound)"
            default: "\(run.lowerBound)-\(run.upperBound)"
            }
        }
        for value in values.sorted() {
            if let current = run, current.upperBound + 1 == value {
                run = current.lowerBound...value
            } else {
                if let current = run { parts.append(text(current)) }
                run = value...value
            }
        }
        if let current = run { parts.append(text(current)) }
        return parts.joined(separator: ",")
    }
}
