// SPDX-License-Identifier: Apache-2.0

/// Logged models have a grammar of their own (MLflow, utils/search_logged_model_utils.py): entities only in the plural,
/// numbers by what is compared, texts with or without quotes.
enum LoggedModelGrammar {
    /// - Throws: INVALID_PARAMETER_VALUE in MLflow's words.
    static func condition(_ comparison: FilterSyntax.Comparison) throws(TrackingError) -> RawCondition {
        let left = comparison.left.written
        guard let right = comparison.right else {
            throw .invalid(
                "Invalid comparison: \(left)\(comparison.comparator). Expected a comparison with 3 tokens.")
        }
        let (entity, key) = try name(left)
        let words = SearchWords.of(.loggedModels)
        let isNumeric = entity == .metric || (entity == .attribute && words.numeric.contains(key))
        let comparator = comparison.comparator.uppercased()
        let comparators = isNumeric ? ["<", "<=", ">", ">=", "=", "!="] : ["=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"]
        let shown = (entity == .param ? "param" : entity.rawValue) + "s." + key
        guard comparators.contains(comparator) else {
            let list = "(" + comparators.map(PythonText.repr).joined(separator: ", ") + ")"
            throw .invalid(
                "Invalid comparison operator for \(shown): \(PythonText.repr(comparator)). Expected one of \(list).")
        }
        // MLflow fails here with a fault of Python's.
        if entity == .attribute, !words.attributes.contains(key) {
            throw .invalid(
                "Invalid attribute key '\(key)' specified. Valid keys are '\(PythonText.set(words.attributes))'")
        }
        let value = try value(right, isNumeric: isNumeric, of: shown)
        return RawCondition(entity: entity, key: key, comparator: comparator, value: value)
    }

    private static func name(_ written: String) throws(TrackingError) -> (SearchEntity, String) {
        let words = SearchWords.of(.loggedModels)
        let parts = written.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, parts[0].allSatisfy({ $0 >= "a" && $0 <= "z" }) {
            guard let entity = words.entities[String(parts[0])] else {
                throw .invalid(words.entityFault(String(parts[0])))
            }
            let key = stripped(parts[1], "`")
            return (entity, entity == .attribute ? words.aliases[key] ?? key : key)
        }
        let key = stripped(Substring(written), "`")
        return (.attribute, words.aliases[key] ?? key)
    }

    private static func value(
        _ right: FilterSyntax.Operand, isNumeric: Bool, of name: String
    ) throws(TrackingError) -> SearchValue {
        if isNumeric {
            guard let number = Double(stripped(Substring(right.written), "'")) else {
                throw .invalid("Invalid value for \(name): \(right.written) is no number.")
            }
            return .real(number)
        }
        if case .list(let written) = right { return .texts(try RawCondition.texts(written)) }
        return .text(stripped(Substring(right.written), "'"))
    }

    private static func stripped(_ text: Substring, _ quote: Character) -> String {
        var text = text
        while text.first == quote { text.removeFirst() }
        while text.last == quote { text.removeLast() }
        return String(text)
    }
}
