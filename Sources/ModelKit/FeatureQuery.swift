// SPDX-License-Identifier: Apache-2.0

/// Why a query is refused.
package struct FeatureQueryError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
}

/// A query over the tables of events, from a file of its own. Its parameters are its first CTE, a row of constants:
/// `WITH parameters AS (SELECT CAST(0.1 AS DOUBLE) AS holdout, …)`. As it stands it runs with those, on any engine.
package struct FeatureQuery: Sendable, Equatable {
    /// The file's name without `.sql`.
    package let name: String
    /// As it stands in the file.
    package let sql: String

    package init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }

    /// A parameter's value.
    package enum Value: Sendable, Hashable {
        case bigint(Int64)
        case double(Double)

        /// A literal, and the type that the query's constant has to have.
        fileprivate var literal: (text: String, type: String)? {
            switch self {
            case .bigint(let number): ("\(number)", "BIGINT")
            case .double(let number): number.isFinite ? ("\(number)", "DOUBLE") : nil
            }
        }
    }

    /// The query with other values for some of its parameters.
    package func sql(with values: [String: Value]) throws(FeatureQueryError) -> String {
        var text = sql
        for (parameter, value) in values.sorted(by: { $0.key < $1.key }) {
            let range = try constant(parameter, in: text)
            guard let literal = value.literal, text[range.upperBound...].hasPrefix(" AS \(literal.type)) AS ") else {
                throw FeatureQueryError(description: "\(name): \(parameter) cannot be \(value)")
            }
            text.replaceSubrange(range, with: literal.text)
        }
        return text
    }

    /// Where the constant of a parameter is: `CAST(… AS TYPE) AS name` within the first CTE.
    private func constant(_ parameter: String, in text: String) throws(FeatureQueryError) -> Range<String.Index> {
        let missing = FeatureQueryError(description: "the query \(name) has no parameter \(parameter)")
        guard let start = text.firstRange(of: "WITH parameters AS (SELECT ") else { throw missing }
        var rest = text[start.upperBound...]
        while rest.hasPrefix("CAST(") {
            let first = rest.index(rest.startIndex, offsetBy: 5)
            guard let end = rest.firstRange(of: " AS "), let close = rest.firstRange(of: ") AS ") else { break }
            let named = rest[close.upperBound...]
            let label = named.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
            if label == parameter, first <= end.lowerBound { return first..<end.lowerBound }
            rest = named.dropFirst(label.count).drop { $0 == "," || $0.isWhitespace }
        }
        throw missing
    }
}
