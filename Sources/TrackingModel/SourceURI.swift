// SPDX-License-Identifier: Apache-2.0

/// A URI or a path, split as the sources of model versions are (RFC 3986, appendix B): nothing is decoded or checked.
package struct SourceURI: Sendable, Hashable {
    package let text: String
    /// Lower case; empty for paths.
    package let scheme: String
    /// What is between `//` and the path; empty where there is none.
    package let authority: String
    /// Without query and fragment.
    package let path: String

    package init(_ text: String) {
        self.text = text
        var rest = Substring(text)
        if let colon = rest.firstIndex(of: ":"), Self.isScheme(rest[..<colon]) {
            scheme = rest[..<colon].lowercased()
            rest = rest[rest.index(after: colon)...]
        } else {
            scheme = ""
        }
        if rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
            authority = String(rest[..<end])
            rest = rest[end...]
        } else {
            authority = ""
        }
        path = String(rest.prefix { $0 != "?" && $0 != "#" })
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, isLetter(first) else { return false }
        return text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E].contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// The host of the authority, lower case, without user and port.
    package var host: String {
        var host = Substring(authority)
        if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
        if host.hasPrefix("[") { return host.dropFirst().prefix { $0 != "]" }.lowercased() }
        return host.prefix { $0 != ":" }.lowercased()
    }

    /// The path's parts that are not empty, with `%XX` decoded until nothing changes.
    package var parts: [String] {
        path.split(separator: "/").map { Self.decoded(String($0), plus: false) }
    }

    /// Is it a path of this machine, or `file:`?
    /// - Throws: INTERNAL_ERROR for `file:` of another machine, as MLflow.
    package func isLocal() throws(TrackingError) -> Bool {
        if text == "databricks" { return false }
        if scheme.isEmpty { return true }
        guard scheme == "file" else { return false }
        let isHere = host.isEmpty || host == "." || host.hasPrefix("localhost") || host.hasPrefix("127.0.0.1")
        guard isHere else {
            throw TrackingError(
                .internalError,
                "\(text) is not a valid remote uri. For remote access on windows, please consider using a different "
                    + "scheme such as SMB (e.g. smb://<hostname>/<path>).")
        }
        return true
    }

    /// The path of a local URI, without `.`, `..` and doubled `/`; nil when it is not absolute.
    package var localPath: String? {
        let plain = scheme == "file" ? Self.decodedOnce(path, plus: false) : text
        guard plain.hasPrefix("/") else { return nil }
        var parts: [Substring] = []
        for part in plain.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// Does it lie at or below `root`? Scheme, authority and parts of the path are compared.
    package func isWithin(_ root: SourceURI) -> Bool {
        let rootParts = root.parts
        return scheme == root.scheme && authority.lowercased() == root.authority.lowercased() && !rootParts.isEmpty
            && parts.starts(with: rootParts)
    }

    /// Decodes `%XX` (and `+`) until nothing changes.
    static func decoded(_ text: String, plus: Bool) -> String {
        var text = text
        while true {
            let next = decodedOnce(text, plus: plus)
            if next == text { return text }
            text = next
        }
    }

    private static func decodedOnce(_ text: String, plus: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x25 || (plus && $0 == 0x2B) }) else { return text }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x25, index + 2 < bytes.count, let high = hex(bytes[index + 1]),
                let low = hex(bytes[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(plus && bytes[index] == 0x2B ? 0x20 : bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
