// SPDX-License-Identifier: Apache-2.0

/// A URL as Go's `url.ParseRequestURI` takes it: absolute, or a path from the root.
package struct CELURL: Hashable, Sendable {
    let text: String
    let scheme: String
    /// Host and port, brackets included.
    let host: String
    let escapedPath: String
    let rawQuery: String

    init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
        var rest = Substring(text)
        var scheme = ""
        if !text.hasPrefix("/") {
            guard let colon = rest.firstIndex(of: ":"), let first = rest.utf8.first, Self.isLetter(first) else {
                return nil
            }
            let name = rest[..<colon]
            let isScheme = name.utf8.allSatisfy { Self.isLetter($0) || Self.isDigit($0) || "+-.".utf8.contains($0) }
            guard isScheme else { return nil }
            scheme = name.lowercased()
            rest = rest[rest.index(after: colon)...]
            guard rest.first == "/" else { return nil }
        }
        var query = ""
        if let mark = rest.firstIndex(of: "?") {
            query = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        }
        var host = ""
        if !scheme.isEmpty || rest.hasPrefix("//") && !rest.hasPrefix("///"), rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex(of: "/") ?? rest.endIndex
            let authority = rest[..<end]
            rest = rest[end...]
            host = String(
                authority[(authority.lastIndex(of: "@").map { authority.index(after: $0) } ?? authority.startIndex)...])
            guard Self.isHost(host) else { return nil }
        }
        guard Self.hasValidEscapes(rest), Self.hasValidEscapes(host[...]) else { return nil }
        self.text = text
        self.scheme = scheme
        self.host = host
        escapedPath = String(rest)
        rawQuery = query
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isHost(_ host: String) -> Bool {
        var port = Substring()
        if host.hasPrefix("[") {
            guard let end = host.lastIndex(of: "]") else { return false }
            port = host[host.index(after: end)...]
        } else if let colon = host.lastIndex(of: ":") {
            port = host[colon...]
            guard !host[..<colon].contains(":") else { return false }
        }
        return port.isEmpty || port.first == ":" && port.dropFirst().utf8.allSatisfy(isDigit)
    }

    private static func hasValidEscapes(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.indices.allSatisfy { index in
            bytes[index] != UInt8(ascii: "%")
                || index + 2 < bytes.count && hex(bytes[index + 1]) != nil && hex(bytes[index + 2]) != nil
        }
    }

    private static func hex(_ byte: UInt8) -> UInt8? { UInt8(String(UnicodeScalar(byte)), radix: 16) }

    /// The host without brackets and port.
    var hostname: String {
        if host.hasPrefix("["), let end = host.lastIndex(of: "]") {
            return String(host[host.index(after: host.startIndex)..<end])
        }
        return host.lastIndex(of: ":").map { String(host[..<$0]) } ?? host
    }

    var port: String {
        let tail =
            host.hasPrefix("[") ? host.lastIndex(of: "]").map { host[host.index(after: $0)...] } ?? "" : host[...]
        return tail.lastIndex(of: ":").map { String(tail[tail.index(after: $0)...]) } ?? ""
    }

    /// The parameters of the query in order, each with its values.
    var query: [String: [String]] {
        var parameters: [String: [String]] = [:]
        for pair in rawQuery.split(separator: "&") where !pair.contains(";") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = Self.unescape(parts[0]), let value = Self.unescape(parts.count > 1 ? parts[1] : "") else {
                continue
            }
            parameters[key, default: []].append(value)
        }
        return parameters
    }

    private static func unescape(_ text: Substring) -> String? {
        guard hasValidEscapes(text) else { return nil }
        var bytes: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            if byte == UInt8(ascii: "%"), let high = iterator.next().flatMap(hex),
                let low = iterator.next().flatMap(hex)
            {
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
