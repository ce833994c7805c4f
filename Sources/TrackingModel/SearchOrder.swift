// SPDX-License-Identifier: Apache-2.0

/// One part of an order: what is compared first, and which way.
package struct SearchOrder: Sendable, Hashable {
    package let entity: SearchEntity
    /// In its one spelling, as those of ``SearchCondition``.
    package let key: String
    package let isAscending: Bool

    package init(_ entity: SearchEntity, _ key: String, isAscending: Bool) {
        self.entity = entity
        self.key = key
        self.isAscending = isAscending
    }

    /// Parts of one order at most.
    package static let maximumParts = 20

    /// Reads an order: `metrics.x DESC`, `start_time`, `` params.`a b` ASC``.
    /// - Parameters:
    ///   - clauses: first what is compared first.
    ///   - kind: of things that are searched; logged models have orders of another form.
    /// - Returns: its parts.
    /// - Throws: INVALID_PARAMETER_VALUE in MLflow's words; INTERNAL_ERROR for the same twice, as MLflow has it.
    package static func parse(_ clauses: [String], _ kind: SearchKind) throws(TrackingError) -> [SearchOrder] {
        guard clauses.count <= maximumParts else {
            throw .invalid("`order_by` has \(clauses.count) parts, and \(maximumParts) are the most.")
        }
        var orders: [SearchOrder] = []
        for clause in clauses {
            let order = try parse(clause, kind)
            let isTwice = orders.contains { $0.entity == order.entity && $0.key == order.key }
            if isTwice, kind != .experiments {
                throw TrackingError(.internalError, "`order_by` contains duplicate fields: \(PythonText.repr(clauses))")
            }
            if !isTwice { orders.append(order) }
        }
        return orders
    }

    private static func parse(_ clause: String, _ kind: SearchKind) throws(TrackingError) -> SearchOrder {
        let (path, isAscending) = try parts(clause)
        let words = SearchWords.of(kind)
        if kind == .registeredModels {
            guard words.orderAttributes.contains(path) else {
                throw .invalid(
                    "Invalid order by key '\(path)' specified. Valid keys are '\(PythonText.set(["name", "timestamp"]))'"
                )
            }
            return SearchOrder(.attribute, words.aliases[path] ?? path, isAscending: isAscending)
        }
        let name = try SearchName(path, kind, words.orderAttributes)
        switch (kind, name.entity) {
        case (.runs, .dataset), (.traces, .span), (.traces, .feedback), (.traces, .expectation), (.traces, .issue):
            throw .invalid("Invalid identifier type '\(name.entity.rawValue)'")
        case (.experiments, .tag): throw .invalid("Invalid order_by entity: tag")
        case (.modelVersions, .tag):
            throw .invalid(
                "Invalid order by key '\(name.key)' specified. Valid keys are \(PythonText.set(words.orderAttributes))")
        default: return SearchOrder(name.entity, name.key, isAscending: isAscending)
        }
    }

    /// The name of a clause, as it was written, and its direction.
    private static func parts(_ clause: String) throws(TrackingError) -> (path: String, isAscending: Bool) {
        let unread = TrackingError.invalid("Invalid order_by clause '\(clause)'. Could not be parsed.")
        guard clause.unicodeScalars.count <= 10_000, let first = clause.unicodeScalars.first,
            let last = clause.unicodeScalars.last, !FilterLexer.isSpace(first), !FilterLexer.isSpace(last)
        else { throw unread }
        let parts = FilterSyntax(clause).parts
        let path: String
        switch parts.first {
        case .operand(.identifier(let written))?: path = written
        case .builtin(let name)? where name.lowercased() == "timestamp": path = "timestamp"
        default: throw unread
        }
        let foreign = TrackingError.invalid("Invalid ordering key in order_by clause '\(clause)'.")
        let isSpaced = hasSpace(path)
        switch parts.count {
        case 1:
            if isSpaced { throw foreign }
            return (path, true)
        case 2:
            guard !isSpaced, clause.dropFirst(path.count).first?.isWhitespace == true else { throw unread }
            if case .order(let word) = parts[1] { return (path, word == "ASC") }
            // A type of SQL's is no name that something could follow.
            if case .operand(.identifier) = parts[1], case .operand = parts[0] {
                throw foreign
            }
            throw unread
        default: throw unread
        }
    }

    /// Whether there is a space outside of quotes: names that a shell would take for two.
    private static func hasSpace(_ path: String) -> Bool {
        var quote: Unicode.Scalar?
        for scalar in path.unicodeScalars {
            if let open = quote {
                if scalar == open { quote = nil }
            } else if scalar == "'" || scalar == "\"" || scalar == "`" {
                quote = scalar
            } else if FilterLexer.isSpace(scalar) {
                return true
            }
        }
        return false
    }
}
