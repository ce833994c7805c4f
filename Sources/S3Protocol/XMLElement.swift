// SPDX-License-Identifier: Apache-2.0
import CExpat

/// An element of a document that was read, with what is in it. Names are without their prefixes.
package struct XMLElement: Sendable, Equatable {
    /// What a document may have before it is refused.
    package struct Limits: Sendable {
        /// Bytes of the document.
        package var bytes: Int
        /// Elements within each other.
        package var depth: Int
        /// Elements in all.
        package var elements: Int

        package init(bytes: Int = 64 << 10, depth: Int = 16, elements: Int = 4096) {
            self.bytes = bytes
            self.depth = depth
            self.elements = elements
        }
    }

    package var name: String
    /// Character data directly in the element; empty where it only has white space around other elements.
    package var text: String
    package var children: [XMLElement]

    package init(name: String, text: String = "", children: [XMLElement] = []) {
        self.name = name
        self.text = text
        self.children = children
    }

    /// Text of the first element of that name.
    package subscript(_ name: String) -> String? { child(name)?.text }

    package func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    package func children(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// The element as a document.
    package func document(namespace: String? = nil) -> [UInt8] {
        var writer = XMLWriter()
        writer.tree(self, namespace: namespace)
        return writer.bytes
    }

    /// Reads a document.
    ///
    /// - Throws: `MalformedXML` for what is not well formed, has a document type (so no entities of its own), or is more
    ///   than `limits` allow.
    package init(_ bytes: some Sequence<UInt8>, limits: Limits = Limits()) throws(S3Error) {
        let bytes = Array(bytes)
        guard bytes.count <= limits.bytes else {
            throw .malformedXML("the document has \(bytes.count) bytes; at most \(limits.bytes) are read")
        }
        self = try XMLTreeBuilder.parse(bytes, limits: limits)
    }
}

extension S3Error {
    /// The document is not what it should be.
    static func malformedXML(_ reason: String) -> S3Error {
        S3Error(
            .malformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema: \(reason)")
    }
}

/// Builds the tree from the parser's events. It lives for one call of ``parse(_:limits:)`` and is used by one thread.
private final class XMLTreeBuilder {
    private let limits: XMLElement.Limits
    private let parser: XML_Parser
    private var open: [XMLElement] = []
    private var texts: [[UInt8]] = []
    private var root: XMLElement?
    private var count = 0
    private var refusal: String?

    private init(_ parser: XML_Parser, limits: XMLElement.Limits) {
        self.parser = parser
        self.limits = limits
    }

    static func parse(_ bytes: [UInt8], limits: XMLElement.Limits) throws(S3Error) -> XMLElement {
        guard let parser = XML_ParserCreate(nil) else {
            throw S3Error(.internalError, "no memory for an XML parser")
        }
        defer { XML_ParserFree(parser) }
        let builder = XMLTreeBuilder(parser, limits: limits)
        // The builder outlives the parser's use: both end with this function.
        XML_SetUserData(parser, Unmanaged.passUnretained(builder).toOpaque())
        XML_SetElementHandler(
            parser,
            { data, name, _ in
                guard let builder = XMLTreeBuilder.from(data), let name else { return }
                builder.start(String(cString: name))
            },
            { data, _ in XMLTreeBuilder.from(data)?.end() })
        XML_SetCharacterDataHandler(parser) { data, text, length in
            guard let builder = XMLTreeBuilder.from(data), let text else { return }
            builder.characters(UnsafeRawBufferPointer(start: text, count: Int(length)))
        }
        XML_SetStartDoctypeDeclHandler(parser) { data, _, _, _, _ in
            XMLTreeBuilder.from(data)?.refuse("document types are not read")
        }
        let status = bytes.withUnsafeBytes { buffer in
            XML_Parse(parser, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count), 1)
        }
        if let refusal = builder.refusal { throw .malformedXML(refusal) }
        guard status == XML_STATUS_OK, let root = builder.root else {
            let reason = XML_ErrorString(XML_GetErrorCode(parser)).map { String(cString: $0) } ?? "no element"
            throw .malformedXML("\(reason) at line \(XML_GetCurrentLineNumber(parser))")
        }
        return root
    }

    private static func from(_ data: UnsafeMutableRawPointer?) -> XMLTreeBuilder? {
        data.map { Unmanaged<XMLTreeBuilder>.fromOpaque($0).takeUnretainedValue() }
    }

    private func refuse(_ reason: String) {
        if refusal == nil { refusal = reason }
        XML_StopParser(parser, XML_Bool(0))
    }

    private func start(_ qualified: String) {
        guard refusal == nil else { return }
        count += 1
        guard count <= limits.elements else { return refuse("more than \(limits.elements) elements") }
        guard open.count < limits.depth else { return refuse("elements more than \(limits.depth) deep") }
        let name = qualified.utf8.lastIndex(of: UInt8(ascii: ":")).map {
            String(qualified[qualified.utf8.index(after: $0)...])
        }
        open.append(XMLElement(name: name ?? qualified))
        texts.append([])
    }

    private func characters(_ bytes: UnsafeRawBufferPointer) {
        guard refusal == nil, !texts.isEmpty else { return }
        texts[texts.count - 1].append(contentsOf: bytes)
    }

    private func end() {
        guard refusal == nil, var element = open.popLast(), let text = texts.popLast() else { return }
        let isLayout = !element.children.isEmpty && text.allSatisfy { [0x20, 0x0A, 0x0D, 0x09].contains($0) }
        if !isLayout { element.text = String(decoding: text, as: UTF8.self) }
        if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
    }
}
