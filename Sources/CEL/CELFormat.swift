// SPDX-License-Identifier: Apache-2.0
import LinearRegex

/// A named format of text (`format.dns1123Label()`).
///
/// Source: k8s.io/apiserver/pkg/cel/library, format.
package struct CELFormat: Hashable, Sendable {
    package let name: String

    init?(name: String) {
        guard Self.names.contains(name) else { return nil }
        self.name = name
    }

    static let names: Set<String> = [
        "dns1123Label", "dns1123Subdomain", "dns1035Label", "qualifiedName", "dns1123LabelPrefix",
        "dns1123SubdomainPrefix", "dns1035LabelPrefix", "labelValue", "uri", "uuid", "byte", "date", "datetime",
    ]

    private static let label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    private static let labelMessage =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        + "with an alphanumeric character"
    private static let subdomainMessage =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        + "and end with an alphanumeric character"
    private static let label1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
    private static let label1035Message =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        + "character, and end with an alphanumeric character"
    private static let qualified = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
    private static let qualifiedMessage =
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

    private static func matches(_ pattern: String, _ text: String) -> Bool {
        (try? LinearRegex("^(?:\(pattern))$").matches(text)) ?? false
    }

    private static func expect(
        _ pattern: String, _ example: String, _ message: String, max: Int?, _ text: String
    ) -> [String] {
        var problems: [String] = []
        if let max, text.utf8.count > max { problems.append("must be no more than \(max) bytes") }
        if !matches(pattern, text) {
            problems.append("\(message) (e.g. \(example), regex used for validation is '\(pattern)')")
        }
        return problems
    }

    /// What is wrong with a text; empty where nothing is.
    func problems(_ text: String) -> [String] {
        let subdomain = "\(Self.label)(\\.\(Self.label))*"
        // The name that `generateName` makes of a prefix may go on after a dash.
        let masked = text.hasSuffix("-") && text.count > 1 ? text.dropLast() + "a" : text
        switch name {
        case "dns1123Label": return label(text)
        case "dns1123LabelPrefix": return label(masked)
        case "dns1123Subdomain": return domain(text, subdomain)
        case "dns1123SubdomainPrefix": return domain(masked, subdomain)
        case "dns1035Label": return label1035(text)
        case "dns1035LabelPrefix": return label1035(masked)
        case "labelValue": return labelValue(text)
        case "qualifiedName": return qualifiedName(text, subdomain)
        case "uri": return CELURL(text) == nil ? ["must be a valid URI"] : []
        case "uuid":
            let pattern = "(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"
            return Self.matches(pattern, text) ? [] : ["does not match the UUID format"]
        case "byte": return CELBase64.decode(text) == nil ? ["invalid base64"] : []
        case "date": return CELTimestamp(date: text) == nil ? ["invalid date"] : []
        case "datetime": return CELTimestamp(text) == nil ? ["invalid datetime"] : []
        default: return []
        }
    }

    private func label(_ text: String) -> [String] {
        Self.expect(Self.label, "'my-name',  or '123-abc'", Self.labelMessage, max: 63, text)
    }

    private func domain(_ text: String, _ pattern: String) -> [String] {
        Self.expect(pattern, "'example.com'", Self.subdomainMessage, max: 253, text)
    }

    private func label1035(_ text: String) -> [String] {
        Self.expect(Self.label1035, "'my-name',  or 'abc-123'", Self.label1035Message, max: 63, text)
    }

    private func labelValue(_ text: String) -> [String] {
        let message =
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            + "start and end with an alphanumeric character"
        let example = "'MyValue',  or 'my_value',  or '12345'"
        return Self.expect("((\(Self.qualified))?)".dropOuter, example, message, max: 63, text)
    }

    private func qualifiedName(_ text: String, _ subdomain: String) -> [String] {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let example = "'MyName',  or 'my.name',  or '123-abc'"
        guard parts.count <= 2, let name = parts.last else {
            return ["a qualified name \(Self.qualifiedMessage)"]
        }
        var problems: [String] = []
        if parts.count == 2 {
            problems +=
                parts[0].isEmpty
                ? ["prefix part must be non-empty"] : domain(parts[0], subdomain).map { "prefix part \($0)" }
        }
        if name.isEmpty { return problems + ["name part must be non-empty"] }
        return problems
            + Self.expect(Self.qualified, example, Self.qualifiedMessage, max: 63, name).map { "name part \($0)" }
    }
}

extension String {
    /// Without the outermost parentheses.
    fileprivate var dropOuter: String { String(dropFirst().dropLast()) }
}
