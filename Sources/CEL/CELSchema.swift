// SPDX-License-Identifier: Apache-2.0

/// What is declared about a value that comes from JSON: its type, and how long it may be.
package final class CELSchema: Sendable {
    /// How a list compares and adds (`x-kubernetes-list-type`).
    package enum ListKind: Hashable, Sendable {
        case atomic
        case set
        /// Elements are told apart by these keys.
        case map(keys: [String])
    }

    package indirect enum Shape: Sendable {
        /// Any JSON.
        case dynamic
        case bool
        case int
        case double
        case string
        /// Base64 in JSON.
        case bytes
        /// RFC 3339 in JSON.
        case timestamp
        /// `2006-01-02` in JSON.
        case date
        /// `1h30m` in JSON.
        case duration
        case list(CELSchema, ListKind)
        /// Keys are strings.
        case map(CELSchema)
        case object(CELObjectType)
    }

    package let shape: Shape
    /// The most bytes, elements or members that a value has; nil where the size of a request is the only bound.
    package let maxElements: UInt64?
    /// The least that a value takes in JSON, in bytes.
    package let minSize: UInt64
    /// Whether a value has `apiVersion`, `kind` and `metadata`.
    package let isDefaulted: Bool

    package init(_ shape: Shape, maxElements: UInt64? = nil, minSize: UInt64 = 1, isDefaulted: Bool = false) {
        self.shape = shape
        self.maxElements = maxElements
        self.minSize = minSize
        self.isDefaulted = isDefaulted
    }

    /// Any JSON.
    package static let dynamic = CELSchema(.dynamic)

    /// The type of its values in expressions.
    package var type: CELType {
        switch shape {
        case .dynamic: .dyn
        case .bool: .bool
        case .int: .int
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        case .timestamp, .date: .timestamp
        case .duration: .duration
        case .list(let element, _): .list(element.type)
        case .map(let value): .map(.string, value.type)
        case .object(let type): .object(type)
        }
    }
}
