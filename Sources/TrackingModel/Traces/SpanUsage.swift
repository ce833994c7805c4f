// SPDX-License-Identifier: Apache-2.0

/// What a span says of tokens or costs, and where it stands in its trace.
package struct SpanUsage: Sendable {
    package var spanID: Int64
    package var parentID: Int64?
    /// Amounts by key; nil where the span says nothing.
    package var amounts: [String: Double]?

    package static let tokenKeys = ["input_tokens", "output_tokens", "total_tokens"]
    package static let cacheKeys = [
        "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation_input_tokens_above_1hr",
    ]
    package static let costKeys = ["input_cost", "output_cost", "total_cost"]

    /// - Parameters:
    ///   - spanID: of the span.
    ///   - parentID: of the span above; nil for a root.
    ///   - value: an object with amounts.
    package init(spanID: Int64, parentID: Int64?, value: AttributeValue?) {
        self.spanID = spanID
        self.parentID = parentID
        amounts = value?.members.map { members in
            var amounts: [String: Double] = [:]
            for member in members { amounts[member.key] = member.value.number }
            return amounts
        }
    }

    /// The sum over a trace. Producers that sum up write on a span what the spans below it said already: those below a span
    /// that says something are not counted.
    /// - Returns: amounts of all `keys` and of those `others` that were said; nil where no span says anything.
    package static func sum(_ spans: [SpanUsage], keys: [String], others: [String] = []) -> [String: Double]? {
        let known = Set(spans.map(\.spanID))
        var children: [Int64: [SpanUsage]] = [:]
        var stack: [SpanUsage] = []
        for span in spans {
            if let parent = span.parentID, known.contains(parent) {
                children[parent, default: []].append(span)
            } else {
                stack.append(span)
            }
        }
        var totals: [String: Double] = [:]
        var isAny = false
        while let span = stack.popLast() {
            if let amounts = span.amounts {
                isAny = true
                for key in keys { totals[key, default: 0] += amounts[key] ?? 0 }
                for key in others { if let amount = amounts[key] { totals[key, default: 0] += amount } }
            } else {
                // Each span is below one other at most, so the walk ends.
                stack += children.removeValue(forKey: span.spanID) ?? []
            }
        }
        return isAny ? totals : nil
    }
}
