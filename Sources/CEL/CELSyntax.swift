// SPDX-License-Identifier: Apache-2.0

/// An expression as it was written, macros expanded.
struct CELExpression: Sendable {
    indirect enum Kind: Sendable {
        case literal(CELValue)
        case name(String)
        case select(CELExpression, String)
        /// `has(a.b)`.
        case has(CELExpression, String)
        /// `a.?b`.
        case optionalSelect(CELExpression, String)
        case call(String, target: CELExpression?, [CELExpression])
        /// Elements; the ones at `optional` were written `?x`.
        case list([CELExpression], optional: Set<Int>)
        case map([Entry])
        case structure(String, [Field])
        case fold(CELFold)
    }

    struct Entry: Sendable {
        var key: CELExpression
        var value: CELExpression
        var isOptional: Bool
    }

    struct Field: Sendable {
        var name: String
        var value: CELExpression
        var isOptional: Bool
        var offset: Int
    }

    let kind: Kind
    /// Where it stands in the source, in code points; for an operator, where that stands.
    let offset: Int
    /// How many expressions lie in one another.
    let depth: Int
}

/// What the macros over lists and maps expand to.
struct CELFold: Sendable {
    enum Kind: Sendable {
        case all
        case exists
        case existsOne
        /// `map` and `transformList`.
        case map
        case filter
        case transformMap
        case transformMapEntry
        /// `cel.bind`: the range is the value bound.
        case bind
        /// `optMap`: the range is the optional.
        case optionalMap
        case optionalFlatMap
        /// `sortBy`: the body gives the key.
        case sortBy
    }

    var kind: Kind
    var range: CELExpression
    var variable: String
    /// The second variable of `all(i, x, …)`.
    var second: String?
    var filter: CELExpression?
    var body: CELExpression
}

/// A problem at a place of the source.
struct CELSyntaxError: Error {
    /// In code points.
    var offset: Int
    var message: String
}
