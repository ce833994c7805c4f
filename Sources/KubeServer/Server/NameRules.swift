// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Which names, label keys and label values are allowed.
///
/// Source: Kubernetes "Object Names and IDs" and "Labels and Selectors"; texts as upstream's validation.
enum NameRules {
    static func invalid(_ field: String, _ value: String, _ problem: String) -> StatusCause {
        StatusCause(
            reason: "FieldValueInvalid", field: field, message: "Invalid value: \"\(value.prefix(300))\": \(problem)")
    }

    /// What is wrong with an object's name; nil when nothing is.
    static func problem(_ name: String, _ rule: ResourceDeclaration.NameRule) -> String? {
        switch rule {
        case .dnsSubdomain: subdomainProblem(name)
        case .dnsLabel: labelProblem(name)
        case .dns1035Label: label1035Problem(name)
        }
    }

    static func subdomainProblem(_ name: String) -> String? {
        if name.utf8.count > 253 { return "must be no more than 253 characters" }
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if parts.allSatisfy({ isLabel($0) }) { return nil }
        return
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            + "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    }

    static func labelProblem(_ name: String) -> String? {
        if name.utf8.count > 63 { return "must be no more than 63 characters" }
        if isLabel(Array(name.utf8)[...]) { return nil }
        return
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            + "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    }

    private static func label1035Problem(_ name: String) -> String? {
        if name.utf8.count > 63 { return "must be no more than 63 characters" }
        if isLabel(Array(name.utf8)[...]), let first = name.utf8.first, isLower(first) { return nil }
        return
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            + "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
            + "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    }

    private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLabel(_ bytes: some BidirectionalCollection<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last else { return false }
        func isInner(_ byte: UInt8) -> Bool { isLower(byte) || isDigit(byte) || byte == UInt8(ascii: "-") }
        return first != UInt8(ascii: "-") && last != UInt8(ascii: "-") && bytes.allSatisfy(isInner)
    }

    private static func isName(_ bytes: some BidirectionalCollection<UInt8>) -> Bool {
        guard let first = bytes.first, let last = bytes.last else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool { isLower(byte | 0x20) || isDigit(byte) }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
    }

    /// What is wrong with a label key, annotation key or finalizer.
    static func qualifiedNameProblem(_ key: String) -> String? {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 2 {
            return
                "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                + "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
                + "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix "
                + "and '/' (e.g. 'example.com/MyName')"
        }
        if parts.count == 2 {
            if parts[0].isEmpty { return "prefix part must be non-empty" }
            if let problem = subdomainProblem(String(parts[0])) { return "prefix part \(problem)" }
        }
        guard let name = parts.last, !name.isEmpty else { return "name part must be non-empty" }
        if name.utf8.count > 63 { return "name part must be no more than 63 characters" }
        if isName(Array(name.utf8)) { return nil }
        return
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            + "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            + "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    }

    /// What is wrong with a label's value.
    static func labelValueProblem(_ value: String) -> String? {
        if value.isEmpty { return nil }
        if value.utf8.count > 63 { return "must be no more than 63 characters" }
        if isName(Array(value.utf8)) { return nil }
        return
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            + "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
            + "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    }

    static func labelProblems(_ labels: JSONValue, field: String) -> [StatusCause] {
        var causes: [StatusCause] = []
        for (key, value) in labels.stringMembers.sorted(by: { $0.key < $1.key }) {
            if let problem = qualifiedNameProblem(key) { causes.append(invalid(field, key, problem)) }
            if let problem = labelValueProblem(value) { causes.append(invalid(field, value, problem)) }
        }
        return causes
    }

    /// All annotations together may have 256 KiB.
    static func annotationProblems(_ annotations: JSONValue) -> [StatusCause] {
        var causes: [StatusCause] = []
        var size = 0
        for (key, value) in annotations.stringMembers.sorted(by: { $0.key < $1.key }) {
            size += key.utf8.count + value.utf8.count
            if let problem = qualifiedNameProblem(key.lowercased()) {
                causes.append(invalid("metadata.annotations", key, problem))
            }
        }
        if size > 262_144 {
            causes.append(
                StatusCause(
                    reason: "FieldValueTooLong", field: "metadata.annotations",
                    message: "Too long: may not be more than 262144 bytes"))
        }
        return causes
    }
}
