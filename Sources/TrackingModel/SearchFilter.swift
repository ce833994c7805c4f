// SPDX-License-Identifier: Apache-2.0

/// A parsed filter: conditions that all have to hold.
package struct SearchFilter: Sendable, Hashable {
    /// Of one filter at most, and so a text of this many scalars, and this many values in all of its lists.
    package static let maximumConditions = 100
    package static let maximumLength = 1 << 20
    package static let maximumValues = 10_000

    package let conditions: [SearchCondition]

    package init(_ conditions: [SearchCondition] = []) { self.conditions = conditions }

    /// Reads a filter.
    /// - Parameters:
    ///   - text: `metrics.x > 1 AND params.y = 'z'`; empty: everything is found.
    ///   - kind: of things that are searched.
    /// - Returns: its conditions.
    /// - Throws: INVALID_PARAMETER_VALUE in MLflow's words.
    package static func parse(_ text: String, _ kind: SearchKind) throws(TrackingError) -> SearchFilter {
        guard !text.isEmpty else { return SearchFilter() }
        guard text.unicodeScalars.count <= maximumLength else {
            throw .invalid("The filter is longer than \(maximumLength) characters.")
        }
        let syntax = FilterSyntax(text, timestamps: kind == .traces)
        guard !text.unicodeScalars.allSatisfy(FilterLexer.isSpace) else {
            throw .invalid("Invalid filter '\(text)'. Could not be parsed.")
        }
        if let end = syntax.parts.firstIndex(of: .other(";")), end < syntax.parts.count - 1, kind != .loggedModels {
            throw .invalid(
                "Search filter contained multiple expression \(PythonText.repr(text)). Provide AND-ed expression list.")
        }
        try refuseOthers(syntax, text, kind)
        var comparisons: [FilterSyntax.Comparison] = []
        for case .comparison(let comparison) in syntax.parts { comparisons.append(comparison) }
        guard comparisons.count <= maximumConditions else {
            throw .invalid("The filter has \(comparisons.count) conditions, and \(maximumConditions) are the most.")
        }
        // MLflow reads all of them before it looks at how they compare.
        var raw: [RawCondition] = []
        for comparison in comparisons {
            raw.append(
                try kind == .loggedModels ? LoggedModelGrammar.condition(comparison) : RawCondition(comparison, kind))
        }
        var conditions: [SearchCondition] = []
        for one in raw { conditions.append(try one.checked(kind)) }
        let count = conditions.reduce(0) { $0 + $1.value.count }
        guard count <= maximumValues else {
            throw .invalid("The filter has \(count) values, and \(maximumValues) are the most.")
        }
        return SearchFilter(conditions)
    }

    /// Refuses what is neither a comparison nor AND.
    private static func refuseOthers(
        _ syntax: FilterSyntax, _ text: String, _ kind: SearchKind
    ) throws(TrackingError) {
        let others = syntax.parts.filter { part in
            switch part {
            case .comparison: false
            case .keyword("AND", written: _): false
            default: true
            }
        }
        guard !others.isEmpty else { return }
        switch kind {
        case .loggedModels:
            throw .invalid(
                "Invalid filter string: \(PythonText.repr(text)). Expected a list of comparisons separated by 'AND' "
                    + "(e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').")
        case .runs, .traces:
            throw .invalid(
                "Invalid clause(s) in filter string: " + others.map { "'\($0.written)'" }.joined(separator: ", "))
        case .experiments, .registeredModels, .modelVersions:
            throw .invalid(
                "Invalid clause(s) in filter string: " + others.map(\.written).joined(separator: ", "))
        }
    }
}
