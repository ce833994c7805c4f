// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import LinearRegex

/// A format of strings that schemas can name.
///
/// Source: Kubernetes API reference, JSONSchemaProps `format`; what is validated there is what is validated here.
/// Formats that are not known are ignored, as upstream.
package struct SchemaFormat: Sendable {
    /// As the schema writes it.
    package let name: String
    private let rule: @Sendable (String) -> Bool

    /// Nil for a format that is not validated.
    package init?(name: String) {
        guard let rule = Self.rules[name.filter { $0 != "-" }] else { return nil }
        self.name = name
        self.rule = rule
    }

    /// Whether a text has this format.
    package func accepts(_ text: String) -> Bool { rule(text) }

    private static let rules: [String: @Sendable (String) -> Bool] = [
        "bsonobjectid": pattern("^[0-9a-fA-F]{24}$"),
        "uri": { isURI($0) },
        "email": pattern(#"^[^\s@<>(),;:"\\\[\]]+@[^\s@<>(),;:"\\\[\]]+$"#),
        "hostname": { isHostname($0) },
        "ipv4": { isIPv4($0) },
        "ipv6": { isIPv6($0) },
        "cidr": { isCIDR($0) },
        "mac": pattern("^([0-9a-fA-F]{2}[:-]){5}([0-9a-fA-F]{2}|([0-9a-fA-F]{2}[:-]){2}[0-9a-fA-F]{2})$"),
        "uuid": pattern("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
        "uuid3": pattern("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
        "uuid4": pattern("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
        "uuid5": pattern("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
        "isbn": { isISBN10($0) || isISBN13($0) },
        "isbn10": { isISBN10($0) },
        "isbn13": { isISBN13($0) },
        "creditcard": { isCreditCard($0) },
        "ssn": pattern(#"^\d{3}[- ]?\d{2}[- ]?\d{4}$"#),
        "hexcolor": pattern("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
        "rgbcolor": pattern(
            #"^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*"#
                + #"(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$"#),
        "byte": { if case .success = Base64.decode($0) { !$0.isEmpty } else { false } },
        "password": { _ in true },
        "date": { Timestamp(rfc3339: $0 + "T00:00:00Z") != nil },
        "duration": { isDuration($0) },
        "datetime": { isDateTime($0) },
        "k8sshortname": { NameRules.dns1123Label($0).isEmpty },
        "k8slongname": { NameRules.dns1123Subdomain($0).isEmpty },
    ]

    private static func pattern(_ text: String) -> @Sendable (String) -> Bool {
        guard let expression = try? LinearRegex(text) else { return { _ in false } }
        return { expression.matches($0) }
    }

    /// An absolute path, or a URI with a scheme and something after it (RFC 3986).
    private static func isURI(_ text: String) -> Bool {
        guard !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else { return false }
        if text.hasPrefix("/") { return true }
        guard let colon = text.firstIndex(of: ":"), let first = text.utf8.first else { return false }
        let scheme = text[..<colon].utf8
        let isLetter = { (byte: UInt8) in (0x41...0x5A).contains(byte & 0xDF) }
        guard isLetter(first) else { return false }
        let isSchemePart = { (byte: UInt8) in
            isLetter(byte) || (0x30...0x39).contains(byte) || "+-.".utf8.contains(byte)
        }
        return scheme.allSatisfy(isSchemePart) && text.index(after: colon) < text.endIndex
    }

    /// Labels of letters, digits, symbols and inner dashes (RFC 1123); the last of several has two letters or more.
    private static func isHostname(_ text: String) -> Bool {
        guard text.utf8.count <= 255 else { return false }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        func isPlain(_ character: Character) -> Bool {
            character.isLetter || character.isSymbol || character.isASCII && character.isNumber
        }
        let isEachGood = labels.allSatisfy { label in
            guard let first = label.first, let last = label.last, label.utf8.count <= 63 else { return false }
            return isPlain(first) && isPlain(last) && label.allSatisfy { isPlain($0) || $0 == "-" }
        }
        guard isEachGood, labels.count > 1, let top = labels.last else { return isEachGood }
        return top.count >= 2 && top.allSatisfy(\.isLetter)
    }

    private static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
                    && (Int(part) ?? 256) < 256
            }
    }

    private static func isIPv6(_ text: String) -> Bool {
        guard text.utf8.count <= 64, text.contains(":") else { return false }
        var halves = text.components(separatedBy: "::")
        guard halves.count <= 2 else { return false }
        var groups = 0
        // A dotted IPv4 address may stand at the end, for two groups.
        if let dot = halves[halves.count - 1].split(separator: ":", omittingEmptySubsequences: false).last,
            dot.contains(".")
        {
            guard isIPv4(String(dot)) else { return false }
            groups += 2
            halves[halves.count - 1].removeLast(dot.count)
            if halves[halves.count - 1].hasSuffix(":") { halves[halves.count - 1].removeLast() }
        }
        for half in halves where !half.isEmpty {
            for group in half.split(separator: ":", omittingEmptySubsequences: false) {
                guard (1...4).contains(group.utf8.count), Int(group, radix: 16) != nil, group.first != "+",
                    group.first != "-"
                else { return false }
                groups += 1
            }
        }
        return halves.count == 2 ? groups < 8 : groups == 8
    }

    private static func isCIDR(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let bits = Int(parts[1])
        else { return false }
        let address = String(parts[0])
        return isIPv4(address) ? bits <= 32 : isIPv6(address) && bits <= 128
    }

    private static func digits(_ text: String) -> [UInt8] { text.utf8.filter { $0 != 0x2D && $0 != 0x20 } }

    private static func isISBN10(_ text: String) -> Bool {
        let digits = digits(text)
        guard digits.count == 10 else { return false }
        var sum = 0
        for (index, digit) in digits.enumerated() {
            switch digit {
            case 0x30...0x39: sum += (10 - index) * Int(digit - 0x30)
            case UInt8(ascii: "X") where index == 9: sum += 10
            default: return false
            }
        }
        return sum % 11 == 0
    }

    private static func isISBN13(_ text: String) -> Bool {
        let digits = digits(text)
        guard digits.count == 13, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        return digits.enumerated().reduce(0) { $0 + Int($1.element - 0x30) * ($1.offset % 2 == 0 ? 1 : 3) } % 10 == 0
    }

    private static let creditCard = pattern(
        #"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|"#
            + #"3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$"#)

    /// The right number of digits with the check digit of Luhn (ISO/IEC 7812-1).
    private static func isCreditCard(_ text: String) -> Bool {
        let digits = text.utf8.filter { (0x30...0x39).contains($0) }
        guard creditCard(String(decoding: digits, as: UTF8.self)) else { return false }
        let sum = digits.reversed().enumerated().reduce(0) { sum, item in
            let digit = Int(item.element - 0x30) * (item.offset % 2 == 1 ? 2 : 1)
            return sum + (digit > 9 ? digit - 9 : digit)
        }
        return sum % 10 == 0
    }

    private static let goDuration = pattern(#"^[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^[-+]?0$"#)
    private static let wordDuration = pattern(
        "^[0-9]+ ?(ns|nanos?|us|micros?|ms|millis?|s|secs?|m|mins?|h|hrs?|hours?|d|days?|w|weeks?)$")

    private static func isDuration(_ text: String) -> Bool { goDuration(text) || wordDuration(text) }

    /// RFC 3339, with an offset that may lack its colon.
    private static func isDateTime(_ text: String) -> Bool {
        if Timestamp(rfc3339: text.uppercased()) != nil { return true }
        guard text.utf8.count > 5 else { return false }
        let split = text.index(text.endIndex, offsetBy: -2)
        return Timestamp(rfc3339: "\(text[..<split]):\(text[split...])") != nil
    }
}

extension String {
    /// The parts between occurrences of a separator; at least one.
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
