// SPDX-License-Identifier: Apache-2.0

/// The parts of a resource's path.
///
/// Source: Kubernetes "API concepts", "Resource URIs".
struct RequestPath: Equatable {
    var group = ""
    var version = ""
    /// Empty when the path names no namespace.
    var namespace = ""
    /// Plural of the resource.
    var plural = ""
    var name: String?
    var subresource: String?

    /// Nil for a path that is not one of a resource.
    init?(_ path: String) {
        var parts: [String] = []
        for part in path.split(separator: "/") {
            guard parts.count < 9, let decoded = PercentEncoding.decode(part) else { return nil }
            parts.append(decoded)
        }
        var rest = parts[...]
        switch rest.popFirst() {
        case "api": break
        case "apis":
            guard let name = rest.popFirst() else { return nil }
            group = name
        default: return nil
        }
        guard let version = rest.popFirst(), let first = rest.popFirst() else { return nil }
        self.version = version
        let namespaceParts: Set = ["status", "finalize"]
        if first == "namespaces", rest.count >= 2, !namespaceParts.contains(rest[rest.startIndex + 1]) {
            namespace = rest.removeFirst()
            plural = rest.removeFirst()
        } else {
            plural = first
        }
        name = rest.popFirst()
        subresource = rest.popFirst()
        guard rest.isEmpty else { return nil }
    }
}

/// Percent-encoding of paths and queries (RFC 3986).
enum PercentEncoding {
    /// Nil when an escape is malformed or the text is not UTF-8.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        let utf8 = text.utf8
        guard utf8.contains(where: { $0 == UInt8(ascii: "%") || (plusIsSpace && $0 == UInt8(ascii: "+")) }) else {
            return String(text)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count)
        var iterator = utf8.makeIterator()
        while let byte = iterator.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The parameters of a query string; malformed ones are left as they are.
    static func query(_ text: some StringProtocol) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? parts[1] : ""
            return (
                decode(parts[0], plusIsSpace: true) ?? String(parts[0]),
                decode(value, plusIsSpace: true) ?? String(value)
            )
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
    }
}
