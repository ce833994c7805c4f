// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Why a GraphQL document is not answered.
package struct GraphQLError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// One operation of a GraphQL document (GraphQL specification, October 2021, section 2), with its variables put in.
package struct GraphQLOperation: Sendable, Hashable {
    package enum Kind: String, Sendable { case query, mutation }

    package var kind = Kind.query
    package var fields: [GraphQLField] = []
}

/// A field that is asked for.
package struct GraphQLField: Sendable, Hashable {
    package var name: String
    /// What the answer calls it.
    package var alias: String
    package var arguments: [String: JSONValue]
    /// What is asked for of its value; empty for scalars.
    package var fields: [GraphQLField]
}

/// What a document may be.
package enum GraphQLLimits {
    /// Bytes.
    static let bytes = 100_000
    /// Levels of selections; MLflow's.
    static let depth = 10
    /// Fields in all; MLflow's.
    static let fields = 1000
    /// Fields of the operation itself; MLflow's.
    static let rootFields = 10
    /// Levels of lists and objects within values.
    static let valueDepth = 16
}
