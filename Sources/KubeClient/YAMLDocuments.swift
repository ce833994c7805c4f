// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import Yams

/// Why a YAML text cannot be taken.
package struct YAMLDocumentError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
}

/// Reads YAML 1.1 manifests, as kubectl does: several documents, tags resolved to JSON's types, bounded.
package enum YAMLDocuments {
    /// Aliases are refused past this many nodes, so that a small text cannot grow without bound.
    private static let maxNodes = 1_000_000

    /// Parses all documents; empty ones are left out.
    package static func parse(_ text: String) throws -> [JSONValue] {
        var documents: [JSONValue] = []
        var budget = maxNodes
        for node in try Yams.compose_all(yaml: text) {
            let value = try convert(node, depth: 0, budget: &budget)
            if !value.isNull { documents.append(value) }
        }
        return documents
    }

    private static func convert(_ node: Node, depth: Int, budget: inout Int) throws -> JSONValue {
        budget -= 1
        guard budget > 0, depth < JSONParser.defaultMaxDepth else {
            throw YAMLDocumentError(description: "the document is too large or nested too deeply")
        }
        switch node {
        case .mapping(let mapping):
            var members: [String: JSONValue] = [:]
            for (key, value) in mapping {
                guard let name = key.scalar?.string else {
                    throw YAMLDocumentError(description: "line \(key.mark?.line ?? 0): a key is not a scalar")
                }
                members[name] = try convert(value, depth: depth + 1, budget: &budget)
            }
            return .object(members)
        case .sequence(let sequence):
            return .array(try sequence.map { try convert($0, depth: depth + 1, budget: &budget) })
        case .scalar(let scalar):
            return convert(scalar, node: node)
        case .alias:
            throw YAMLDocumentError(description: "line \(node.mark?.line ?? 0): an alias has no anchor")
        }
    }

    private static func convert(_ scalar: Node.Scalar, node: Node) -> JSONValue {
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        switch Resolver.default.resolveTag(of: node) {
        case .null: return .null
        case .bool: return node.bool.map(JSONValue.bool) ?? .string(scalar.string)
        case .int: return node.int.map { JSONValue($0) } ?? .string(scalar.string)
        case .float: return node.float.map { JSONValue($0) } ?? .string(scalar.string)
        default: return .string(scalar.string)
        }
    }
}
