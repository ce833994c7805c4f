// SPDX-License-Identifier: Apache-2.0

/// Where a webhook sends to, as far as its text tells: a scheme that is allowed, and a host (MLflow,
/// mlflow/utils/validation.py). What the host's addresses are is looked at each time that it is used.
package struct WebhookURL: Sendable, Hashable {
    package let text: String
    package let scheme: String
    /// In lower case; an IPv6 address without its brackets.
    package let host: String
    /// As it is written in the text, without brackets.
    package let writtenHost: String

    /// Characters at most (MLflow's column).
    private static let maximumLength = 500

    /// - Parameters:
    ///   - text: the URL.
    ///   - schemes: those that are allowed.
    /// - Throws: INVALID_PARAMETER_VALUE, in MLflow's words where it has some.
    package init(_ text: String, schemes: [String]) throws(TrackingError) {
        guard text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw .invalid("Webhook URL cannot be empty or just whitespace: \(PythonText.repr(text))")
        }
        guard text.unicodeScalars.count <= Self.maximumLength else {
            throw .invalid("Webhook URL must be at most \(Self.maximumLength) characters long.")
        }
        let colon = text.firstIndex(of: ":") ?? text.startIndex
        let scheme = Self.isScheme(text[..<colon]) ? text[..<colon].lowercased() : ""
        guard schemes.contains(scheme) else {
            throw .invalid(
                "Invalid webhook URL scheme: \(PythonText.repr(scheme)). Allowed schemes are: "
                    + "\(schemes.joined(separator: ", ")).")
        }
        let rest = text[text.index(after: colon)...]
        let authority = rest.hasPrefix("//") ? rest.dropFirst(2).prefix { !"/?#".contains($0) } : ""
        let place = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        let host =
            place.hasPrefix("[")
            ? place.dropFirst().prefix { $0 != "]" } : place.prefix { $0 != ":" }
        guard !host.isEmpty else {
            throw .invalid("Webhook URL must include a hostname: \(PythonText.repr(text))")
        }
        // Nothing that another reader of URLs could take for another host.
        guard authority.count == place.count else {
            throw .invalid("Webhook URL must not include embedded credentials: \(PythonText.repr(text))")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw .invalid("Invalid webhook URL \(PythonText.repr(text)): it has characters that are to be escaped")
        }
        let isNamed = host.utf8.allSatisfy { byte in
            Self.isAlphanumeric(byte) || (place.hasPrefix("[") ? ".:".utf8 : "-._".utf8).contains(byte)
        }
        guard isNamed else {
            throw .invalid("Invalid webhook URL \(PythonText.repr(text)): \(PythonText.repr(String(host))) is no host")
        }
        self.text = text
        self.scheme = scheme
        self.host = host.lowercased()
        writtenHost = String(host)
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first | 0x20) else {
            return false
        }
        return text.utf8.allSatisfy { isAlphanumeric($0) || "+-.".utf8.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
