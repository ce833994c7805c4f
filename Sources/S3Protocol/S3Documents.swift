// SPDX-License-Identifier: Apache-2.0

/// The documents of S3's requests and answers, as values (API reference, "Data Types").
package enum S3Documents {
    /// A name and a value that belong to a bucket or an object.
    package struct Tag: Sendable, Hashable {
        package var key: String
        package var value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// Who owns a bucket, an object or an upload.
    package struct Owner: Sendable, Hashable {
        package var id: String
        package var displayName: String

        package init(id: String, displayName: String) {
            self.id = id
            self.displayName = displayName
        }

        func write(_ writer: inout XMLWriter, as name: StaticString = "Owner") {
            writer.element(name) { writer in
                writer.text("ID", id)
                writer.text("DisplayName", displayName)
            }
        }
    }

    /// Reads a document whose outermost element has that name.
    static func root(
        _ xml: [UInt8], _ name: String, limits: XMLElement.Limits = .init()
    ) throws(S3Error) -> XMLElement {
        let root = try XMLElement(xml, limits: limits)
        guard root.name == name else {
            throw .malformedXML("the document is <\(root.name.prefix(64))>; <\(name)> is expected")
        }
        return root
    }
}

extension XMLElement {
    /// Refuses elements that are not among those.
    func allow(_ names: Set<String>) throws(S3Error) {
        for child in children where !names.contains(child.name) {
            throw .malformedXML("<\(name)> cannot have <\(child.name.prefix(64))> in it")
        }
    }

    func required(_ name: String) throws(S3Error) -> String {
        guard let text = self[name] else { throw .malformedXML("<\(self.name)> has no <\(name)>") }
        return text
    }

    /// A whole number of an element; nil where there is no such element.
    func integer(_ name: String, _ range: ClosedRange<Int64>) throws(S3Error) -> Int64? {
        guard let text = self[name] else { return nil }
        guard let value = Int64(text), range.contains(value) else {
            throw .malformedXML("<\(name)> is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func flag(_ name: String) throws(S3Error) -> Bool? {
        switch self[name]?.lowercased() {
        case nil: return nil
        case "true": return true
        case "false": return false
        default: throw .malformedXML("<\(name)> is neither true nor false")
        }
    }
}
