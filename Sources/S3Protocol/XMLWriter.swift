// SPDX-License-Identifier: Apache-2.0

/// Writes XML as S3 sends it: no white space between elements, UTF-8.
package struct XMLWriter: Sendable {
    /// The namespace of S3's documents.
    package static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

    /// What was written.
    package private(set) var bytes: [UInt8]

    package init(capacity: Int = 512) {
        bytes = []
        bytes.reserveCapacity(capacity)
        raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
    }

    /// An element with others in it; `namespace` is for the outermost.
    package mutating func element(
        _ name: StaticString, namespace: String? = nil, _ content: (inout XMLWriter) -> Void
    ) {
        open(name, namespace)
        content(&self)
        close(name)
    }

    /// An element with text in it.
    package mutating func text(_ name: StaticString, _ text: String) {
        open(name, nil)
        escape(text)
        close(name)
    }

    /// An element whose name is not known at compile time.
    package mutating func text(named name: String, _ text: String) {
        bytes.append(UInt8(ascii: "<"))
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ">"))
        escape(text)
        raw("</")
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ">"))
    }

    /// An element with text in it, where there is one.
    package mutating func text(_ name: StaticString, _ text: String?) {
        if let text { self.text(name, text as String) }
    }

    package mutating func number(_ name: StaticString, _ value: some FixedWidthInteger) {
        open(name, nil)
        bytes.append(contentsOf: String(value).utf8)
        close(name)
    }

    package mutating func flag(_ name: StaticString, _ value: Bool) {
        open(name, nil)
        raw(value ? "true" : "false")
        close(name)
    }

    /// An entity tag, in the quotes that belong to it.
    package mutating func entityTag(_ name: StaticString, _ value: String) {
        open(name, nil)
        raw("&quot;")
        escape(value)
        raw("&quot;")
        close(name)
    }

    /// `2026-01-02T03:04:05.000Z` of milliseconds since 1970.
    package mutating func time(_ name: StaticString, _ milliseconds: Int64) {
        open(name, nil)
        bytes.append(contentsOf: S3Time.iso(milliseconds: milliseconds).utf8)
        close(name)
    }

    /// A name in the form that was asked for: as it is, or percent-encoded (`encoding-type=url`).
    package mutating func name(_ element: StaticString, _ name: String, isEncoded: Bool) {
        open(element, nil)
        if isEncoded { URIEncoding.append(name.utf8, keepsSlash: true, to: &bytes) } else { escape(name) }
        close(element)
    }

    /// An element with all that is in it, of names that are not known at compile time.
    package mutating func tree(_ element: XMLElement, namespace: String? = nil) {
        raw("<")
        bytes.append(contentsOf: element.name.utf8)
        if let namespace {
            raw(" xmlns=\"")
            bytes.append(contentsOf: namespace.utf8)
            raw("\"")
        }
        raw(">")
        escape(element.text)
        for child in element.children { tree(child) }
        raw("</")
        bytes.append(contentsOf: element.name.utf8)
        raw(">")
    }

    /// Bytes that are XML already.
    package mutating func verbatim(_ xml: some Sequence<UInt8>) { bytes.append(contentsOf: xml) }

    private mutating func open(_ name: StaticString, _ namespace: String?) {
        bytes.append(UInt8(ascii: "<"))
        raw(name)
        if let namespace {
            raw(" xmlns=\"")
            bytes.append(contentsOf: namespace.utf8)
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: ">"))
    }

    private mutating func close(_ name: StaticString) {
        raw("</")
        raw(name)
        bytes.append(UInt8(ascii: ">"))
    }

    private mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Characters that XML 1.0 cannot hold are written as references, as S3 does: a client that has such keys asks for
    /// `encoding-type=url`.
    private mutating func escape(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): raw("&amp;")
            case UInt8(ascii: "<"): raw("&lt;")
            case UInt8(ascii: ">"): raw("&gt;")
            case UInt8(ascii: "\""): raw("&quot;")
            case UInt8(ascii: "\t"), UInt8(ascii: "\n"), 0x20...: bytes.append(byte)
            default:
                raw("&#x")
                bytes.append(contentsOf: String(byte, radix: 16).utf8)
                raw(";")
            }
        }
    }
}
