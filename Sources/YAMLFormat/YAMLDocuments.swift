// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Why a YAML text cannot be taken.
package struct YAMLDocumentError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
}

/// Reads YAML 1.1, as kubectl and the API server do: tags resolved to JSON's types, in time and memory that grow with
/// the text and not with what its aliases stand for.
package enum YAMLDocuments {
    /// Parses all documents; empty ones are left out.
    package static func parse(_ text: String) throws(YAMLDocumentError) -> [JSONValue] {
        var composer = YAMLComposer(Array(text.utf8))
        return try composer.documents().filter { !$0.isNull }
    }

    /// Parses a text of one document and lists the keys that occur more than once in a mapping, as
    /// `line 2: key "a" already set in map`; the last value counts.
    package static func parseOne(
        _ bytes: [UInt8]
    ) throws(YAMLDocumentError) -> (value: JSONValue, duplicates: [String]) {
        var composer = YAMLComposer(bytes)
        let documents = try composer.documents(maximum: 1)
        return (documents.first ?? .null, composer.duplicates)
    }
}
