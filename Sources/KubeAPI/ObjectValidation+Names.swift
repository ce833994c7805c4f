// SPDX-License-Identifier: Apache-2.0

/// What names of each sort may look like; each rule gives the faults in upstream's wording, none for a good name.
///
/// Source: Kubernetes "Object Names and IDs", "Labels and Selectors", RFC 1123, RFC 1035, RFC 6335.
package enum NameRules {
    private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func isUpper(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isLowerOrDigit(_ byte: UInt8) -> Bool { isLower(byte) || isDigit(byte) }
    private static func isAlphanumeric(_ byte: UInt8) -> Bool { isLowerOrDigit(byte) || isUpper(byte) }

    /// Letters and digits at both ends, and those or `inner` between; not empty.
    private static func matches(
        _ text: some Collection<UInt8>, inner: String, _ isPlain: (UInt8) -> Bool
    ) -> Bool {
        let bytes = Array(text)
        guard let first = bytes.first, let last = bytes.last, isPlain(first), isPlain(last) else { return false }
        return bytes.allSatisfy { isPlain($0) || inner.utf8.contains($0) }
    }

    private static func tooLong(_ text: String, _ limit: Int, _ prefix: String = "") -> [String] {
        text.utf8.count > limit ? ["\(prefix)must be no more than \(limit) bytes"] : []
    }

    private static func matchesLabel(_ text: some Collection<UInt8>) -> Bool {
        matches(text, inner: "-", isLowerOrDigit)
    }

    /// A lowercase RFC 1123 label, at most 63 bytes.
    package static func dns1123Label(_ name: String) -> [String] {
        let faults = tooLong(name, 63)
        if matchesLabel(name.utf8) { return faults }
        let rule = """
            a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
            end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
            '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            """
        return faults + [rule]
    }

    /// A lowercase RFC 1123 subdomain, at most 253 bytes.
    package static func dns1123Subdomain(_ name: String) -> [String] {
        let faults = tooLong(name, 253)
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if parts.allSatisfy(matchesLabel) { return faults }
        let rule = """
            a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
            start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
            '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            """
        return faults + [rule]
    }

    /// A DNS-1035 label, at most 63 bytes: Services.
    package static func dns1035Label(_ name: String) -> [String] {
        let faults = tooLong(name, 63)
        if matchesLabel(name.utf8), name.utf8.first.map(isLower) == true { return faults }
        let rule = """
            a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
            character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
            validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
            """
        return faults + [rule]
    }

    /// A segment of a path: RBAC names.
    package static func pathSegment(_ name: String) -> [String] {
        if name == "." || name == ".." { return ["may not be '\(name)'"] }
        return ["/", "%"].filter { name.contains($0) }.map { "may not contain '\($0)'" }
    }

    /// A label's or annotation's key: `[PREFIX/]NAME`.
    package static func qualifiedName(_ name: String) -> [String] {
        let form = """
            must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
            character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
            '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            """
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var faults: [String] = []
        if parts.count == 2 {
            faults =
                parts[0].isEmpty
                ? ["prefix part must be non-empty"] : dns1123Subdomain(parts[0]).map { "prefix part \($0)" }
        } else if parts.count > 2 {
            return [
                "a qualified name \(form) with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ]
        }
        let last = parts.last ?? ""
        faults += last.isEmpty ? ["name part must be non-empty"] : tooLong(last, 63, "name part ")
        if !matches(last.utf8, inner: "-_.", isAlphanumeric) { faults.append("name part \(form)") }
        return faults
    }

    /// `domain/path`, such as `example.com/controller`.
    package static func domainPrefixedPath(_ text: String) -> [String] {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            return ["must be a domain-prefixed path (such as \"acme.io/foo\")"]
        }
        let domain = dns1123Subdomain(String(parts[0])).map { "prefix part \($0)" }
        let isPath = parts[1].utf8.allSatisfy { isAlphanumeric($0) || "/%:@!$&'()*+,;=-._~".utf8.contains($0) }
        return domain + (isPath ? [] : ["Invalid path (e.g. 'p/a/t/h')"])
    }

    /// A label's value: empty, or at most 63 bytes.
    package static func labelValue(_ value: String) -> [String] {
        let faults = tooLong(value, 63)
        if value.isEmpty || matches(value.utf8, inner: "-_.", isAlphanumeric) { return faults }
        let rule = """
            a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
            start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
            validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
            """
        return faults + [rule]
    }

    /// A key of a ConfigMap or Secret.
    package static func configKey(_ key: String) -> [String] {
        var faults = tooLong(key, 253)
        if key.isEmpty || !key.utf8.allSatisfy({ isAlphanumeric($0) || "-_.".utf8.contains($0) }) {
            faults.append(
                """
                a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
                'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
                """)
        }
        if key == "." || key == ".." || key.hasPrefix("..") {
            faults.append(key.hasPrefix("..") && key != ".." ? "must not start with '..'" : "must not be '\(key)'")
        }
        return faults
    }

    /// A kernel parameter's name: parts of lower-case letters, digits, `-` and `_`, separated by `.` or `/`.
    package static func sysctl(_ name: String) -> [String] {
        let parts = name.utf8.split(omittingEmptySubsequences: false) {
            $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/")
        }
        let isValid = parts.allSatisfy { part in
            guard let first = part.first, let last = part.last else { return false }
            return isLowerOrDigit(first) && isLowerOrDigit(last)
                && part.allSatisfy { isLowerOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        }
        guard !isValid || name.utf8.count > 253 else { return [] }
        let segment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
        return ["must have at most 253 characters and match regex ^(\(segment)[\\./])*\(segment)$"]
    }

    /// A lowercase RFC 1123 subdomain in whose labels underscores are letters: search paths of DNS.
    package static func dns1123SubdomainWithUnderscore(_ name: String) -> [String] {
        let faults = tooLong(name, 253)
        let isValid = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy {
            matches($0, inner: "-_") { isLowerOrDigit($0) || $0 == UInt8(ascii: "_") }
        }
        if isValid { return faults }
        let rule = """
            a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '.' or '_', and \
            must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
            '[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*')
            """
        return faults + [rule]
    }

    /// The name of an HTTP header.
    package static func headerName(_ name: String) -> [String] {
        if !name.isEmpty, name.utf8.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: "-") }) { return [] }
        return [
            "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
                + "validation is '[-A-Za-z0-9]+')"
        ]
    }

    /// The name of an environment variable (as since Kubernetes 1.30).
    package static func environmentName(_ name: String) -> [String] {
        if !name.isEmpty, name.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "=") }) { return [] }
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    }

    /// The name of a port (RFC 6335 service name).
    package static func portName(_ name: String) -> [String] {
        var faults: [String] = []
        let bytes = Array(name.utf8)
        if bytes.count > 15 { faults.append("must be no more than 15 characters") }
        if bytes.isEmpty || !bytes.allSatisfy({ isLowerOrDigit($0) || $0 == UInt8(ascii: "-") }) {
            faults.append("must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)")
        }
        if !bytes.contains(where: isLower) { faults.append("must contain at least one letter (a-z)") }
        if name.contains("--") { faults.append("must not contain consecutive hyphens") }
        if bytes.first == UInt8(ascii: "-") || bytes.last == UInt8(ascii: "-") {
            faults.append("must not begin or end with a hyphen")
        }
        return faults
    }

    /// The rule for the names of a kind's objects.
    package static func objectName(_ kind: GroupVersionKind) -> (String) -> [String] {
        switch (kind.group, kind.kind) {
        case ("", "Namespace"): dns1123Label
        case ("", "Service"): dns1035Label
        case ("rbac.authorization.k8s.io", _): pathSegment
        case ("networking.k8s.io", "IPAddress"): canonicalAddress
        default: dns1123Subdomain
        }
    }
}
