// SPDX-License-Identifier: Apache-2.0

/// Prefixes of whole path elements: `/a` covers `/a` and `/a/b`, not `/ab`.
package enum PathPrefix {
    /// `prefix`: without a slash at its end; empty covers all.
    package static func covers(_ prefix: String, _ path: String) -> Bool {
        let (prefix, path) = (prefix.utf8, path.utf8)
        guard path.count >= prefix.count, path.starts(with: prefix) else { return false }
        return path.count == prefix.count || path[path.index(path.startIndex, offsetBy: prefix.count)] == 0x2F
    }

    /// The path with another prefix; source: Gateway API, HTTPPathModifier's table.
    package static func replace(_ prefix: String, in path: String, by replacement: String) -> String {
        var rest = path.utf8.count >= prefix.utf8.count ? String(path.dropFirst(prefix.count)) : path
        let base = replacement.hasSuffix("/") ? String(replacement.dropLast()) : replacement
        if !rest.isEmpty, !rest.hasPrefix("/") { rest = "/" + rest }
        let whole = base + rest
        return whole.isEmpty ? "/" : whole
    }
}

extension PathChange {
    /// `prefix`: what the rule matched; nil for all.
    package func apply(to path: String, matched prefix: String?) -> String {
        switch self {
        case .full(let path): path
        case .prefix(let replacement): PathPrefix.replace(prefix ?? "", in: path, by: replacement)
        }
    }
}

/// Parameters of a query.
enum QueryText {
    /// The first value of a name.
    static func first(_ name: String, in query: String) -> String? {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard decoded(parts[0]) == name else { continue }
            return parts.count > 1 ? decoded(parts[1]) : ""
        }
        return nil
    }

    private static func decoded(_ text: Substring) -> String {
        guard text.utf8.contains(where: { $0 == 0x25 || $0 == 0x2B }) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == 0x2B {
                bytes.append(0x20)
            } else if byte == 0x25, let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                rest.count >= 2
            {
                bytes.append(code)
                rest.removeFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
